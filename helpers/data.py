"""Where the course's data is: beside this package in a clone, inside of it where it is installed."""

from pathlib import Path

_PACKAGE = Path(__file__).parent
_COPY = _PACKAGE / "_data"
# The project, with its `.env`: the clone, or else the folder in which Python was started.
PROJECT = Path.cwd() if _COPY.is_dir() else _PACKAGE.parent
DATA = _COPY if _COPY.is_dir() else PROJECT / "data"
