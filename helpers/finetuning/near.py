"""Near-duplicates: candidates by MinHash over pairs of words, then their exact similarity."""

from __future__ import annotations

import itertools
import re

import numpy as np
import numpy.typing as npt

HASHES, BAND = 24, 3
# One table for ASCII, in one pass. Beyond it, punctuation goes and signs that are words stand alone.
MARKS = re.compile(r"[^\w\x00-\x7f]")
SIGNS = re.compile("[\u0e00-\u0eff\u1000-\u109f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
WORDS = bytes(c if c > 127 or chr(c).isalnum() else 32 for c in range(256))
KEEP = np.array([256**n - 1 for n in range(9)], dtype="<u8")  # the first n bytes of eight
ODD = np.random.default_rng(0).integers(0, 2**31, HASHES, dtype=np.uint32) * 2 + 1
MIX = [np.uint64(n) for n in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)]
END = b" \1 \1 "  # two words that no text has: no pair of words crosses from text to text

Sketches = npt.NDArray[np.uint8]


def words(text: str) -> bytes:
    """The text in small letters, with blanks in place of punctuation."""
    if not text.isascii():
        text = SIGNS.sub(r" \g<0> ", MARKS.sub(" ", text))
    return text.lower().encode().translate(WORDS)


def sketch(texts: list[str]) -> Sketches:
    """A row of 24 bytes for each text: two texts share each byte as often as their pairs of words.

    Of each word the first eight bytes count here, which is enough to find candidates.
    """
    if not texts:
        return np.empty((0, HASHES), np.uint8)
    joined = b" " + b"".join(words(text) + END for text in texts) + b"\1" + bytes(8)
    letters = np.frombuffer(joined, np.uint8) > 32
    letters |= np.frombuffer(joined, np.uint8) == 1
    edges = np.flatnonzero(letters[1:] != letters[:-1]) + 1
    starts, ends = edges[::2], edges[1::2]
    eight = np.ndarray((len(joined) - 7,), "<u8", joined, strides=(1,))  # at every byte
    word = eight[starts] & KEEP[np.minimum(ends - starts, 8)]
    stops = np.flatnonzero(word == 1)[: 2 * len(texts) : 2]  # where each text has its first END
    word *= MIX[0]
    word ^= word >> np.uint64(29)
    pair = word[:-1] * MIX[1] + word[1:]
    pair ^= pair >> np.uint64(32)
    pair *= MIX[2]
    hashes = (pair >> np.uint64(32)).astype(np.uint32)
    bounds = np.empty(2 * len(stops), np.intp)
    bounds[::2] = np.r_[0, stops[:-1] + 2]
    bounds[1::2] = np.maximum(stops, bounds[::2] + 1)
    rows = np.empty((len(texts), HASHES), np.uint8)
    for column, factor in enumerate(ODD):
        rows[:, column] = np.minimum.reduceat(hashes * factor, bounds)[::2]
    return rows


def candidates(rows: Sketches) -> npt.NDArray[np.int64]:
    """Pairs of row numbers (earlier, later) that are worth a closer look, by the later one.

    Those that share one or two bands of three bytes, each with the one before and with the first of
    those that share them, if half of all bytes are the same. Of pairs that have 80% in common it
    finds some 99 of 100, of those with 70% some 96, with 60% some 80, of less alike ones few.
    """
    found, count = [np.empty(0, np.int64)], len(rows)
    parts = count // 250_000 + 1  # each sorted for itself, which takes less memory
    for one, two in itertools.combinations_with_replacement(range(0, HASHES, BAND), 2):
        part = rows[:, one] % parts
        for number in range(parts):
            some = np.flatnonzero(part == number)
            bands = np.zeros((len(some), 8), np.uint8)
            bands[:, :BAND] = rows[some, one : one + BAND]
            bands[:, BAND : 2 * BAND] = rows[some, two : two + BAND]
            keys = bands.view("<u8")[:, 0]
            order = np.argsort(keys, kind="stable")
            same = keys[order[1:]] == keys[order[:-1]]
            at = np.flatnonzero(same) + 1
            first = np.maximum.accumulate(np.where(np.r_[False, same], 0, np.arange(len(some))))
            later = some[order[at]]
            for earlier in (some[order[at - 1]], some[order[first[at]]]):
                equal = (rows[earlier] == rows[later]).sum(axis=1)
                found.append((later * count + earlier)[equal * 2 >= HASHES])
    both = np.unique(np.concatenate(found))
    return np.stack([both % max(count, 1), both // max(count, 1)], axis=1)


def similarity(one: str, two: str) -> float:
    """The share of pairs of words that two texts have in common (Jaccard), 0 to 1."""
    a, b = (set(itertools.pairwise(words(text).split())) for text in (one, two))
    return len(a & b) / max(1, len(a | b))


def enough(one: str, two: str, threshold: float) -> float:
    """Their similarity where it makes them near-duplicates, else 0.

    Texts that differ in a number have to share more, since they may be two cases of one template: a
    third of what the threshold leaves open, so 80% instead of 70%.
    """
    share = similarity(one, two)
    if any(word.isdigit() for word in {*words(one).split()} ^ {*words(two).split()}):
        threshold += (1 - threshold) / 3
    return share if share >= threshold else 0.0
