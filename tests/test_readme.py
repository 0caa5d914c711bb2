"""The README tells the truth about the lessons and the commands."""

import json
import re
from pathlib import Path

import nbformat

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
    for text in ("make lab", "make test", "01 Keys", "stand-in", "Python 3.11"):
        assert text in FIRST_SCREEN


def test_the_commands_exist():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    commands = set(re.findall(r"\bmake ([a-z-]+)", README)) - {"sure"}
    assert {"lab", "test", "record"} <= commands
    for command in commands:
        assert re.search(rf"^{command}:", makefile, re.MULTILINE), command


def test_the_files_it_names_exist():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_files_of_the_helpers_are_listed():
    listed = re.findall(r"^\| `(\w+(?:\.py|/))` \|", README, re.MULTILINE)
    files = [p.name for p in (ROOT / "helpers").glob("*.py") if p.name != "__init__.py"]
    files += [f"{p.parent.name}/" for p in (ROOT / "helpers").glob("*/__init__.py")]
    assert sorted(listed) == sorted(files)


def test_it_says_where_the_recordings_are_from():
    origins = {
        item["origin"]
        for path in (ROOT / "data" / "recordings").glob("*.json")
        for item in json.loads(path.read_text("utf-8"))["recordings"]
    }
    assert ("stand-in" in origins) == ("no Mistral model wrote them" in README)
