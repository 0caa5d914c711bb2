"""Lines compared with one another: duplicates, contradictions, near-duplicates, leaks.

Only lines that are good in themselves take part. Those of the test file have negative numbers and
come first.
"""

from __future__ import annotations

import array
import functools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from . import near
from .blocks import RECORD, sample_at

PART = 64 * 2**20  # bytes of the file for one part of its records: some ten MB each in memory
SKETCH = np.dtype([(name, RECORD[name]) for name in ("line", "start", "sketch")])
Row = tuple[int, int, str, str]  # line, start, reason, detail


class Records:
    """The records of all good lines, in temporary files, those of one prompt together."""

    def __init__(self, folder: Path, size: int, near_lines: int) -> None:
        self._parts = [folder / f"part-{n}" for n in range(size // PART + 1)]
        self._sketches = folder / "sketches"
        self._sketches.touch()
        self._near_lines = near_lines
        self.count = 0

    def add(self, records: npt.NDArray[np.void]) -> None:
        """Take the records of the next lines."""
        part = records["prompt"] % len(self._parts)
        for number in np.unique(part):
            with self._parts[number].open("ab") as file:
                records[part == number].tofile(file)
        rows = np.empty(len(records), SKETCH)
        for name in SKETCH.fields or ():
            rows[name] = records[name]
        with self._sketches.open("ab") as file:
            rows[: max(0, self._near_lines - self.count)].tofile(file)
        self.count += len(records)

    def same(self, path: Path, threshold: float | None) -> Iterator[Row]:
        """Lines of the file with the prompt of an earlier one. Nearly the same answers count as both."""
        for part in self._parts:
            if not part.exists():
                continue
            records = np.fromfile(part, RECORD)
            order = np.argsort(records["prompt"], kind="stable")
            prompts = records["prompt"][order]
            again = prompts[1:] == prompts[:-1]
            member = np.r_[again, False] | np.r_[False, again]
            before, first, begin = None, 0, 0
            answers: dict[int, int] = {}
            words: set[int] = set()
            for row in records[order[member]]:
                prompt, answer, exact, line, start, _ = row.item()
                if prompt != before:
                    before, first, begin, answers, words = prompt, line, start, {}, set()
                if line < 0:
                    pass
                elif first < 0:
                    yield line, start, "test leak", f"line {-first} of the test file has its prompt"
                elif answer not in answers and answers:
                    yield line, start, "contradiction", f"line {first} has another answer"
                    one, other = (sample_at(path, at).answer for at in (begin, start))
                    if threshold and (share := near.enough(one, other, threshold)):
                        detail = (
                            f"{share:.0%} of its answer's pairs of words are those of line {first}"
                        )
                        yield line, start, "near-duplicate", detail
                elif answer in answers:
                    white = "" if exact in words else " but for white space or case"
                    yield line, start, f"duplicate{white}", f"the same as line {answers[answer]}"
                answers.setdefault(answer, line)
                words.add(exact)

    def alike(
        self, threshold: float, flagged: array.array[int], paths: Sequence[Path]
    ) -> Iterator[Row]:
        """Lines with nearly the words of an earlier one, but for those that are flagged already.

        paths: the test file's, or the file's own once more, and the file's.
        """
        rows = np.fromfile(self._sketches, SKETCH)
        if flagged:
            rows = rows[~np.isin(rows["line"], np.frombuffer(flagged, np.int64))]
        sketches = np.ascontiguousarray(rows["sketch"])
        numbers, starts = rows["line"].copy(), rows["start"].copy()
        del rows

        @functools.lru_cache(100)
        def text(row: int) -> str:
            return sample_at(paths[int(numbers[row] > 0)], int(starts[row])).text

        originals: dict[int, int] = {}  # of a near-duplicate, the row that it is nearly equal to
        for earlier, row in near.candidates(sketches).tolist():
            original, line = originals.get(earlier, earlier), int(numbers[row])
            if line < 0 or row in originals:
                continue
            if share := near.enough(text(original), text(row), threshold):
                originals[row] = original
                other = int(numbers[original])
                reason, where = (
                    ("near-duplicate", "") if other > 0 else ("test leak", " of the test file")
                )
                detail = f"{share:.0%} of its pairs of words are those of line {abs(other)}{where}"
                yield line, int(starts[row]), reason, detail
