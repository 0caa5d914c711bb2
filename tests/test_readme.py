"""What the README says of the lessons and the commands is true."""

import importlib
import json
import re
from pathlib import Path

import nbformat
import pytest

import helpers

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
FIRST_SCREEN = "\n".join(README.splitlines()[:45])


def test_the_table_of_lessons_is_that_of_the_notebooks():
    rows = []
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        first = nbformat.read(path, as_version=4).cells[0].source
        number, name, what = re.match(r"# (\d\d) ([^:]+): (.+)", first).groups()
        minutes = re.search(r"\*\*(\d+) minutes", first)[1]
        rows.append(f"| [{number} {name}](notebooks/{path.name}) | {what} | {minutes} |")
    assert (
        "| lesson | what you learn | minutes |\n|---|---|---|\n" + "\n".join(rows) + "\n\n"
        in README
    )


def test_the_first_screen_has_the_commands_and_the_lessons():
    for text in ("make lab", "make test", "01 Keys", "stand-in", "Python 3.11", "snippets"):
        assert text in FIRST_SCREEN


def test_the_commands_that_everybody_needs_are_named():
    assert {"lab", "test", "record", "help"} <= set(re.findall(r"\bmake ([a-z-]+)", README))


TEXTS = [*ROOT.glob("*.md"), ROOT / "tests" / "README.md", *ROOT.glob("helpers/*/README.md")]
# What a run makes.
MADE = {"notebooks/progress.jsonl"}


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_files_that_a_text_names_exist(path):
    text = path.read_text("utf-8")
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text)
    rooms = r"(?:tests|data|helpers|notebooks|book|snippets|\.github|\.devcontainer)"
    paths = set(re.findall(rf"(?<![\w/]){rooms}/[\w./*-]*\w", text)) - MADE
    assert [link for link in links if not (path.parent / link).exists()] == []
    # NN stands for the number of any lesson.
    assert [name for name in paths if "NN" not in name and not any(ROOT.glob(name))] == []


def test_links_within_the_readme_lead_to_a_heading():
    headings = re.findall(r"^#+ (.+)$", README, re.MULTILINE)
    places = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", README)) - places == set()


def test_contributing_is_read_in_a_few_minutes():
    assert len((ROOT / "CONTRIBUTING.md").read_text("utf-8").splitlines()) <= 60


def test_every_room_is_in_the_map():
    rooms = sorted(path.parent.name for path in (ROOT / "helpers").glob("*/__init__.py"))
    contributing = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    for room in rooms:
        assert f"`{room}`" in helpers.__doc__
        assert f"`helpers/{room}/`" in contributing


def test_the_public_names_are_what_dir_shows():
    assert len(helpers.__all__) == 18
    assert set(dir(helpers)) == {*helpers.__all__, *helpers.ROOMS}
    for name in dir(helpers):
        assert getattr(helpers, name) is not None


def test_a_module_named_like_a_function_is_still_a_module():
    for name in ("costs.models", "costs.meter", "transports.faults"):
        module = importlib.import_module(f"helpers.{name}")
        assert (
            getattr(importlib.import_module(f"helpers.{name.split('.')[0]}"), name.split(".")[1])
            is module
        )


def test_it_says_where_the_recordings_are_from():
    origins = {
        item["origin"]
        for path in (ROOT / "data" / "recordings").glob("*.json")
        for item in json.loads(path.read_text("utf-8"))["recordings"]
    }
    assert ("stand-in" in origins) == ("no Mistral model wrote them" in README)
