"""Prepare the book's pages for Sphinx: the lessons as they are stored, the map, and a page for each snippet.

    python book/sources.py FOLDER

The notebooks stay as they are; the copies in FOLDER say what Sphinx should fold and describe.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import Any, NamedTuple

import nbformat

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from tests.tools.snippets import NOTEBOOKS, Snippet, find_snippets  # noqa: E402

RUN = """:::{{admonition}} Run it
:class: run

`make lab` opens the course in JupyterLab; open `notebooks/{name}.ipynb` there. Change a cell, and run it again.
:::"""
ROW = "| [{0.number} {0.title}](notebooks/{0.name}.ipynb) | {0.what} | {0.minutes} |"
# In index.md: a list of lessons, by their numbers.
LIST = re.compile(r"@lessons ([\d ]+)$", re.MULTILINE)


class Lesson(NamedTuple):
    """What a lesson's first cell says of it. `needs` are the lessons it names, by file name."""

    name: str
    number: str
    title: str
    what: str
    minutes: int
    needs: list[str]

    @property
    def link(self) -> str:
        return f"[{self.number} {self.title}](notebooks/{self.name}.ipynb)"


def read_lesson(path: Path) -> Lesson:
    first = nbformat.read(path, as_version=4).cells[0].source
    title = re.match(r"# (\d\d) ([^:]+): (.+)", first)
    minutes = re.search(r"^\*\*(\d+) minutes\..*", first, re.MULTILINE)
    if not title or not minutes:
        raise ValueError(f"{path.name} doesn't begin with a title and its minutes")
    needs = re.findall(r"\]\((\d\d_\w+)\.ipynb\)", minutes[0])
    return Lesson(path.stem, *title.groups(), int(minutes[1]), needs)


def main(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "notebooks").mkdir(parents=True)
    paths = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
    lessons = [read_lesson(path) for path in paths]
    for path in paths:
        book = prepare(nbformat.read(path, as_version=4), path.stem)
        nbformat.write(book, folder / "notebooks" / path.name)
    for picture in NOTEBOOKS.glob("*/*.png"):
        copy = folder / "notebooks" / picture.relative_to(NOTEBOOKS)
        copy.parent.mkdir(exist_ok=True)
        shutil.copy(picture, copy)
    index = (HERE / "index.md").read_text("utf-8")
    (folder / "index.md").write_text(fill(index, lessons), "utf-8")
    (folder / "lessons.md").write_text(lessons_page(lessons), "utf-8")
    snippets = find_snippets()
    (folder / "snippets.md").write_text(snippets_page(snippets), "utf-8")
    (folder / "snippets").mkdir()
    for snippet in snippets:
        (folder / "snippets" / f"{snippet.name}.md").write_text(snippet_page(snippet), "utf-8")


def prepare(book: Any, name: str) -> Any:
    """A lesson for the book: hidden code is folded, figures have their descriptions."""
    for cell in book.cells:
        if cell.cell_type == "markdown":
            cell.source = cell.source.replace("](../README.md)", "](../index.md)")
        elif cell.cell_type == "code":
            if cell.metadata.get("jupyter", {}).get("source_hidden"):
                cell.metadata["tags"] = [*cell.metadata.get("tags", []), "hide-input"]
            texts = {
                output.metadata["image/png"]["alt"]
                for output in cell.outputs
                if "image/png" in output.get("data", {})
            }
            if texts:
                # The book takes one description from a cell.
                (text,) = texts
                cell.metadata["mystnb"] = {"image": {"alt": " ".join(text.split())}}
    run = nbformat.v4.new_markdown_cell(RUN.format(name=name))
    book.cells.insert(1, run)
    return book


def fill(index: str, lessons: list[Lesson]) -> str:
    """index.md with its lists of lessons and the learning map."""
    by_number = {lesson.number: lesson for lesson in lessons}

    def names(found: re.Match[str]) -> str:
        chosen = [by_number[number] for number in found[1].split()]
        minutes = sum(lesson.minutes for lesson in chosen)
        links = ", ".join(lesson.link for lesson in chosen)
        return f"{links}. {minutes} minutes."

    return LIST.sub(names, index).replace("@map", learning_map(lessons))


def learning_map(lessons: list[Lesson]) -> str:
    """Lessons in columns: each stands right of all that it builds on."""
    by_name = {lesson.name: lesson for lesson in lessons}
    depth: dict[str, int] = {}
    # A lesson names only earlier ones, so one pass is enough.
    for lesson in lessons:
        depth[lesson.name] = 1 + max((depth[name] for name in lesson.needs), default=0)
    lines = ["::::{container} learning-map"]
    for column in range(1, max(depth.values()) + 1):
        lines.append(":::{container} step")
        for lesson in lessons:
            if depth[lesson.name] == column:
                after = ", ".join(by_name[name].number for name in lesson.needs)
                lines += [f"- {lesson.link}" + (f" after {after}" if after else "")]
        lines += [":::"]
    return "\n".join([*lines, "::::"])


def lessons_page(lessons: list[Lesson]) -> str:
    rows = "\n".join(ROW.format(lesson) for lesson in lessons)
    pages = "\n".join(
        f"{lesson.number} {lesson.title} <notebooks/{lesson.name}>" for lesson in lessons
    )
    return f"""# Lessons

Each page is a notebook with its stored outputs: what you see here is what a run without a key prints.

| lesson | what you learn | minutes |
|---|---|---|
{rows}

```{{toctree}}
:hidden:

{pages}
```
"""


def snippets_page(snippets: list[Snippet]) -> str:
    """The list of tasks, lesson by lesson."""
    text = """# Snippets

Each task has a page with a program: copy it into a project and it works. They are also files, in the
course's folder `snippets`.
"""
    for lesson in dict.fromkeys(snippet.lesson for snippet in snippets):
        chosen = [snippet for snippet in snippets if snippet.lesson == lesson]
        tasks = "\n".join(f"- [{each.task}](snippets/{each.name}.md)" for each in chosen)
        text += f"\n## {chosen[0].title}\n\n{tasks}\n"
    pages = "\n".join(f"snippets/{snippet.name}" for snippet in snippets)
    return f"{text}\n```{{toctree}}\n:hidden:\n\n{pages}\n```\n"


def anchor(heading: str) -> str:
    """Where MyST finds a heading, as on GitHub."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def snippet_page(snippet: Snippet) -> str:
    """A task's page: the file that `make snippets` writes, what it needs, and where it is explained."""
    parts = [f"# {snippet.task}"]
    if snippet.packages:
        parts.append(f"```bash\npip install {' '.join(snippet.packages)}\n```")
    parts.append(f"````python\n{snippet.shown}\n````")
    parts += snippet.remarks
    parts.append(
        f"In the course it is the file `snippets/{snippet.file}`. Lesson {snippet.title} explains it: "
        f"[{snippet.section}](../notebooks/{snippet.lesson}.ipynb#{anchor(snippet.section)})."
    )
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
