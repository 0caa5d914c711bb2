"""No notebook holds a key: neither in the source of a cell, nor in what a cell printed."""

import re

import nbformat
import pytest

from tests.tools.record import NOTEBOOKS

# 32 letters and digits shortly after the name of a key, and whatever follows "Bearer".
KEY = re.compile(r"(?i)(mistral|api)[_-]?key.{0,20}?\b[a-z0-9]{32}\b|Bearer\s+[a-z0-9]{20,}")
# Of the form of a key, and none.
MADE_UP = "Q7wE2rT9yU4iO1pA6sD3fG8hJ5kL0zXc"


def strings(value):
    """Every text in a piece of JSON. In the file itself, quotes stand behind backslashes."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        value = [*value, *value.values()]
    return [text for item in value for text in strings(item)] if isinstance(value, list) else []


def keys_in(book):
    """The ids of the cells that hold a key."""
    return [
        cell.id
        for cell in book.cells
        if any(KEY.search(text) for text in [*strings(cell), "".join(printed(cell))])
    ]


def printed(cell):
    """What a cell printed, in one piece."""
    return (output.get("text", "") for output in cell.get("outputs", []))


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_holds_no_key(path):
    assert keys_in(nbformat.read(path, as_version=4)) == []


LEAKS = {
    "assigned to the environment": f'os.environ["MISTRAL_API_KEY"] = "{MADE_UP}"',
    "a default": f'os.environ.setdefault("MISTRAL_API_KEY", "{MADE_UP}")',
    "an argument": f'Mistral(api_key="{MADE_UP}")',
    "with a type": f"mistral_key: str = '{MADE_UP}'",
    "in a shell": f"!export MISTRAL_API_KEY={MADE_UP}",
    "magic": f"%env MISTRAL_API_KEY {MADE_UP}",
    "a header": f'headers = {{"Authorization": "Bearer {MADE_UP}"}}',
    "JSON": f'{{"api_key": "{MADE_UP}"}}',
}


@pytest.mark.parametrize("leak", LEAKS.values(), ids=LEAKS)
def test_a_key_is_found_in_source_output_and_markdown(leak):
    v4 = nbformat.v4
    book = v4.new_notebook()
    book.cells = [v4.new_code_cell(leak), v4.new_markdown_cell(leak), v4.new_code_cell()]
    book.cells[2].outputs = [
        v4.new_output("stream", text=leak[:40]),
        v4.new_output("stream", text=leak[40:]),
    ]
    book.cells += [v4.new_code_cell() for _ in range(3)]
    book.cells[3].outputs = [v4.new_output("display_data", {"text/html": leak})]
    book.cells[4].outputs = [v4.new_output("execute_result", {"application/json": {"a": [leak]}})]
    book.cells[5].outputs = [v4.new_output("error", ename="E", evalue="", traceback=[leak])]
    assert keys_in(book) == [cell.id for cell in book.cells]


@pytest.mark.parametrize(
    "text",
    [
        'key = os.environ["MISTRAL_API_KEY"]',
        'Authorization: f"Bearer {key.strip()}"',
        "MISTRAL_API_KEY is 32 letters and digits",
        '"sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"',
    ],
)
def test_texts_about_keys_are_no_keys(text):
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text)])
    assert keys_in(book) == []


def test_the_lesson_on_keys_shows_the_end_of_a_key_and_no_more(lesson, monkeypatch):
    monkeypatch.setenv("MISTRAL_API_KEY", MADE_UP)
    keys = lesson("01_keys")
    shown = keys.run_to("meter")
    assert "tokens in" in shown, "every cell ran"
    assert f"…{MADE_UP[-4:]}" in shown, "the lesson did see the key"
    assert MADE_UP[:8] not in shown and MADE_UP[-12:] not in shown
