"""Writes build/handout.html: a page to print for each lesson, from its title, objectives and recap."""

import html
import re
import sys
from pathlib import Path

import mistune
import nbformat

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from tests.tools.snippets import find_snippets  # noqa: E402

SNIPPETS = find_snippets()
PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>The Mistral API, by notebook: handout</title>
<style>
body {{ font: 11pt/1.45 Georgia, serif; max-width: 42em; margin: 2em auto; padding: 0 1em; }}
section {{ break-after: page; }} h1 {{ font-size: 1.5em; }} code {{ font-size: .9em; }}
table {{ border-collapse: collapse; }} td, th {{ border: 1px solid; padding: .2em .5em; }}
</style>
{lessons}
</html>
"""


def section(path):
    """A lesson's page: what it is for, what to remember, and the tasks that its snippets solve."""
    cells = nbformat.read(path, as_version=4).cells
    text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    recap = re.search(r"^## Recap\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    tasks = [
        f"- {each.task}: `snippets/{each.file}`" for each in SNIPPETS if each.lesson == path.stem
    ]
    parts = [cells[0].source, "## To remember", recap[1] if recap else ""]
    if tasks:
        parts += ["## To copy", "\n".join(tasks)]
    # Links to other notebooks lead nowhere on paper.
    words = re.sub(r"\[([^\]]+)\]\([^)]+\.ipynb[^)]*\)", r"\1", "\n\n".join(parts))
    return f'<section id="{html.escape(path.stem)}">{mistune.html(words)}</section>'


def main():
    lessons = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
    (target := ROOT / "build" / "handout.html").parent.mkdir(exist_ok=True)
    target.write_text(PAGE.format(lessons="\n".join(map(section, lessons))), "utf-8")
    print(f"{target.relative_to(ROOT)}: {len(lessons)} pages. Print it from a browser.")


if __name__ == "__main__":
    main()
