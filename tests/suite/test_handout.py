"""The handout: a page for each lesson, with its objectives, its recap and the files to copy."""

import html
import re

import nbformat
import pytest

from tests.tools import handout

LESSONS = sorted((handout.ROOT / "notebooks").glob("[0-9]*.ipynb"))
# An A4 page takes some more than the longest, of 340.
MOST_WORDS = 400


def words(text):
    """The words of a text, as HTML and Markdown have them alike, without the targets of links."""
    return re.findall(r"\w+", re.sub(r"</?[a-z][^>]*>|\]\([^)]*\)", " ", html.unescape(text)))


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_page_has_the_recap_and_the_files_of_its_lesson(path):
    page = handout.section(path)
    cells = nbformat.read(path, as_version=4).cells
    points = [
        line
        for cell in cells
        if cell.source.startswith("## Recap")
        for line in cell.source.splitlines()
        if line.startswith("- ")
    ]
    assert path.stem.startswith("00") or len(points) >= 4
    text = " ".join(words(page))
    assert [point for point in points if " ".join(words(point)) not in text] == []
    files = re.findall(r"<code>(snippets/\w+\.py)</code>", page)
    assert len(files) == len({cell.metadata["task"] for cell in cells if "task" in cell.metadata})
    assert [name for name in files if not (handout.ROOT / name).exists()] == []
    assert ".ipynb" not in page
    assert len(words(page)) <= MOST_WORDS


def test_the_command_writes_one_section_for_each_lesson(tmp_path, monkeypatch, capsys):
    (tmp_path / "notebooks").symlink_to(handout.ROOT / "notebooks")
    monkeypatch.setattr(handout, "ROOT", tmp_path)
    handout.main()
    written = (tmp_path / "build" / "handout.html").read_text("utf-8")
    assert re.findall(r'<section id="(\w+)">', written) == [path.stem for path in LESSONS]
    assert capsys.readouterr().out.startswith(f"build/handout.html: {len(LESSONS)} pages")
