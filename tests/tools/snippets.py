"""The index of snippets: each cell tagged `snippet` and the task it does, its metadata's `task`.

Cells of a lesson with the same task are one program; the first is tagged, and works alone. Its metadata
may also have a `note`: a sentence for those who copy it, such as how to call what it defines.

python tests/tools/snippets.py          write each to a file in snippets/, and the table in README.md anew
python tests/tools/snippets.py FOLDER   write the files to a folder, and nothing else
"""

from __future__ import annotations

import argparse
import ast
import itertools
import re
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import nbformat

ROOT = Path(__file__).resolve().parent.parent.parent
NOTEBOOKS, README, FOLDER = ROOT / "notebooks", ROOT / "README.md", ROOT / "snippets"
HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
DEFINITIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
HEAD = "| lesson | tasks |\n|---|---|\n"


def _with_extras() -> dict[str, str]:
    """Packages that the course installs with an extra, in quotes, as a shell wants them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    found = [re.match(r"([\w-]+)\[\w+\]", text) for text in project["dependencies"]]
    return {match[1]: f'"{match[0]}"' for match in found if match}


EXTRAS = _with_extras()


class Snippet(NamedTuple):
    """A program to copy. `title` is its lesson's, `section` the heading above its first cell."""

    task: str
    lesson: str
    title: str
    section: str
    source: str
    note: str = ""

    @property
    def name(self) -> str:
        """The name of its file and page, made of the task."""
        return "_".join(re.findall(r"[a-z0-9]+", self.task.lower()))

    @property
    def file(self) -> str:
        return f"{self.name}.py"

    @property
    def packages(self) -> list[str]:
        """What it imports beyond the standard library, by the names that pip knows."""
        modules: set[str] = set()
        for node in ast.walk(ast.parse(self.source)):
            if isinstance(node, ast.Import):
                modules |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                modules.add(node.module.partition(".")[0])
        names = sorted(name.replace("_", "-") for name in modules - sys.stdlib_module_names)
        return [EXTRAS.get(name, name) for name in names]

    @property
    def needs_key(self) -> bool:
        return "MISTRAL_API_KEY" in self.source

    @property
    def link(self) -> str:
        """Its link in README's table."""
        return f"[{self.task}](snippets/{self.file})"

    @property
    def shown(self) -> str:
        """The source as a file, which has to await and print what a notebook's last line shows."""
        last = ast.parse(self.source).body[-1]
        text = ast.get_source_segment(self.source, last) or ""
        if not isinstance(last, ast.Expr) or "print(" in text:
            return self.source
        if isinstance(last.value, ast.Await):
            text = f"asyncio.run({text.removeprefix('await ')})"
        before = self.source.splitlines()[: last.lineno - 1]
        return "\n".join([*before, f"print({text})"])

    @property
    def silent(self) -> str:
        """Why running the file prints nothing, or an empty string."""
        if "print(" in self.shown:
            return ""
        names = [node.name for node in ast.parse(self.source).body if isinstance(node, DEFINITIONS)]
        if names:
            return f"Running it prints nothing: it defines {' and '.join(names)}, for you to call."
        return "Running it prints nothing where there is a key: it is the start of a program."

    @property
    def remarks(self) -> list[str]:
        """What a person who copies it has to know, beside the packages."""
        key = "It reads your key from the environment variable MISTRAL_API_KEY."
        return [*filter(None, [key * self.needs_key, self.note or self.silent])]

    @property
    def program(self) -> str:
        """The file: the source under a comment that says where it is from and what it needs."""
        lines = [f"{self.task}.", f"From notebooks/{self.lesson}.ipynb, section “{self.section}”."]
        if self.packages:
            lines.append(f"Needs: pip install {' '.join(self.packages)}")
        lines += self.remarks
        return "".join(f"# {line}\n" for line in lines) + "\n" + self.shown + "\n"


def join(before: str, after: str) -> str:
    """Two cells as one program, with the blank lines that formatters want between them."""
    ends = ast.parse(before).body[-1], ast.parse(after).body[0]
    blank = 2 if any(isinstance(node, DEFINITIONS) for node in ends) else 1
    return before + "\n" * (blank + 1) + after


def find_snippets(folder: Path = NOTEBOOKS) -> list[Snippet]:
    """All snippets, in the order of the lessons. Raises KeyError for one without a task."""
    found: dict[tuple[str, str], Snippet] = {}
    for path in sorted(folder.glob("*.ipynb")):
        title = section = ""
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "markdown":
                for hashes, heading in HEADING.findall(FENCED.sub("", cell.source)):
                    title = heading.partition(":")[0] if hashes == "#" else title
                    section = heading
            elif "snippet" in cell.metadata.get("tags", []) or "task" in cell.metadata:
                place = path.stem, cell.metadata["task"]
                note = cell.metadata.get("note", "")
                if begun := found.get(place):
                    source = join(begun.source, cell.source)
                    found[place] = begun._replace(source=source, note=begun.note or note)
                else:
                    lesson, task = place
                    found[place] = Snippet(task, lesson, title, section, cell.source, note)
    return [*found.values()]


def rows(snippets: list[Snippet]) -> str:
    """README's table: a row for each lesson, so that its tasks are found at a glance."""
    text = ""
    for (title, lesson), tasks in itertools.groupby(
        snippets, lambda each: (each.title, each.lesson)
    ):
        links = " · ".join(task.link for task in tasks)
        text += f"| [{title}](notebooks/{lesson}.ipynb) | {links} |\n"
    return text


def with_table(readme: str, snippets: list[Snippet]) -> str:
    """README's text, with the table of these snippets."""
    before, _, rest = readme.partition(HEAD)
    after = re.sub(r"\A(\|.*\n)*", "", rest)
    return before + HEAD + rows(snippets) + after


def export(snippets: list[Snippet], folder: Path) -> None:
    """Write each snippet to a file of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    for snippet in snippets:
        (folder / snippet.file).write_text(snippet.program, "utf-8", newline="\n")
    print(f"{len(snippets)} snippets are in {folder}.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, help="default: snippets/, with the table")
    args = parser.parse_args()
    snippets = find_snippets()
    export(snippets, args.folder or FOLDER)
    if not args.folder:
        for old in set(FOLDER.glob("*.py")) - {FOLDER / snippet.file for snippet in snippets}:
            old.unlink()
        README.write_text(with_table(README.read_text("utf-8"), snippets), "utf-8", newline="\n")


if __name__ == "__main__":
    main()
