"""The table of models is complete, consistent and dated."""

import datetime

import pytest

import helpers
from helpers.costs.models import find_model, find_vendor, is_settled, suggest
from tests.model_ids import FILE_DATE, ROOT, ROWS, problem, problems

STAGES = {"general availability", "preview", "deprecated", "retired", "unknown"}
DATES = ("released", "deprecated", "retires", "as_of", "confirmed")


def day(text):
    return datetime.date.fromisoformat(text) if text else None


def problems_of_form(row):
    if not (row["model"] and row["id"] and row["source"] and row["as_of"]):
        yield "has no name, id, source or date"
    if row["stage"] not in STAGES:
        yield f"has the stage {row['stage']!r}"
    if any(day(row[name]) > FILE_DATE for name in ("as_of", "confirmed") if row[name]):
        yield "was checked in the future"
    for name in (name for name in row if "_per_million_" in name):
        if row[name] and not 0 <= float(row[name]) < 100:
            yield f"{name} is {row[name]}"
    if row["context_tokens"] and not 1000 <= int(row["context_tokens"]) <= 2_000_000:
        yield f"has a context of {row['context_tokens']}"


def problems_of_dates(row):
    dates = {name: day(row[name]) for name in DATES}
    over = dates["retires"] is not None and dates["retires"] <= FILE_DATE
    if over != (row["stage"] == "retired"):
        yield f"is {row['stage']} and retires on {row['retires']}"
    if dates["released"] and dates["retires"] and dates["released"] >= dates["retires"]:
        yield "retires before its release"
    if row["confirmed"] and row["confirmed"] < row["as_of"]:
        yield "was confirmed before its source"


def problems_of_aliases(row):
    for pair in row["alias_seen"].split():
        alias, _, seen = pair.partition("=")
        if day(seen) < day(row["released"]):
            yield f"{alias} was seen before the release"
        # Of a retired model, the alias stands in the row of the model that has it now.
        if not any(alias in other["aliases"].split() for other in ROWS):
            yield f"{alias} is the alias of no model"


@pytest.mark.parametrize("check", [problems_of_form, problems_of_dates, problems_of_aliases])
def test_rows_of_the_table_have_no_problem(check):
    assert [(row["id"], found) for row in ROWS for found in check(row)] == []


def test_no_name_means_two_living_models():
    living = [row for row in ROWS if row["stage"] != "retired"]
    names = [name for row in living for name in (row["id"], *row["aliases"].split())]
    assert len(names) == len(set(names))
    assert len({row["id"] for row in ROWS}) == len(ROWS)


def test_each_successor_is_a_model_of_the_table():
    names = {row["model"] for row in ROWS}
    assert {row["replacement"] for row in ROWS} - {""} <= names


def test_table_as_a_data_frame():
    table = helpers.models().set_index("id")
    assert len(table) == len(ROWS)
    assert table.loc["mistral-small-2603", "usd_per_million_input"] == 0.15
    assert table.loc["open-mistral-7b", "retires"].year == 2025
    assert table[["as_of", "confirmed"]].max().max().date() == FILE_DATE


def test_alias_that_moved_means_the_living_model():
    assert find_model("mistral-medium")["id"] == "mistral-medium-3-5"
    assert find_model("mistral-tiny")["id"] == "open-mistral-7b"
    assert find_model("mistral-none") is None


@pytest.mark.parametrize(
    ("alias", "when", "id", "settled"),
    [
        ("mistral-large-latest", "2024-02-26", "mistral-large-2402", True),
        ("mistral-small-latest", "2026-03-15", "mistral-small-2506", True),
        # The day of a release: recorded traffic of that evening is still of the older model.
        ("mistral-small-latest", "2026-03-16", "mistral-small-2506", False),
        ("mistral-small-latest", "2026-03-17", "mistral-small-2603", False),
        ("mistral-small-latest", "2026-04-02", "mistral-small-2603", True),
        # Into another family.
        ("magistral-small-latest", "2026-04-02", "magistral-small-2509", False),
        ("magistral-small-latest", "2026-05-06", "mistral-small-2603", True),
        ("mistral-medium-latest", "2026-06-16", "mistral-medium-2508", False),
        ("mistral-medium-latest", "2026-06-17", "mistral-medium-3-5", True),
        ("mistral-medium", "2024-01-10", "mistral-medium-2312", True),
        # An id with a date never moves.
        ("mistral-small-2506", "2026-03-16", "mistral-small-2506", True),
    ],
)
def test_alias_means_what_it_meant_on_a_day(alias, when, id, settled):
    assert find_model(alias, day(when))["id"] == id
    assert is_settled(alias, day(when)) == settled


def test_each_alias_is_settled_today():
    living = [row for row in ROWS if row["stage"] != "retired"]
    pairs = [(name, row["id"]) for row in living for name in row["aliases"].split()]
    assert [pair for pair in pairs if find_model(pair[0])["id"] != pair[1]] == []
    assert [pair for pair in pairs if find_model(pair[0], FILE_DATE)["id"] != pair[1]] == []


def test_models_of_other_vendors_are_found_by_their_vendor():
    names = ("gpt-6-luna", "claude-haiku-5-5", "gemini-4-argon", "gpt-none")
    assert [find_vendor(name) for name in names] == ["openai", "anthropic", "google", None]
    assert "gpt-6-luna" in suggest("gpt-6-lunar")


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("mistral-small-latest", None),
        # A retired name that lives again.
        ("mistral-medium", None),
        ("mistral-tiny", "retires on 2025-03-30"),
        ("mistral-large-2411", "retires on 2026-05-31"),
        ("mistral-huge", "not in data/models.csv"),
    ],
)
def test_check_of_names_finds_what_it_should(name, found):
    assert (found or "None") in str(problem(name))
    assert bool(problems(f'model="{name}", `{name}`.')) == bool(found)


def test_check_of_names_warns_sixty_days_ahead(monkeypatch):
    row = next(row for row in ROWS if row["id"] == "mistral-small-2603")
    for days, found in ((60, True), (61, False)):
        monkeypatch.setitem(row, "retires", (FILE_DATE + datetime.timedelta(days=days)).isoformat())
        assert bool(problem("mistral-small-latest")) == found
        assert problem("mistral-small-latest", past=True) is None


def test_packages_are_not_models():
    assert problems("mistral-common, https://github.com/mistralai/mistral-vibe, mistralai") == []


def test_helpers_and_stand_ins_name_models_that_live():
    paths = [*ROOT.glob("helpers/*.py"), *ROOT.glob("data/stand_ins/*.toml"), ROOT / "README.md"]
    assert [
        (path.name, found) for path in paths for found in problems(path.read_text("utf-8"))
    ] == []
