"""Samples as objects: made from pairs, read and written."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .files import replacing, source_file

if TYPE_CHECKING:
    import pandas as pd

Json = dict[str, Any]


def from_pairs(
    pairs: pd.DataFrame | Iterable[tuple[str, str] | Mapping[str, str]], system: str | None = None
) -> list[Json]:
    """Samples of the chat format from the older pairs of a prompt and a completion.

    pairs: a table or mappings with the columns `prompt` and `completion`, or tuples of both.
    system: a system prompt to put before each. Other columns are left out.

    Whitespace around both is removed, as such pairs often had a space or "###" to separate prompt
    and completion ("###" is kept: only you know whether it is a separator). Raises KeyError for
    missing columns, and ValueError with the pair's number (from 1) for what are not two texts.
    """
    rows = pairs.to_dict("records") if hasattr(pairs, "to_dict") else pairs
    samples = []
    for number, row in enumerate(rows, 1):
        pair = (row["prompt"], row["completion"]) if isinstance(row, Mapping) else row
        if not isinstance(pair, tuple | list) or len(pair) != 2 or not all(map(_is_text, pair)):
            raise ValueError(f"Pair {number} is not two texts: {pair!r:.100}")
        prompt, completion = pair
        messages = [{"role": "system", "content": system}] if system else []
        messages.append({"role": "user", "content": prompt.strip()})
        messages.append({"role": "assistant", "content": completion.strip()})
        samples.append({"messages": messages})
    return samples


def read(path: str | os.PathLike[str]) -> list[Json]:
    """The samples of a file of good lines, all in memory. Raises ValueError naming a bad line."""
    samples = []
    with source_file(path).open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                samples.append(json.loads(line))
            except (ValueError, RecursionError) as error:
                raise ValueError(
                    f"Line {number} of {path} is not JSON ({error}): use clean first."
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


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())
