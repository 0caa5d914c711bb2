"""Exercises: what they print, what they remember, and that right passes and wrong fails."""

import inspect
import itertools
import json
import re
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import exercises
import nbformat
import numpy as np
import pandas as pd
import pytest

from tests.lessons.solutions import answers_of, numbers, solutions

ROOT = Path(__file__).parent.parent.parent
BOOKS = {
    path.stem[:2]: nbformat.read(path, as_version=4)
    for path in sorted((ROOT / "notebooks").glob("*.ipynb"))
}
KNOWN = exercises.exercises()
each = pytest.mark.parametrize("number", numbers())


@pytest.fixture(autouse=True)
def progress_file(tmp_path, monkeypatch):
    monkeypatch.setattr(exercises, "FILE", tmp_path / "progress.jsonl")
    return exercises.FILE


@exercises.exercise("Add two numbers", hints=["Use +.", "Both of them."])
def total(a, b=1):
    if a + b != 3:
        return f"You have {a + b}."
    return None


total.lesson = "98"


def test_an_answer_is_right_wrong_or_still_open():
    assert total.judge(2) == "Right."
    assert total.judge(1, 1) == "Not right yet. You have 2."
    assert total.judge(...) == exercises.NOT_YET
    assert total.judge(2, b=...) == exercises.NOT_YET


@pytest.mark.parametrize(
    "answer", [{"model": ...}, [{"role": "user", "content": ...}], (1, ...), {...}]
)
def test_an_answer_with_a_placeholder_inside_is_open(answer):
    assert total.judge(answer) == exercises.NOT_YET


def test_a_function_is_open_until_it_does_something():
    def untouched(usage): ...

    def documented(usage):
        """Return the price."""

    def returns_none(usage):
        print(usage)

    assert total.judge(untouched) == total.judge(documented) == exercises.NOT_YET
    assert total.judge(returns_none) != exercises.NOT_YET
    assert total.judge(len) != exercises.NOT_YET


@pytest.mark.parametrize(
    ("answer", "same"),
    [
        ([np.int64(1), np.float64(0.5), np.True_, np.str_("a")], [1, 0.5, True, "a"]),
        (np.array([1.5, 2]), [1.5, 2.0]),
        (np.array([[0, 1], [2, 3]]), [[0, 1], [2, 3]]),
        (pd.Series([3, 4], index=[1, 0]), [3, 4]),
        (pd.Series({"A": True, "B": None}), {"A": True, "B": None}),
        ({"x": range(2), "y": zip("a", [1], strict=True)}, {"x": [0, 1], "y": [("a", 1)]}),
        (dict.fromkeys("ab").keys(), ["a", "b"]),
        ((Fraction(1, 4), Decimal("0.5")), (0.25, 0.5)),
        (itertools.repeat(1), [1] * 10_000),
        (pd.Series(["a", None]), ["a", None]),
        ({"cafe\u0301": "Tre\u0300s"}, {"caf\u00e9": "Tr\u00e8s"}),
    ],
    ids=[
        "numpy's scalars",
        "array",
        "matrix",
        "series",
        "named series",
        "iterators",
        "keys",
        "fractions",
        "without end",
        "series with a gap",
        "decomposed letters",
    ],
)
def test_an_answer_of_any_library_reaches_the_check_as_plain_python(answer, same):
    got = exercises.plain(answer)
    assert got == same
    assert repr(got) == repr(same), "of the same types"


@pytest.mark.parametrize(
    "answer", [pd.DataFrame({"a": [1]}), np.eye(2), np.exp, len, dict, None, "text", {1}], ids=repr
)
def test_tables_matrices_and_functions_reach_the_check_as_they_are(answer):
    assert exercises.plain(answer) is answer


def test_a_table_is_refused_in_words_unless_the_exercise_takes_one():
    table = pd.DataFrame({"a": [1, 2]})
    assert total.judge(table).startswith("Not right yet. This is a DataFrame. Give plain Python,")
    assert total.judge(2, b=table) == total.judge(table)
    takes = exercises.Exercise(lambda table: None, "x", [], takes_table=True)
    takes.lesson = "98"
    assert takes.judge(table) == "Right."


def test_a_document_keeps_its_places():
    """Lesson 10's chunks name theirs."""
    assert exercises.plain("Tre\u0300s\nbien") == "Tre\u0300s\nbien"


def test_an_error_of_several_lines_is_cut_to_one():
    def breaks(answer):
        raise ValueError("one\ntwo")

    assert exercises.Exercise(breaks, "x", []).judge(1).endswith("raised ValueError: one")


def test_an_error_in_the_answers_own_code_names_its_line(tmp_path):
    cell = tmp_path / "cell.py"
    cell.write_text("def summarize(answer):\n    return answer.choices  # of the SDK\n")
    learner = {"__name__": "__main__"}
    exec(compile(cell.read_text(), cell, "exec"), learner)
    call = exercises.Exercise(lambda summarize: summarize({}), "x", [])
    assert call.judge(learner["summarize"]) == (
        "Not right yet. Your line `return answer.choices  # of the SDK` raised "
        "AttributeError: 'dict' object has no attribute 'choices'"
    )


WORDS = ("Dask", "one process", "can't tell", True, None)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("dask", "Dask"),
        (["DASK ", " one  Process"], ["Dask", "one process"]),
        ({"a": "Can’t tell"}, {"a": "can't tell"}),
        ({"x": 1, "y": "yes"}, {"x": True, "y": True}),
        (("True", "None"), (True, None)),
        ({"dask"}, {"Dask"}),
        ("Dasks", "Dasks"),
        (2, 2),
        ("", ""),
    ],
)
def test_a_word_of_an_exercise_may_be_written_in_another_way(written, meant):
    got = exercises.plain(written, WORDS)
    assert got == meant
    assert repr(got) == repr(meant), "of the same types"
    assert exercises.plain(written) == written, "only where the exercise names its words"


def test_one_and_zero_stand_for_true_and_false_only_where_these_are_asked_for():
    assert exercises.plain([1, 0, 1.0], (True, False)) == [True, False, True]
    assert repr(exercises.plain([True, 1.0], (1, 2))) == "[True, 1]"


def test_no_exercise_has_words_that_differ_by_case_only():
    """Then it would not be clear which is meant."""
    for part in itertools.chain(*KNOWN.values()):
        spelled = [str(word).casefold() for word in part.words]
        assert len(set(spelled)) == len(spelled), part


def test_an_answer_that_breaks_the_check_is_reported_in_one_line():
    assert total.judge("2").startswith("Not right yet. Checking this answer raised TypeError: ")
    assert "\n" not in total.judge("2")


def test_a_check_without_an_answer_names_what_it_takes():
    assert total.judge() == "Pass the check your answer: total(a, b)."
    assert total.judge(1, 2, 3).startswith("Pass the check your answer")


def test_hints_come_one_at_a_time(capsys):
    for _ in range(3):
        total.hint()
    assert capsys.readouterr().out.splitlines() == [
        "Hint 1 of 2: Use +.",
        "Hint 2 of 2: Both of them.",
        "Hint 2 of 2: Both of them.",
    ]


def test_a_solved_exercise_is_noted_once(progress_file):
    total.judge(1)
    assert not progress_file.exists()
    total.judge(2)
    total.judge(2)
    (line,) = progress_file.read_text().splitlines()
    assert json.loads(line) == {"lesson": "98", "exercise": "total", "day": str(date.today())}


def test_progress_that_cannot_be_saved_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(exercises, "FILE", tmp_path)
    monkeypatch.setattr(exercises, "read_progress", lambda path: {})
    assert total.judge(2) == "Right. (Your progress was not saved: Is a directory.)"


def test_broken_lines_of_progress_are_left_out(progress_file):
    good = json.dumps({"lesson": "02", "exercise": "x", "day": "2026-11-24"})
    progress_file.write_text(f"{good}\n{good[:20]}\n[1]\n\n7\n", encoding="utf-8")
    assert exercises.read_progress(progress_file) == {("02", "x"): "2026-11-24"}


def test_progress_counts_and_says_where_to_go_on(progress_file, capsys, monkeypatch):
    first = exercises.Exercise(total.check, "First", [])
    second = exercises.Exercise(total.check, "Second", [])
    first.lesson, second.lesson, second.name = "02", "02", "other"
    monkeypatch.setattr(exercises, "exercises", lambda: {"02": [first, second]})
    first.judge(2)
    exercises.progress()
    second.judge(2)
    exercises.progress()
    assert capsys.readouterr().out.splitlines() == [
        "02   1 of  2  ■□",
        "Go on in lesson 02: Second.",
        "02   2 of  2  ■■",
        "All exercises are solved.",
    ]


def test_class_progress_has_a_row_for_each_file(tmp_path):
    number = numbers()[0]
    lines = [
        {"lesson": number, "exercise": part.name, "day": "2026-11-24"} for part in KNOWN[number]
    ]
    for name, solved in (("ada", lines), ("grace", lines[:1]), ("new", [])):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, solved)))
    table = exercises.class_progress(tmp_path.glob("*.jsonl"))
    assert list(table.index) == ["ada", "grace", "new", "of"]
    assert list(table[number]) == [len(lines), 1, 0, len(lines)]
    assert table["all"]["of"] == sum(map(len, KNOWN.values()))


@each
def test_each_exercise_has_right_and_wrong_answers(number):
    answers = answers_of(number)
    assert list(answers) == [part.name for part in KNOWN[number]], "in the file's order"
    for name, part in answers.items():
        assert part.right, name
        assert len(part.wrong) >= 2, f"{name}: two plausible wrong answers"


@each
def test_right_passes_and_wrong_is_told_why(number):
    """Answers in cells of code run after the lesson: see `solutions.py`."""
    problems = []
    for part in KNOWN[number]:
        answers = answers_of(number)[part.name]
        for right in answers.right:
            if isinstance(right, tuple) and part.judge(*right) != "Right.":
                problems.append(f"{part.name}{right!r}: {part.judge(*right)}")
        for wrong, words in answers.wrong:
            if isinstance(wrong, tuple):
                verdict = part.judge(*wrong)
                if not verdict.startswith("Not right yet.") or words not in verdict:
                    problems.append(f"{part.name}{wrong!r}: {verdict} (not: {words})")
    assert problems == []


def otherwise(answer, words):
    """The same answer, its words in capitals and with spaces, and yes and no for True and False."""
    if isinstance(answer, dict):
        return {otherwise(k, words): otherwise(v, words) for k, v in answer.items()}
    if isinstance(answer, list | tuple | set):
        return type(answer)(otherwise(part, words) for part in answer)
    if isinstance(answer, bool) and True in words:
        return "Yes" if answer else "no"
    return f" {answer.upper()}" if isinstance(answer, str) and answer in words else answer


@each
def test_right_answers_are_right_in_other_words(number):
    problems = []
    for part in [part for part in KNOWN[number] if part.words]:
        rights = [
            right for right in answers_of(number)[part.name].right if isinstance(right, tuple)
        ]
        for right in rights:
            written = otherwise(right, part.words)
            if part.judge(*written) != "Right.":
                problems.append(f"{part.name}{written!r}: {part.judge(*written)}")
    assert problems == []


@each
def test_odd_answers_are_refused_in_words(number):
    """Whatever stands in the cell, the check ends in one line and never says that it is right."""
    problems = []
    for part in KNOWN[number]:
        takes = len(inspect.signature(part.check).parameters)
        odds = (None, "", "x", -1, float("nan"), [], {}, [None], {"x": 1}, object(), len, b"x")
        tables = (pd.DataFrame({"x": [1, 2]}), pd.DataFrame([{"x": 1}]), pd.Series(["x", None]))
        for odd in (*odds, *tables):
            verdict = part.judge(*[odd] * takes)
            if verdict == "Right." or "\n" in verdict.strip():
                problems.append(f"{part.name}: {odd!r}: {verdict}")
        for table in tables:
            verdict = part.judge(*[table] * takes)
            if "Checking this answer raised" in verdict:
                problems.append(f"{part.name}: {table!r}: {verdict}")
    assert problems == []


@each
def test_the_notebook_has_each_exercise_with_its_starter_and_solution(number):
    book = BOOKS[number]
    cells = [cell for cell in book.cells if "exercise" in cell.metadata]
    names = [cell.metadata["exercise"] for cell in cells]
    assert names == [part.name for part in KNOWN[number]], "in the order of the file"
    assert [name for name, _ in solutions(book)] == names, "each is followed by its solution"
    for cell in cells:
        assert "exercise" in cell.metadata["tags"], cell.id
        text = "".join(output.get("text", "") for output in cell.outputs)
        assert text == exercises.NOT_YET + "\n", f"{cell.id} shows {text!r}"
        assert f"check.{cell.metadata['exercise']}(" in cell.source
    folded = "".join(source for _, source in solutions(book))
    assert "..." not in folded.replace("…", ""), "a solution leaves nothing open"


@each
def test_the_notebook_calls_each_exercise_by_its_title(number):
    """`progress` sends people to a title: they look for that heading."""
    headings, cells = {}, BOOKS[number].cells
    for before, cell in itertools.pairwise(cells):
        if "exercise" in cell.metadata:
            heading = re.findall(r"^###? (?:Exercise: )?(.+)$", before.source, re.MULTILINE)[-1]
            headings[cell.metadata["exercise"]] = heading.replace("`", "")
    assert headings == {part.name: part.title for part in KNOWN[number]}


@each
def test_each_objective_has_its_exercise_and_its_recap(number):
    book = BOOKS[number]
    ties = book.metadata["objectives"]
    first, text = book.cells[0].source, "\n".join(cell.source for cell in book.cells)
    recap = re.search(r"^## Recap\n(.*?)(?=^## )", text, re.DOTALL | re.MULTILINE)[1]
    assert [tie["objective"] for tie in ties] == re.findall(r"^- (\*\*.+)$", first, re.MULTILINE)
    problems = [tie["recap"] for tie in ties if f"- {tie['recap']}" not in recap.splitlines()]
    assert problems == [], "each stands as a line of the recap"
    used = [name for tie in ties for name in tie["exercises"]]
    assert all(tie["exercises"] for tie in ties)
    assert set(used) == {part.name for part in KNOWN[number]}
    minutes = int(re.search(r"\*\*(\d+) minutes", first)[1])
    assert len(KNOWN[number]) >= minutes // 10, "one exercise for ten minutes"
