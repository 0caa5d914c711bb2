"""Runs a lesson's cells in this process, edited as a learner edits them."""

from __future__ import annotations

import contextlib
import functools
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import nbformat
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

ROOT = Path(__file__).parent.parent.parent
NOTEBOOKS = ROOT / "notebooks"


@functools.cache
def sources(name: str) -> dict[str, str]:
    """The code cells of a lesson, by id. Hundreds of tests open one: its file is read once."""
    book = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    return {cell.id: cell.source for cell in book.cells if cell.cell_type == "code"}


class Lesson:
    """A lesson and the variables that its cells have made so far."""

    def __init__(self, name: str) -> None:
        self.cells = dict(sources(name))
        self.shell = InteractiveShell.instance()
        # Nobody reads the file of a history, which each cell would be written to.
        self.shell.history_manager.enabled = False
        # It would collect garbage, which takes a fifth of a second after pandas has been imported.
        with mock.patch("gc.collect"):
            self.shell.reset(new_session=True)
        # As in Python's own `__main__`, which this replaces: processes that later tests start read it.
        self.shell.user_ns["__spec__"] = None

    @property
    def names(self) -> dict[str, Any]:
        return self.shell.user_ns

    def run(self, *names: str, **edits: str | tuple[str, str]) -> str:
        """Run these cells and return what they show; `last_error` is what they raised, if anything.

        edits: by a cell's id, with _ for -: its new source, or a pair (text before, text after).
        """
        shown = []
        self.last_error: BaseException | None = None
        for name in names:
            source = self.cells[name]
            edit = edits.get(name.replace("-", "_"))
            if isinstance(edit, tuple):
                assert edit[0] in source, f"{name} has no {edit[0]!r}"
                source = source.replace(*edit)
            elif edit is not None:
                source = edit
            with capture_output() as captured:
                done = self.shell.run_cell(source, store_history=True)
            shown.append(captured.stdout)
            shown += [str(output) for output in captured.outputs]
            if error := done.error_before_exec or done.error_in_exec:
                self.last_error = error
                shown.append(f"{type(error).__name__}: {error}")
                break
        return "\n".join(shown)

    def run_to(self, name: str, **edits: str | tuple[str, str]) -> str:
        """Run all cells up to this one, that one included."""
        order = list(self.cells)
        return self.run(*order[: order.index(name) + 1], **edits)


@contextlib.contextmanager
def in_notebooks(strict: bool = False) -> Iterator[None]:
    """Work in the notebooks' folder, with the offline API for what is not recorded unless `strict`."""
    here, before = Path.cwd(), os.environ.get("MISTRAL_STRICT")
    os.chdir(NOTEBOOKS)
    os.environ["MISTRAL_STRICT"] = "1" if strict else "0"
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        os.chdir(here)
        os.environ["MISTRAL_STRICT"] = before or "1"


Run = Callable[[str], Lesson]
