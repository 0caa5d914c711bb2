"""Runs each exercise's solution, and answers that need the lesson, in the notebook's own kernel.

They follow the lesson's cells, so that no lesson has to run a second time.
"""

import importlib
import pkgutil
import re
from collections import defaultdict
from dataclasses import dataclass, field

import nbformat
from nbval.plugin import IPyNbCell

FOLDED = re.compile(
    r"<details><summary>Solution</summary>\n\n```python\n(.*?)\n```\n\n</details>", re.DOTALL
)
# A learner's solution may ask what no cell of the lesson asked.
ANSWER_ALL = """\
import os
os.environ["MISTRAL_STRICT"] = "0"
helpers.start("{lesson}")
from exercises import lesson_{number} as check
"""


@dataclass(frozen=True)
class Answers:
    """Answers to one exercise: right ones, and wrong ones with words of what the check says.

    An answer is a tuple of arguments for the check, or a cell's source to run after the lesson.
    """

    right: list
    wrong: list = field(default_factory=list)


def answers_of(number):
    """The `Answers` of a lesson's exercises, from `exercise_answers/lesson_NN.py`."""
    name = f"tests.lessons.exercise_answers.lesson_{number}"
    return importlib.import_module(name).ANSWERS


def numbers():
    """Of the lessons that have exercises with checks."""
    package = importlib.import_module("tests.lessons.exercise_answers")
    return [part.name[-2:] for part in pkgutil.iter_modules(package.__path__)]


def solutions(book):
    """(exercise, source) of each folded solution, in order."""
    name, found = None, []
    for cell in book.cells:
        name = cell.metadata.get("exercise", name)
        if cell.cell_type == "markdown" and (match := FOLDED.search(cell.source)):
            found.append((name, match[1]))
    return found


class Shown(IPyNbCell):
    """A cell that must show `words`, instead of an output stored in the notebook."""

    def compare_outputs(self, test, ref, skip_compare=None):
        text = "".join(output.get("text", "") for output in test)
        if self.words in text:
            return True
        self.comparison_traceback = [f"Shows {text!r}, and not {self.words!r}:\n{self.cell.source}"]
        return False


def add_solutions(items):
    """Add to each notebook its solutions and, in cells of code, its right and wrong answers."""
    books = defaultdict(list)
    for item in items:
        if isinstance(item, IPyNbCell):
            books[item.parent].append(item)
    for book, cells in books.items():
        number = book.path.stem[:2]
        if "objectives" not in book.nb.metadata:
            continue
        start = ANSWER_ALL.format(lesson=book.path.stem, number=number)
        runs = [("start", start, "Replay")]
        runs += [(f"solution {name}", source, "Right.") for name, source in solutions(book.nb)]
        for name, answers in answers_of(number).items():
            right = [source for source in answers.right if isinstance(source, str)]
            wrong = [pair for pair in answers.wrong if isinstance(pair[0], str)]
            runs += [(f"right {name}", source, "Right.") for source in right]
            runs += [(f"wrong {name}", source, words) for source, words in wrong]
        position = items.index(cells[-1]) + 1
        items[position:position] = [
            shown(book, len(cells) + number, *run) for number, run in enumerate(runs)
        ]


def shown(book, number, name, source, words):
    # nbval compares nothing for a cell without a count.
    cell = nbformat.v4.new_code_cell(source, execution_count=1)
    options = defaultdict(bool, check=True)
    item = Shown.from_parent(book, name=name, cell_num=number, cell=cell, options=options)
    item.words = words
    return item
