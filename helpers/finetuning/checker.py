"""`check` and `clean`: all lines of a file, on this machine or on many."""

from __future__ import annotations

import base64
import collections
import contextlib
import functools
import itertools
import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm  # type: ignore[import-untyped]

from ..atomic import replacing
from . import cluster
from .chats import VERSIONS
from .duplicates import Records, check_threshold, compare, make_records
from .files import LONGEST, lines, source_file, state
from .report import Problem, Report
from .rules import KEYS, Sample, check_line, excerpt

BLOCK = 2 * 2**20  # bytes that are checked in one go


class BlockResult(NamedTuple):
    """What is in a block. Its lines are numbered from 1."""

    lines: int
    kinds: collections.Counter[str]
    problems: list[Problem]
    records: Records


def check(
    path: str | os.PathLike[str],
    *,
    kind: str | None = None,
    context: int = 32_768,
    near: float | None = 0.7,
    test: str | os.PathLike[str] | None = None,
    version: str = "v15",
    dask: bool | str = False,
) -> Report:
    """Find everything that is wrong with a file of training data: JSON Lines, one sample a line.

    kind: "chat", "classifier" or "text"; without it each line is what its keys make it.
    context: the tokens that a sample may have.
    near: the share of word bigrams, 0.5 to 1, at or above which lines are near-duplicates; or None.
    test: another file, which must have no prompt and nearly no text in common with this one.
    version: of the validator in mistral-common: "v15" (Small 4, Medium 3.5), "v13", or older.
    dask: True or a scheduler's address, to divide the work over a cluster.

    README.md of this folder says what is checked, what is not, and how much memory it takes.
    Raises OSError for a file that can't be read, ValueError for one that is not text and for
    arguments that make no sense, RuntimeError if a file changes while it is read.
    """
    for name, value, known in (
        ("kind", kind, (None, *KEYS.values())),
        ("version", version, VERSIONS),
    ):
        if value not in known:
            raise ValueError(f"{name} is {value!r}: give one of {', '.join(map(str, known))}.")
    check_threshold(near)
    if not context or context < 1:
        raise ValueError(f"context is {context}: give a number of tokens, at least 1.")
    train = source_file(path)
    sources = [train] if test is None else [source_file(test), train]
    if len(sources) == 2 and train.samefile(sources[0]):
        raise ValueError(f"{train} can't be its own test file.")
    before = [state(source) for source in sources]
    records, problems, kinds = [make_records([], False)], [], collections.Counter[str]()
    look = functools.partial(
        check_block, kind=kind, context=context, version=version, near=near is not None
    )
    with _progress_bar(sum(size for size, _ in before)) as bar, cluster.mapper(dask) as mapped:
        for source, (size, _) in zip(sources, before, strict=True):
            count = 0
            blocks = ((source, at, min(at + BLOCK, size)) for at in range(0, size, BLOCK))
            for (_, begin, end), result in mapped(look, blocks):
                result.records["line"] += count
                if source is train:
                    problems += [p._replace(line=p.line + count) for p in result.problems]
                    kinds += result.kinds
                else:
                    result.records["line"] *= -1
                records.append(result.records)
                count += result.lines
                bar.update(end - begin)

    def sample_of(line: int, start: int) -> Sample:
        return _sample_at(sources[0] if line < 0 else train, start, version)

    together = np.concatenate(records)
    del records
    for line, start, reason, detail in compare(together, near, sample_of):
        problems.append(Problem(line, reason, detail, excerpt(sample_of(line, start).text)))
    if [state(source) for source in sources] != before:
        raise RuntimeError(f"{train} or its test file changed while it was read.")
    problems.sort(key=lambda problem: problem.line)
    return Report(train, count, kinds, problems, _notes(train, kinds))


def check_block(
    block: tuple[Path, int, int], kind: str | None, context: int, version: str, near: bool
) -> BlockResult:
    """Apply the rules to all lines that begin in a block: these bytes of this file."""
    number, kinds = 0, collections.Counter[str]()
    found, samples = [], []
    for number, (start, line) in enumerate(lines(*block), 1):
        its_kind, problems, sample = check_line(line, kind, context, version)
        if its_kind:
            kinds[its_kind] += 1
        found += [problem._replace(line=number) for problem in problems]
        if sample:
            samples.append((number, start, sample))
    return BlockResult(number, kinds, found, make_records(samples, near))


def clean(
    path: str | os.PathLike[str],
    out: str | os.PathLike[str],
    rejected: str | os.PathLike[str] | None = None,
    **options: Any,
) -> Report:
    """Write the good lines of a file to `out`, and the others with their reasons to `rejected`.

    rejected: "out.rejected.jsonl" for "out.jsonl" without it. Each of its lines is an object:
    `line` (from 1), `problems` (reason and detail) and the original, byte for byte: in `text`, or in
    `base64` if it is not UTF-8. Of lines over 16 MiB only `begins_at_byte` says where they are.
    options: those of `check`.

    `good` + `rejected` = `lines`, and good lines stay as they are, byte for byte. Files are replaced
    once everything is written: an interrupted run changes nothing. They keep their permissions.
    Raises as `check` does, and ValueError if two of the files are one.
    """
    source, good = source_file(path), Path(out)
    bad = Path(rejected) if rejected else good.with_suffix(".rejected.jsonl")
    for a, b in itertools.combinations((source, good, bad), 2):
        if a.resolve() == b.resolve() or (a.exists() and b.exists() and a.samefile(b)):
            raise ValueError("path, out and rejected must be three different files.")
    with replacing(good) as good_file, replacing(bad) as bad_file:
        before = state(source)
        report = check(source, **options)
        by_line = itertools.groupby(report.problems, key=lambda problem: problem.line)
        found = {line: list(problems) for line, problems in by_line}
        for number, (start, line) in enumerate(lines(source, 0, before[0]), 1):
            if number in found:
                reasons = [{"reason": p.reason, "detail": p.detail} for p in found[number]]
                entry = {"line": number, "problems": reasons, **_original(line, start)}
                bad_file.write(json.dumps(entry, ensure_ascii=False).encode() + b"\n")
            else:
                good_file.write(line + b"\n")
        if state(source) != before:
            raise RuntimeError(f"{source} changed while it was read: nothing was written.")
    return report


def _original(line: bytes, start: int) -> dict[str, Any]:
    """The line, byte for byte: as text, or in base64; of too long ones the place."""
    if len(line) > LONGEST:
        return {"begins_at_byte": start}
    with contextlib.suppress(UnicodeDecodeError):
        return {"text": line.decode()}
    return {"base64": base64.b64encode(line).decode()}


def _sample_at(path: Path, start: int, version: str) -> Sample:
    """The sample of a good line that begins here."""
    line = next(lines(path, start, start + 1), (0, b""))[1]
    sample = check_line(line, None, 2 * len(line), version)[2]
    if sample is None:
        raise RuntimeError(f"{path} changed while it was read.")
    return sample


def _notes(path: Path, kinds: collections.Counter[str]) -> list[str]:
    notes = []
    if next(lines(path, 0, 1), (0, b""))[1].strip() in (b"{", b"["):
        notes.append("it looks like JSON over many lines: each sample must be on one line")
    if len(kinds) > 1:
        notes.append("more than one format in one file: say which one you mean, as in kind='chat'")
    return notes


def _progress_bar(total: int) -> Any:
    """A bar in bytes, on a terminal only: in a notebook it would stay in the stored output."""
    wanted = os.environ.get("MISTRAL_PROGRESS")
    disable = wanted == "0" if wanted else None
    return tqdm(total=total, unit="B", unit_scale=True, delay=2, leave=False, disable=disable)
