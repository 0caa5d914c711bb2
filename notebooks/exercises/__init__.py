"""Exercises that check themselves.

The checks of each lesson are plain functions in `lesson_NN.py`: each takes what you made and
returns what is wrong with it, or None where it is right. Read them, and change them for a class.

A solved exercise adds a line to `progress.jsonl` beside the notebooks. Git ignores that file.
"""

from __future__ import annotations

import datetime
import dis
import importlib
import inspect
import itertools
import json
import linecache
import os
import traceback
import unicodedata
from collections.abc import Callable, Iterable, Iterator, KeysView, ValuesView
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from .values import in_a_line, meant

NOTEBOOKS = Path(__file__).resolve().parent.parent
FILE = Path(os.environ.get("COURSE_PROGRESS") or NOTEBOOKS / "progress.jsonl")
NOT_YET = "Not yet: replace the ... and run the cell again."


class Exercise:
    """An exercise of a lesson. Call it with your answer; `hint()` shows one hint at a time."""

    def __init__(
        self,
        check: Callable[..., str | None],
        title: str,
        hints: Iterable[str],
        words: Iterable[Any] = (),
        takes_table: bool = False,
    ) -> None:
        self.check, self.title, self.hints, self.words = check, title, tuple(hints), tuple(words)
        self.takes_table = takes_table
        self.lesson = check.__module__.rpartition("lesson_")[2]
        self.name = check.__name__
        self.__doc__ = f"{title}."
        self._next_hint = 0

    def __call__(self, *answer: Any, **named: Any) -> None:
        """Print whether the answer is right, or what is wrong with it."""
        print(self.judge(*answer, **named))

    def judge(self, *answer: Any, **named: Any) -> str:
        """The line that a call prints. A right answer is also added to your progress."""
        try:
            inspect.signature(self.check).bind(*answer, **named)
        except TypeError:
            wanted = ", ".join(inspect.signature(self.check).parameters)
            return f"Pass the check your answer: {self.name}({wanted})."
        if is_open([answer, named]):
            return NOT_YET
        if not self.takes_table and any(map(is_table, (*answer, *named.values()))):
            return (
                "Not right yet. This is a DataFrame. Give plain Python, such as a list or a dict."
            )
        try:
            answer, named = plain(answer, self.words), plain(named, self.words)
            problem = self.check(*answer, **named)
        except Exception as error:
            problem = f"{whose(error)} {in_a_line(error)}"
        if problem is not None:
            return f"Not right yet. {problem}"
        return " ".join(["Right.", *add_to_progress(self)])

    def hint(self) -> None:
        """Print the next hint; after the last one, the last one again."""
        if not self.hints:
            print("There are no hints for this exercise. The solution is folded below it.")
            return
        number = min(self._next_hint, len(self.hints) - 1)
        self._next_hint += 1
        print(f"Hint {number + 1} of {len(self.hints)}: {self.hints[number]}")

    def __repr__(self) -> str:
        return f"<exercise {self.lesson} {self.name}: {self.title}>"


def exercise(
    title: str,
    hints: Iterable[str] = (),
    words: Iterable[Any] = (),
    takes_table: bool = False,
) -> Callable[[Callable[..., str | None]], Exercise]:
    """Make a function that judges an answer an exercise with a title and hints.

    words: what the answer consists of, where it may be written in another way, such as in capitals.
    takes_table: whether a DataFrame is a part of the answer.
    """
    return lambda check: Exercise(check, title, hints, words, takes_table)


def whose(error: Exception) -> str:
    """Who raised an error: the learner's code, with the line, or the check itself."""
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        if frame.f_globals.get("__name__") == "__main__":
            code = linecache.getline(frame.f_code.co_filename, line).strip()
            return f"Your line `{code}` raised" if code else "Your code raised"
    return "Checking this answer raised"


def is_open(answer: Any) -> bool:
    """Whether a ... is still in the answer, or is all that one of its functions does."""
    if answer is ...:
        return True
    if isinstance(answer, dict):
        return any(is_open(part) for part in (*answer.keys(), *answer.values()))
    if isinstance(answer, list | tuple | set):
        return any(map(is_open, answer))
    if inspect.isfunction(answer):
        *steps, end = dis.get_instructions(answer)
        done = {step.opname for step in steps} - {"RESUME", "LOAD_CONST", "NOP", "COPY_FREE_VARS"}
        returned = end if end.opname == "RETURN_CONST" else steps[-1]
        return not done and returned.argval is None
    return False


def is_table(answer: Any) -> bool:
    """Whether this is a DataFrame. pandas need not be imported to tell."""
    return type(answer).__module__.startswith("pandas") and hasattr(answer, "columns")


def plain(answer: Any, words: tuple[Any, ...] = ()) -> Any:
    """The same in Python's own lists, dicts and numbers, whatever library or iterator it comes from.

    words: see `exercise`.
    """
    if type(answer) is dict:
        return {plain(key, words): plain(value, words) for key, value in answer.items()}
    if type(answer) in (list, tuple):
        return type(answer)(plain(part, words) for part in answer)
    if type(answer) is set and words:
        return {meant(part, words) for part in answer}
    if hasattr(answer, "__enter__"):
        # An open stream or file is the learner's to read.
        return answer
    if isinstance(answer, Iterator | range | KeysView | ValuesView):
        # An endless one ends here.
        return plain(list(itertools.islice(answer, 10_000)), words)
    if isinstance(answer, Fraction | Decimal):
        return float(answer)
    if type(answer) is str and "\n" not in answer:
        # Some keyboards write è as two characters. A document keeps its places.
        answer = unicodedata.normalize("NFC", answer)
    if isinstance(answer, type) or not type(answer).__module__.startswith(("numpy", "pandas")):
        return meant(answer, words)
    # Tables and matrices are data: they stay as they are.
    if getattr(answer, "ndim", 2) > 1 and not str(getattr(answer, "dtype", "")).startswith("int"):
        return answer
    if hasattr(answer, "to_dict"):
        if str(answer.dtype) in ("str", "string"):
            # A Series of texts holds nan where a list has None.
            answer = answer.astype(object).where(answer.notna(), None)
        # A Series with names is a dict, one with places a list.
        if all(isinstance(name, str | float) for name in answer.index):
            return plain(answer.to_dict(), words)
    return plain(answer.tolist(), words)


def add_to_progress(solved: Exercise) -> list[str]:
    """Note the exercise as solved, once. Returns a warning if the file can't be written."""
    if (solved.lesson, solved.name) in read_progress(FILE):
        return []
    line = {"lesson": solved.lesson, "exercise": solved.name, "day": str(datetime.date.today())}
    try:
        # One short line at the end: also two notebooks at once lose nothing.
        with FILE.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
    except OSError as error:
        return [f"(Your progress was not saved: {error.strerror}.)"]
    return []


def read_progress(path: Path) -> dict[tuple[str, str], str]:
    """The day on which each (lesson, exercise) of a file was solved. Broken lines are left out."""
    solved: dict[tuple[str, str], str] = {}
    lines = path.read_text("utf-8", "replace").splitlines() if path.exists() else []
    for line in lines:
        try:
            part = json.loads(line)
            solved.setdefault((part["lesson"], part["exercise"]), part["day"])
        except (ValueError, TypeError, KeyError):
            continue
    return solved


def exercises() -> dict[str, list[Exercise]]:
    """The exercises of each lesson, by the lesson's number, in the order of its file."""
    found = {}
    for path in sorted(Path(__file__).parent.glob("lesson_*.py")):
        module = importlib.import_module(f".{path.stem}", __name__)
        number = path.stem.rpartition("_")[2]
        found[number] = [part for part in vars(module).values() if isinstance(part, Exercise)]
    return found


def progress() -> None:
    """Print what is solved in this folder, lesson by lesson, and where to go on."""
    solved, rest = read_progress(FILE), []
    for lesson, parts in exercises().items():
        done = [(lesson, part.name) in solved for part in parts]
        bar = "".join("■" if yes else "□" for yes in done)
        print(f"{lesson}  {sum(done):2} of {len(done):2}  {bar}")
        rest += [part for part, yes in zip(parts, done, strict=True) if not yes]
    if rest:
        print(f"Go on in lesson {rest[0].lesson}: {rest[0].title}.")
    else:
        print("All exercises are solved.")


def class_progress(paths: Iterable[Path | str]) -> Any:
    """How many exercises of each lesson are solved in each of these progress files.

    Returns: a pandas DataFrame with a row for each file, named by its stem, a column for each
    lesson, and the column `all`; the last row, `of`, counts the exercises there are.

    >>> class_progress(Path("handed_in").glob("*.jsonl"))  # ada.jsonl, grace.jsonl, ...
    """
    import pandas as pd

    known = exercises()
    rows = {
        Path(path).stem: {
            lesson: sum((lesson, part.name) in read for part in parts)
            for lesson, parts in known.items()
        }
        for path in sorted(map(Path, paths))
        for read in [read_progress(path)]
    }
    rows["of"] = {lesson: len(parts) for lesson, parts in known.items()}
    table = pd.DataFrame.from_dict(rows, orient="index")
    return table.assign(all=table.sum(axis=1))
