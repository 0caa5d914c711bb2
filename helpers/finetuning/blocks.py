"""A part of a file: its lines, and what can be said of each of them alone."""

from __future__ import annotations

import collections
import dataclasses
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from .near import sketch
from .report import Problem
from .rules import LONGEST, Sample, excerpt, look, tight

RECORD = np.dtype(  # what other lines are compared by; `start` is where the line begins
    [(name, "u8") for name in ("prompt", "answer", "exact")]
    + [(name, "i8") for name in ("line", "start")]
    + [("sketch", "u1", (24,))]
)


@dataclasses.dataclass(frozen=True)
class Task:
    """Which bytes of which file to look at, and how."""

    path: Path
    begin: int
    end: int
    kind: str | None
    context: int
    near: bool


@dataclasses.dataclass
class Found:
    """What is in a block. Its lines are numbered from 1."""

    lines: int
    kinds: collections.Counter[str]
    problems: list[Problem]
    records: npt.NDArray[np.void]


def look_at(task: Task) -> Found:
    """Apply the rules to all lines that begin in a block."""
    kinds: collections.Counter[str] = collections.Counter()
    problems, rows, texts, number = [], [], [], 0
    for number, (start, line) in enumerate(lines(task.path, task.begin, task.end), 1):
        kind, faults, sample = look(line, task.kind, task.context)
        if kind:
            kinds[kind] += 1
        problems += [Problem(number, f.reason, f.detail, excerpt(f.excerpt)) for f in faults]
        if sample:
            exact = _digest(f"{sample.prompt}\2{sample.answer}".encode())
            prompt, answer = (_digest(tight(text)) for text in sample[:2])
            rows.append((prompt, answer, exact, number, start, 0))
            texts.append(sample.text)
    records = np.array(rows, RECORD)
    if task.near:
        records["sketch"] = sketch(texts)
    return Found(number, kinds, problems, records)


def lines(path: Path, begin: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Where each line begins and the line without its "\\n", for lines that begin in these bytes.

    Of lines longer than `LONGEST` only so much, and one byte more.
    """
    with path.open("rb", buffering=2**20) as file:
        start = begin
        if begin:  # the line that is under way belongs to the block before
            file.seek(begin - 1)
            start += _rest(file) - 1
        while start < end and (line := file.readline(LONGEST + 1)):
            length = len(line)
            if length > LONGEST and not line.endswith(b"\n"):
                length += _rest(file)
            yield start, line.removesuffix(b"\n")
            start += length


def sample_at(path: Path, start: int) -> Sample:
    """The sample of a good line that begins here."""
    with path.open("rb") as file:
        file.seek(start)
        line = file.readline().removesuffix(b"\n")
    _, _, sample = look(line, None, len(line) * 2)
    assert sample
    return sample


def _rest(file: BinaryIO) -> int:
    """Skip what is left of a line, and say how many bytes that was."""
    skipped = 0
    while piece := file.readline(2**20):
        skipped += len(piece)
        if piece.endswith(b"\n"):
            break
    return skipped


def _digest(data: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")
