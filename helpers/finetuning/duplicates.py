"""Lines compared with one another: duplicates, contradictions, near-duplicates, leaks.

Candidates for near-duplicates are found by MinHash over word bigrams (rensa, in Rust); then the
exact share of bigrams in common decides. Only lines without problems of their own take part.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import operator
import re
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
from rensa import RMinHash  # type: ignore[import-untyped]

from .rules import Sample, normalize

HASHES, BAND = 32, 3
# Pairs with fewer hashes in common are not compared, so a lower threshold would find no more.
LOWEST = 0.5
# What lines are compared by. `line` is negative in the test file; `start` is the byte where it begins.
RECORD = np.dtype(
    [
        ("prompt", "u8"),
        ("answer", "u8"),
        ("line", "i8"),
        ("start", "i8"),
        ("sketch", "u1", (HASHES,)),
    ]
)
# Beyond ASCII, punctuation is removed and characters that are words of their own stand alone.
PUNCTUATION = re.compile(r"[^\w\x00-\x7f]")
WORD_CHARACTERS = re.compile("[\u0e00-\u0eff\u1000-\u109f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
ASCII_WORDS = bytes(c if c > 127 or chr(c).isalnum() else 32 for c in range(256))

Records = npt.NDArray[np.void]
Row = tuple[int, int, str, str]  # line, start, reason, detail


def check_threshold(near: float | None) -> None:
    """Raise ValueError for a threshold at which most near-duplicates would be missed."""
    if near is not None and not LOWEST <= near <= 1:
        raise ValueError(
            f"near is {near}: give {LOWEST} to 1, or None. Texts that share less are not compared."
        )


def make_records(samples: list[tuple[int, int, Sample]], near: bool) -> Records:
    """One record for each sample, given with its line and with the byte where that begins."""
    rows = [
        (_digest(prompt), _digest(answer), line, start, 0)
        for line, start, (prompt, answer, _) in samples
    ]
    records = np.array(rows, RECORD)
    if near and rows:
        records["sketch"] = sketch([sample.text for _, _, sample in samples])
    return records


def words(text: str) -> list[bytes]:
    """The words of a text in lower case, without punctuation."""
    if not text.isascii():
        text = WORD_CHARACTERS.sub(r" \g<0> ", PUNCTUATION.sub(" ", text))
    return text.lower().encode().translate(ASCII_WORDS).split()


def sketch(texts: list[str]) -> npt.NDArray[np.uint8]:
    """A row of hashes for each text: two texts have each in common as often as their bigrams."""
    bigrams = [list(map(operator.add, found, found[1:])) for found in map(words, texts)]
    rows = RMinHash.digest_matrix_from_token_byte_sets(bigrams, HASHES, 0).to_rows()
    return np.array(rows, np.uint32).astype(np.uint8)


def candidates(sketches: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Pairs of row numbers (earlier, later) that are worth comparing, ordered by the later one.

    Those that share a band of three hashes, each with the one before and with the first of those
    that share it, if half of all hashes are the same.
    """
    found, count = [np.empty(0, np.int64)], len(sketches)
    for begin in range(0, HASHES - BAND + 1, BAND):
        keys = sketches[:, begin : begin + BAND] @ np.array([1, 2**8, 2**16])
        order = np.argsort(keys, kind="stable")
        same = np.r_[False, keys[order[1:]] == keys[order[:-1]]][:count]
        at = np.flatnonzero(same)
        first = np.maximum.accumulate(np.where(same, 0, np.arange(count)))
        later = order[at]
        for earlier in (order[at - 1], order[first[at]]):
            equal = (sketches[earlier] == sketches[later]).sum(axis=1)
            found.append((later * count + earlier)[equal >= LOWEST * HASHES])
    both = np.unique(np.concatenate(found))
    return np.stack([both % max(count, 1), both // max(count, 1)], axis=1)


def similarity(one: str, two: str) -> float:
    """The share of word bigrams that two texts have in common (Jaccard), 0 to 1."""
    a, b = (set(itertools.pairwise(words(text))) for text in (one, two))
    return len(a & b) / max(1, len(a | b))


def near_duplicate_share(one: str, two: str, threshold: float) -> float:
    """Their similarity if it makes them near-duplicates, else 0.

    Texts that differ in a number have to share more, since they may be two cases of one template: a
    third of what the threshold leaves open, so 80% instead of 70%.
    """
    share = similarity(one, two)
    if any(word.isdigit() for word in {*words(one)} ^ {*words(two)}):
        threshold += (1 - threshold) / 3
    return share if share >= threshold else 0.0


def compare(
    records: Records, threshold: float | None, sample_of: Callable[[int, int], Sample]
) -> Iterator[Row]:
    """What is wrong with lines because of earlier ones. Records of the test file come first.

    threshold: of near-duplicates; None looks for none.
    sample_of: reads the sample of a line, given with the byte where it begins.
    """
    flagged = set()
    for row in _same_prompt(records, threshold, sample_of):
        flagged.add(row[0])
        yield row
    if not threshold:
        return
    rest = np.flatnonzero(~np.isin(records["line"], list(flagged)))
    numbers, starts = records["line"][rest], records["start"][rest]

    @functools.lru_cache(10)
    def text(row: int) -> str:
        return sample_of(int(numbers[row]), int(starts[row])).text

    # Of a near-duplicate, the row that it is compared with: chains count from their first line.
    originals: dict[int, int] = {}
    for earlier, row in candidates(records["sketch"][rest]).tolist():
        original = originals.get(earlier, earlier)
        if numbers[row] < 0 or row in originals:
            continue
        if share := near_duplicate_share(text(original), text(row), threshold):
            originals[row] = original
            line, other = int(numbers[row]), int(numbers[original])
            reason, where = (
                ("near-duplicate", "") if other > 0 else ("test leak", " of the test file")
            )
            detail = f"{share:.0%} of its word bigrams are those of line {abs(other)}{where}"
            yield line, int(starts[row]), reason, detail


def _same_prompt(
    records: Records, threshold: float | None, sample_of: Callable[[int, int], Sample]
) -> Iterator[Row]:
    """Lines with the prompt of an earlier one. Nearly the same answer counts as both."""
    order = np.argsort(records["prompt"], kind="stable")
    prompts = records["prompt"][order]
    again = prompts[1:] == prompts[:-1]
    member = (np.r_[again, False] | np.r_[False, again])[: len(order)]
    rows = (row.item() for row in records[order[member]])
    for _, group in itertools.groupby(rows, key=operator.itemgetter(0)):
        # Of each answer to this prompt, the first line that has it and where that begins.
        answers: dict[int, tuple[int, int]] = {}
        for _, answer, line, start, _ in group:
            first = next(iter(answers.values()), (line, start))
            same = answers.setdefault(answer, (line, start))
            if line < 0 or line == first[0]:
                continue
            mine = sample_of(line, start)
            if first[0] < 0:
                yield line, start, "test leak", f"line {-first[0]} of the test file has its prompt"
            elif line != same[0]:
                other = sample_of(*same)
                exact = (mine.prompt, mine.answer) == (other.prompt, other.answer)
                but = "" if exact else " but for whitespace or case"
                yield line, start, f"duplicate{but}", f"the same as line {same[0]}"
            else:
                yield line, start, "contradiction", f"line {first[0]} has another answer"
                share = near_duplicate_share(sample_of(*first).answer, mine.answer, threshold or 2)
                if share:
                    detail = (
                        f"{share:.0%} of its answer's word bigrams are those of line {first[0]}"
                    )
                    yield line, start, "near-duplicate", detail


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(normalize(text), digest_size=8).digest(), "little")
