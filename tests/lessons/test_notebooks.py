"""Each notebook is built like a lesson, stored as it was run, and safe to publish."""

import functools
import itertools
import json
import re
import statistics
from pathlib import Path

import nbformat
import pytest

from helpers.plots import plain
from tests.model_ids import problems
from tests.tools.record import SETUP_CHECK

ROOT = Path(__file__).parent.parent.parent
PATHS = sorted((ROOT / "notebooks").glob("*.ipynb"))
VERBS = re.compile(r"^- \*\*[a-z]+\*\*", re.MULTILINE)

each = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
# 00 checks the machine: it teaches nothing, records nothing, and asks no question.
LESSONS = [path for path in PATHS if path.stem != SETUP_CHECK]
each_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)


@functools.cache
def read(path):
    return nbformat.read(path, as_version=4)


def code(book):
    return [cell for cell in book.cells if cell.cell_type == "code"]


def prose(book):
    return "\n\n".join(cell.source for cell in book.cells if cell.cell_type == "markdown")


def tags(cell):
    return cell.metadata.get("tags", [])


def lines(cell):
    return [line for line in cell.source.splitlines() if line.strip()]


def test_there_are_lessons():
    numbers = [int(path.stem[:2]) for path in LESSONS]
    assert numbers[:5] == [1, 2, 3, 4, 5]
    assert len(set(numbers)) == len(numbers), "each number is one lesson's"


@each
def test_each_file_is_a_valid_notebook_with_its_language(path):
    book = read(path)
    nbformat.validate(book)
    assert book.metadata.kernelspec == {
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
        "name": "python3",
    }
    assert book.metadata.language_info.name == "python"
    assert "widgets" not in book.metadata
    ids = [cell.id for cell in book.cells]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z0-9-]+", name) for name in ids), "ids are names that stay"


@each
def test_stored_outputs_have_no_errors_and_no_widgets(path):
    outputs = [(cell, output) for cell in code(read(path)) for output in cell.outputs]
    assert len(outputs) >= 2
    for cell, output in outputs:
        assert output.output_type != "error" or "raises-exception" in tags(cell), cell.id
        assert output.get("name") != "stderr", f"{cell.id} prints to stderr"
        assert not any("widget" in kind for kind in output.get("data", {})), cell.id


@each
def test_a_notebook_without_plots_is_small(path):
    plots = any(
        "image/png" in out.get("data", {}) for cell in code(read(path)) for out in cell.outputs
    )
    assert plots or path.stat().st_size <= 200_000


@each_lesson
def test_a_lesson_begins_with_title_time_and_objectives(path):
    book = read(path)
    first = book.cells[0].source
    number = path.stem[:2]
    assert re.match(rf"# {number} \w+", first), "the first cell is the title, with the number"
    headings = re.findall(r"^(#{1,6}) ", without_fences(prose(book)), re.MULTILINE)
    levels = [len(hashes) for hashes in headings]
    assert levels.count(1) == 1
    assert all(b <= a + 1 for a, b in itertools.pairwise(levels)), "no level is skipped"
    assert re.search(r"\*\*\d+ minutes\. You need\*\* ", first)
    assert "After this lesson you can" in first
    assert 3 <= len(VERBS.findall(first)) <= 6, "objectives begin with a verb"


@each_lesson
def test_the_first_code_cell_is_start_and_no_other_calls_it(path):
    start, *others = code(read(path))
    assert start.source == f'import helpers\n\nhelpers.start("{path.stem}")'
    assert not any("helpers.start" in cell.source for cell in others), "one line, at the top"
    assert re.match(r"(Replay, offline)\. Recorded answers: \d+", start.outputs[0].text)


@each_lesson
def test_the_first_output_says_whose_answers_these_are(path):
    recordings = json.loads((ROOT / "data/recordings" / f"{path.stem}.json").read_text("utf-8"))
    origins = {item["origin"] for item in recordings["recordings"]}
    line = code(read(path))[0].outputs[0].text
    assert ("stand-in" in line and "not by a model" in line) == ("stand-in" in origins)
    assert ("from api.mistral.ai" in line) == ("api.mistral.ai" in origins)


def is_folded(cell):
    """Whether a cell's source is hidden until it is asked for, as of figures and solutions."""
    return cell.metadata.get("jupyter", {}).get("source_hidden", False)


@each
def test_cells_are_short_and_have_prose_around_them(path):
    book = read(path)
    sizes = [len(lines(cell)) for cell in code(book)]
    shown = [len(lines(cell)) for cell in code(book) if not is_folded(cell)]
    assert statistics.median(shown) <= 6
    assert max(sizes) <= 30
    kinds = "".join(cell.cell_type[0] for cell in book.cells)
    assert "ccc" not in kinds, "prose stands around every cell"


@each_lesson
def test_a_lesson_ends_with_recap_exercises_and_next(path):
    book = read(path)
    titles = re.findall(r"^## (.+)$", without_fences(prose(book)), re.MULTILINE)
    assert titles[-3:] == ["Recap", "Exercises", "Next"]
    if "objectives" in book.metadata:  # see test_exercises.py
        return
    solutions = [cell for cell in code(book) if "solution" in tags(cell)]
    exercises = [cell for cell in code(book) if "exercise" in tags(cell)]
    assert 2 <= len(exercises) == len(solutions) <= 3
    for cell in solutions:
        assert cell.metadata.jupyter.source_hidden, "a solution is hidden until it is asked for"
        assert cell.source.startswith("# Solution\n"), "a hidden cell still shows its first line"


@each
def test_the_minutes_follow_their_rule(path):
    """Words / 180 + lines of code that are not folded / 8 + 5 for each exercise, to 5 minutes."""
    book = read(path)
    if "objectives" not in book.metadata:  # the lesson's exercises have the older form
        return
    texts = [cell.source for cell in book.cells if cell.cell_type == "markdown"]
    words = sum(len(without_fences(text).split()) for text in texts)
    visible = sum(len(lines(cell)) for cell in code(book) if not is_folded(cell))
    exercises = sum("exercise" in tags(cell) for cell in code(book))
    counted = words / 180 + visible / 8 + 5 * exercises
    stated = int(re.search(r"\*\*(\d+) minutes", book.cells[0].source)[1])
    assert stated % 5 == 0
    assert abs(stated - counted) <= 2.5, f"{words} words, {visible} lines, {exercises} exercises"


@each
def test_pictures_have_a_description_and_their_numbers(path):
    """Each comes with an alternative text, the same in words below it, and its numbers as a table."""
    for cell in code(read(path)):
        data = [output.get("data", {}) for output in cell.outputs]
        pictures = [output for output in cell.outputs if "image/png" in output.get("data", {})]
        for picture in pictures:
            words = picture.metadata["image/png"]["alt"]
            assert len(words) > 80 and re.search(r"\d", words), "type, axes, finding and numbers"
            assert any(plain(words) in part.get("text/markdown", "") for part in data)
            assert any("<table" in part.get("text/html", "") for part in data)
            assert len(pictures) == 1
        if pictures:
            assert "helpers.show(" in cell.source
            assert "title" in cell.source, "a title says what there is to see"


@each
def test_pictures_in_prose_exist_and_have_a_description(path):
    for alt, source in re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", without_code(prose(read(path)))):
        assert (path.parent / source).is_file(), source
        assert len(alt) > 80 and re.search(r"\d", alt), "what it shows, in words and numbers"


@each
def test_amounts_in_prose_are_written_in_words(path):
    """JupyterLab reads two dollar signs in a paragraph as mathematics, also behind a backslash."""
    assert "$" not in without_code(prose(read(path)))


@each
def test_pictures_have_the_style_of_the_course(path):
    book = read(path)
    if any("helpers.show(" in cell.source for cell in code(book)):
        assert "plt.style.use(helpers.STYLE)" in "\n".join(cell.source for cell in code(book))


@each_lesson
def test_a_lesson_has_snippets(path):
    assert sum("snippet" in tags(cell) for cell in code(read(path))) >= 3


@each
def test_a_lesson_names_models_that_live(path):
    book = read(path)
    for cell in book.cells:
        texts = [cell.source] + [json.dumps(output) for output in cell.get("outputs", [])]
        found = [fault for text in texts for fault in problems(text, past="history" in tags(cell))]
        assert not found, f"{cell.id}: {found}"


def without_code(text):
    return re.sub(r"`[^`\n]*`", "", without_fences(text))


def without_fences(text):
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
