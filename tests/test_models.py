"""The table of models is complete, consistent and dated."""

import datetime

import pytest

import helpers
from helpers.costs.models import find_model
from tests.model_ids import FILE_DATE, ROOT, ROWS, problem, problems

STAGES = {"general availability", "preview", "deprecated", "retired", "unknown"}
PRICES = [
    f"{currency}_per_million_{way}" for currency in ("usd", "eur") for way in ("input", "output")
]


def day(text):
    return datetime.date.fromisoformat(text) if text else None


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_each_row_is_right_in_form(row):
    assert row["model"] and row["id"] and row["source"]
    assert row["stage"] in STAGES
    assert day(row["as_of"]) <= FILE_DATE
    for name in ("released", "deprecated", "retires"):
        day(row[name])
    for name in PRICES:
        assert not row[name] or 0 <= float(row[name]) < 100
    assert not row["context_tokens"] or 1000 <= int(row["context_tokens"]) <= 2_000_000


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_each_stage_fits_the_dates(row):
    over = bool(row["retires"]) and day(row["retires"]) <= FILE_DATE
    assert over == (row["stage"] == "retired")
    if row["released"] and row["retires"]:
        assert day(row["released"]) < day(row["retires"])


def test_no_name_means_two_living_models():
    names = [
        name
        for row in ROWS
        if row["stage"] != "retired"
        for name in (row["id"], *row["aliases"].split())
    ]
    assert len(names) == len(set(names))
    assert len({row["id"] for row in ROWS}) == len(ROWS)


def test_each_successor_is_a_model_of_the_table():
    names = {row["model"] for row in ROWS}
    assert {row["replacement"] for row in ROWS} - {""} <= names


def test_the_table_as_a_data_frame():
    table = helpers.models().set_index("id")
    assert len(table) == len(ROWS)
    assert table.loc["mistral-small-2603", "usd_per_million_input"] == 0.15
    assert table.loc["open-mistral-7b", "retires"].year == 2025
    assert table["as_of"].max().date() == FILE_DATE


def test_a_name_that_moved_means_the_living_model():
    assert find_model("mistral-medium")["id"] == "mistral-medium-3-5"
    assert find_model("mistral-tiny")["id"] == "open-mistral-7b"
    assert find_model("mistral-none") is None


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("mistral-small-latest", None),
        ("mistral-medium", None),  # a retired name that lives again
        ("mistral-tiny", "retires on 2025-03-30"),
        ("mistral-large-2411", "retires on 2026-05-31"),
        ("mistral-huge", "not in data/models.csv"),
    ],
)
def test_the_check_of_names_finds_what_it_should(name, fault):
    assert (fault or "None") in str(problem(name))
    assert bool(problems(f'model="{name}", `{name}`.')) == bool(fault)


def test_the_check_of_names_warns_sixty_days_ahead(monkeypatch):
    row = next(row for row in ROWS if row["id"] == "mistral-small-2603")
    for days, found in ((60, True), (61, False)):
        monkeypatch.setitem(row, "retires", (FILE_DATE + datetime.timedelta(days=days)).isoformat())
        assert bool(problem("mistral-small-latest")) == found
        assert problem("mistral-small-latest", past=True) is None


def test_packages_are_no_models():
    assert problems("mistral-common, https://github.com/mistralai/mistral-vibe, mistralai") == []


@pytest.mark.parametrize(
    "path",
    [*ROOT.glob("helpers/*.py"), *ROOT.glob("data/stand_ins/*.toml"), ROOT / "README.md"],
    ids=lambda path: path.name,
)
def test_helpers_and_stand_ins_name_models_that_live(path):
    assert problems(path.read_text("utf-8")) == []
