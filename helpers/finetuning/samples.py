"""Samples as objects, read and written."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

from ..atomic import replacing
from ..reply import Json
from .files import source_file


def read(path: str | os.PathLike[str]) -> list[Json]:
    """The samples of a file of good lines, all in memory. Raises ValueError naming a bad line."""
    samples = []
    with source_file(path).open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                samples.append(json.loads(line))
            except (ValueError, RecursionError) as error:
                raise ValueError(
                    f"Line {number} of {path} is not JSON ({error}): correct or delete that line."
                ) from None
    return samples


def write(samples: Iterable[Json], path: str | os.PathLike[str]) -> int:
    """Write samples as JSON Lines in UTF-8, and return how many.

    An interrupted write changes nothing. Raises ValueError naming a sample that JSON can't hold.
    """
    count = 0
    with replacing(Path(path)) as file:
        for count, sample in enumerate(samples, 1):
            try:
                line = json.dumps(sample, ensure_ascii=False, allow_nan=False)
                file.write(line.encode() + b"\n")
            except (TypeError, ValueError, RecursionError) as error:
                raise ValueError(f"Sample {count} can't be written as JSON ({error}).") from None
    return count
