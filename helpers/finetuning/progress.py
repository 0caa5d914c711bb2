"""A bar for long work: on a terminal and in a live notebook, never in what is stored or tested."""

from __future__ import annotations

import os
import sys
from typing import Any

from tqdm import tqdm  # type: ignore[import-untyped]


def progress_bar(total: int, wanted: bool | None) -> Any:
    """A bar in bytes that appears after two seconds and is gone at the end.

    wanted: True and False decide; None leaves it to the variable MISTRAL_PROGRESS (1 or 0), and
    without it to whether somebody is watching.
    """
    if wanted is None and (said := os.environ.get("MISTRAL_PROGRESS")):
        wanted = said != "0"
    if wanted is None:
        wanted = sys.stderr.isatty() or _in_live_notebook()
    return tqdm(total=total, unit="B", unit_scale=True, delay=2, leave=False, disable=not wanted)


def _in_live_notebook() -> bool:
    """Whether a person runs this cell: recorders and checkers say that they can't answer `input`."""
    kernel = getattr(
        getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)(), "kernel", None
    )
    return bool(getattr(kernel, "_allow_stdin", False))
