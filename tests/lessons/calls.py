"""What the lessons asked when they ran, and what replay answered: the log of each notebook's kernel.

`conftest.py` names the log to the kernels of nbval, and `log_calls.py` writes it there. So
no lesson has to run a second time for the tests that look at its calls.
"""

import base64
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import httpx
import nbformat

from tests.tools import record

NOTEBOOKS = record.NOTEBOOKS
LESSONS = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb") if path.stem != record.SETUP_CHECK)
FOLDER = tempfile.TemporaryDirectory(prefix="calls-")


@dataclass(frozen=True)
class Call:
    """One answered request. `request` and `answer` are as in a recording; `tags` are the cell's."""

    tags: tuple[str, ...]
    request: dict
    status: int
    answer: dict
    upload: tuple[str, str] | None = None

    def to_httpx(self, key):
        """The same request, to be sent with this key."""
        body, headers, content = self.request["body"], {}, None
        if (kind := self.request.get("key")) != "none":
            headers["authorization"] = f"Bearer {'not-' if kind == 'other' else ''}{key}"
        if self.upload:
            headers["content-type"], content = self.upload[0], base64.b64decode(self.upload[1])
        elif body is not None:
            headers["content-type"], content = "application/json", json.dumps(body)
        url = f"https://api.mistral.ai{self.request['path']}"
        return httpx.Request(self.request["method"], url, headers=headers, content=content)


def log_of(lesson):
    return Path(FOLDER.name, f"{lesson}.jsonl")


def calls_of(lesson):
    """The calls of a lesson, in order; where this session has not run all its cells, it runs now."""
    book = nbformat.read(NOTEBOOKS / f"{lesson}.ipynb", as_version=4)
    if (calls := _read(lesson, book)) is None:
        log_of(lesson).unlink(missing_ok=True)
        record.run(
            book,
            MISTRAL_MODE="replay",
            MISTRAL_API_KEY="",
            MISTRAL_RECORDINGS=str(record.RECORDINGS),
            CALLS_LOG=str(log_of(lesson)),
        )
        calls = _read(lesson, book)
    return calls


def _read(lesson, book):
    """The calls, or None where cells are missing in the log."""
    cells = [cell for cell in book.cells if cell.cell_type == "code"]
    if not log_of(lesson).exists():
        return None
    tags = {cell.source: tuple(cell.metadata.get("tags", [])) for cell in cells}
    begun, calls = [], []
    for line in map(json.loads, log_of(lesson).read_text("utf-8").splitlines()):
        if "cell" in line:
            begun.append(line["cell"])
        elif begun[-1] in tags:  # not a solution, which may ask more
            calls.append(Call(tags=tags[begun[-1]], **line["call"]))
    return calls if [cell.source for cell in cells] == [s for s in begun if s in tags] else None
