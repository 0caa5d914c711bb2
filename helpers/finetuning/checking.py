"""`check` and `clean`: all lines of a file, one after the other or on many machines."""

from __future__ import annotations

import array
import base64
import collections
import contextlib
import itertools
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from .blocks import Found, Task, lines, look_at, sample_at
from .compare import Records
from .progress import progress_bar
from .report import Problem, Problems, Report
from .rules import KINDS, LONGEST, excerpt

CONTEXT = 32_768
BLOCK = 2 * 2**20
NEAR_LINES = 2_000_000


def check(
    path: str | os.PathLike[str],
    *,
    kind: str | None = None,
    context: int = CONTEXT,
    near: float | None = 0.7,
    near_lines: int = NEAR_LINES,
    test: str | os.PathLike[str] | None = None,
    dask: bool | str = False,
    progress: bool | None = None,
    block_size: int = BLOCK,
) -> Report:
    """Find all that is wrong in a file of training data: JSON Lines, in UTF-8, one sample a line.

    kind: "chat" ({"messages": […]}), "classifier" (text or messages, with labels) or "text" (for
    pre-training); without it each line is taken for what its names say, and mixtures are noted.
    context: the tokens that a sample may have. 32,768 is what mistral-finetune packs by default
    and the least context of Mistral's open models.
    near: the share of pairs of words (Jaccard; without case and punctuation) in common
    from which on lines are near-duplicates; None looks for none. System prompts don't count. One
    changed word in 15, or two in 25, leave some 75%; conversations that differ share 20% at most.
    Lines that differ in a number need 80% for 0.7: they may be two cases of one template.
    near_lines: how many good lines take part in that, each for 100 bytes of memory. The report
    says when there were more.
    test: another file, which must have no prompt and nearly no text in common with this one. What
    is wrong in that file itself, only a check of it tells.
    dask: True for the workers of the scheduler in the variable DASK_SCHEDULER (without it: of this
    machine), or a scheduler's address. The report is the same. All workers must have this module and
    see the file under the same path.
    progress: whether to show a bar; None: after two seconds, on a terminal or in a live notebook.
    block_size: bytes that are looked at in one go.

    Memory does not grow with the file: records to compare lines by, of 64 bytes each, and the
    problems are in temporary files. It grows with the length of a line (which is read up to 64 MiB),
    with `near_lines`, and by 64 bytes for each line that shares one and the same prompt.

    The reasons are in `REASONS`. They cover what mistral-finetune (2026-06-12) and the validators
    of mistral-common 1.13.1 refuse in fine-tuning mode, of all versions at once (content beside
    tool_calls, for one, v3 refuses and later ones don't), and these refuse less in some places:
    - two messages of one role in a row: mistral-common joins them, the chat templates of Mistral's
      models on Hugging Face refuse them; so, too, a user's message right after a tool's result,
      a system message that is not the first, and a beginning that is not system or user;
    - empty texts of system and user (a tool may return nothing): nobody means them;
    - ids of tool calls are 9 letters and digits as for v3, where v13 takes any; results must
      name their call; arguments must be a JSON object in text, and tools have a description, as
      mistral-finetune wants it;
    - `weight: true` and `"1"`, which pydantic turns into 1 and others don't (1.0 is fine), and
      samples with nothing but 0, which teach nothing;
    - parts of a message other than text and, from users, image_url: v3 knows no others;
    - repeated keys, secrets, duplicates and the like they don't look for.

    A line with a fault of its own is not compared with others. Of lines that are duplicates, or
    contradict one another in their last answer, the first is good and the later ones are reported.
    "The same" leaves weights, ids of calls and the order of keys out.

    Raises OSError for a file that can't be read, ValueError for a compressed one and for arguments
    that make no sense, ImportError for `dask` where it is not installed.
    """
    if kind is not None and kind not in KINDS:
        raise ValueError(f"kind is {kind!r}: give one of {', '.join(KINDS)}, or None.")
    if near is not None and not 0 < near <= 1:
        raise ValueError(f"near is {near}: give a similarity above 0 and up to 1, or None.")
    if context < 1 or block_size < 1:
        raise ValueError("context and block_size must be at least 1.")
    train = source_file(path)
    sources = [train] if test is None else [source_file(test), train]
    if len(sources) == 2 and train.samefile(sources[0]):
        raise ValueError(f"{train} can't be its own test file.")
    total = sum(source.stat().st_size for source in sources)
    problems, kinds = Problems(), collections.Counter[str]()
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        progress_bar(total, progress) as bar,
        _mapper(dask) as mapped,
    ):
        records = Records(Path(folder), total, near_lines if near else 0)
        for source in sources:
            size, count = source.stat().st_size, 0
            tasks = (
                Task(source, begin, min(begin + block_size, size), kind, context, near is not None)
                for begin in range(0, size, block_size)
            )
            for task, found in mapped(tasks):
                found.records["line"] += count
                if source is train:
                    problems.add(p._replace(line=p.line + count) for p in found.problems)
                    kinds += found.kinds
                else:
                    found.records["line"] *= -1
                records.add(found.records)
                count += found.lines
                bar.update(task.end - task.begin)
        flagged = array.array("q")
        problems.add(_compared(records.same(train, near), train, flagged))
        if near:
            problems.add(_compared(records.alike(near, flagged, (sources[0], train)), train))
    problems.sort()
    notes = []
    if next(lines(train, 0, 1), (0, b""))[1].strip() in (b"{", b"["):
        notes.append("it looks like JSON over many lines: each sample must be on one line")
    if len(kinds) > 1:
        notes.append("more than one format in one file: say which one you mean, as in kind='chat'")
    if near and records.count > near_lines:
        notes.append(
            f"near-duplicates were looked for in the first {near_lines:,} good lines only: "
            "raise near_lines (100 bytes of memory for each)"
        )
    blank = problems.counts().get("blank line", 0)
    return Report(train, count, count - problems.lines(), blank, kinds, problems, notes)


def _compared(
    rows: Iterable[tuple[int, int, str, str]], path: Path, flagged: array.array[int] | None = None
) -> Iterator[Problem]:
    for line, start, reason, detail in rows:
        if flagged is not None:
            flagged.append(line)
        yield Problem(line, reason, detail, excerpt(sample_at(path, start).text))


def clean(
    path: str | os.PathLike[str],
    out: str | os.PathLike[str],
    rejected: str | os.PathLike[str] | None = None,
    **options: Any,
) -> Report:
    """Write the good lines of a file into `out`, and the others with their reasons into `rejected`.

    rejected: "out.rejected.jsonl" for "out.jsonl" without it. Each of its lines is an object:
    `line` (from 1), `problems` (reason and detail) and the original, byte for byte: in `text`, or in
    `base64` where it is not UTF-8. Of lines over 64 MiB only `begins_at_byte` says where they are.
    options: those of `check`.

    The report counts the lines of both: `good` + `rejected` = `lines`; blank ones are rejected, too.
    Good lines stay as they are, byte for byte. Existing files are replaced, when all is written:
    an interrupted run changes nothing. Raises as `check` does, ValueError if two of the files are
    one, and RuntimeError if the source changed meanwhile.
    """
    source, good = source_file(path), Path(out)
    bad = Path(rejected) if rejected else good.with_suffix(".rejected.jsonl")
    named = [source, good, bad]
    if len({file.resolve() for file in named}) < 3 or any(
        a.exists() and b.exists() and a.samefile(b) for a, b in itertools.combinations(named, 2)
    ):
        raise ValueError("path, out and rejected must be three different files.")
    with replacing(good) as good_file, replacing(bad) as bad_file:
        before = _state(source)
        report = check(source, **options)
        problems = itertools.groupby(report.problems, key=lambda problem: problem.line)
        number, rest = next(problems, (0, iter(())))
        count = 0
        for count, (start, line) in enumerate(lines(source, 0, source.stat().st_size), 1):
            if count != number:
                good_file.write(line + b"\n")
                continue
            reasons = [{"reason": p.reason, "detail": p.detail} for p in rest]
            entry = {"line": count, "problems": reasons, **_original(line, start)}
            bad_file.write(json.dumps(entry, ensure_ascii=False).encode() + b"\n")
            number, rest = next(problems, (0, iter(())))
        if count != report.lines or _state(source) != before:
            raise RuntimeError(f"{source} changed while it was read: nothing was written.")
    return report


def _state(path: Path) -> tuple[int, int]:
    return path.stat().st_size, path.stat().st_mtime_ns


def _original(line: bytes, start: int) -> dict[str, Any]:
    """The line, byte for byte: as text, in base64 where it is none; of too long ones the place."""
    if len(line) > LONGEST:
        return {"begins_at_byte": start}
    try:
        return {"text": line.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(line).decode()}


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that takes its name when it is complete; if anything goes wrong, it never was."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def source_file(path: str | os.PathLike[str]) -> Path:
    """The file, if it can be read as lines. Raises OSError or ValueError saying what it is instead."""
    found = Path(path)
    if found.is_dir():
        raise IsADirectoryError(f"{found} is a folder: give a file of JSON Lines.")
    with found.open("rb") as file:
        begin = file.read(4)
    for magic, name in {b"\x1f\x8b": "gzip", b"PK\3\4": "zip", b"\x28\xb5\x2f\xfd": "zstd"}.items():
        if begin.startswith(magic):
            raise ValueError(f"{found} is compressed ({name}): unpack it first, as for a trainer.")
    return found


@contextlib.contextmanager
def _mapper(dask: bool | str) -> Iterator[Callable[[Iterable[Task]], Iterator[tuple[Task, Found]]]]:
    """What applies `look_at` to all tasks, in their order: here, or on a cluster of Dask's."""
    if dask:
        from .cluster import mapper

        with mapper("" if dask is True else dask) as mapped:
            yield mapped
    else:
        yield lambda tasks: ((task, look_at(task)) for task in tasks)
