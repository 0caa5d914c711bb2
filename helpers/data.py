"""Where the course's data is: beside this package in a clone, inside of it where it is installed."""

import csv
import functools
from pathlib import Path

_PACKAGE = Path(__file__).parent
_COPY = _PACKAGE / "_data"
# The project, with its `.env`: the clone, or else the folder in which Python was started.
PROJECT = Path.cwd() if _COPY.is_dir() else _PACKAGE.parent
DATA = _COPY if _COPY.is_dir() else PROJECT / "data"


@functools.cache
def read_table(name: str) -> list[dict[str, str]]:
    """The rows of a .csv file in the data's folder. They are shared: don't change them."""
    with (DATA / name).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))
