"""Replace a file whole: a crash or a full disk leaves the old one."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows, which deletes no file that is open
    fcntl = None  # type: ignore[assignment]


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that gets its name once it is complete; until then, and after an error, the old one is there.

    It keeps the permissions of the file that it replaces; a new one gets those of the umask. A
    symbolic link is followed. What a killed run has left behind is removed. Raises OSError for a
    folder, a pipe or a device.
    """
    target = Path(os.path.realpath(path))
    old = target.stat() if target.exists() else None
    if old and not stat.S_ISREG(old.st_mode):
        raise OSError(f"{path} is a folder, a pipe or a device: give the name of a file.")
    _remove_leftovers(target)
    temporary = target.with_name(f".{target.name}-{os.urandom(4).hex()}.partial")
    try:
        handle = os.open(
            temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666
        )
        with os.fdopen(handle, "wb") as file:
            if old:
                os.chmod(temporary, stat.S_IMODE(old.st_mode))
            if fcntl:  # the sign that this run is alive
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield file
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _remove_leftovers(target: Path) -> None:
    """Remove the temporary files of runs that are over; a living one holds a lock on its own."""
    for left in target.parent.iterdir():
        if left.name.startswith(f".{target.name}-") and left.name.endswith(".partial"):
            # OSError: another run is still writing it
            with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
                if fcntl:
                    file = stack.enter_context(left.open("rb"))
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                left.unlink()
