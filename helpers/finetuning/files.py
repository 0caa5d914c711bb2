"""Files of lines: open only what is one, and read its lines in linear time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

LONGEST = 16 * 2**20  # bytes of a line that are read: parsed, they take 30 times as much memory
MAGIC = {
    b"\x1f\x8b": "compressed with gzip: unpack it first",
    b"PK\3\4": "compressed with zip: unpack it first",
    b"\x28\xb5\x2f\xfd": "compressed with zstd: unpack it first",
    b"BZh": "compressed with bzip2: unpack it first",
    b"\xfd7zXZ": "compressed with xz: unpack it first",
    b"PAR1": "a Parquet file: convert it to JSON Lines first",
}


def source_file(path: str | os.PathLike[str]) -> Path:
    """The file, if its lines can be read; raises OSError or ValueError with what it is instead."""
    found = Path(path)
    if found.is_dir():
        raise IsADirectoryError(f"{found} is a folder: give a file of JSON Lines.")
    if found.exists() and not found.is_file():
        raise ValueError(f"{found} is a pipe or a device: save its content to a file first.")
    with found.open("rb") as file:
        begin = file.read(6)
    for magic, what in MAGIC.items():
        if begin.startswith(magic):
            raise ValueError(f"{found} is {what}.")
    return found


def lines(path: Path, begin: int, end: int) -> Iterator[tuple[int, bytes]]:
    """The lines that begin in these bytes: where each begins, and the line without its "\\n".

    Of a line longer than `LONGEST`, the first LONGEST + 1 bytes. No byte is read twice, and none
    after `end` but those of the last line.
    """
    with path.open("rb", buffering=2**20) as file:
        file.seek(max(0, begin - 1))
        # The line that is under way at `begin` belongs to the block before.
        start = _skip_line(file, end) if begin else 0
        while start < end and (line := file.readline(LONGEST + 1)):
            yield start, line.removesuffix(b"\n")
            complete = line.endswith(b"\n") or len(line) <= LONGEST
            start = start + len(line) if complete else _skip_line(file, end)


def _skip_line(file: BinaryIO, end: int) -> int:
    """Go to where the next line begins, or to `end` if none begins before; return that place."""
    while (at := file.tell()) < end:
        piece = file.readline(min(2**20, end - at))
        if not piece or piece.endswith(b"\n"):
            break
    return file.tell()


def state(path: Path) -> tuple[int, int]:
    """What changes when a file is written to: its size in bytes and its time in nanoseconds."""
    now = path.stat()
    return now.st_size, now.st_mtime_ns
