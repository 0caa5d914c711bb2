"""`split`: parts of the data that have no sample in common, nor two that are nearly the same."""

from __future__ import annotations

import collections
import hashlib
import json
import math
import os
from collections.abc import Callable, Iterable, Mapping

from ..reply import Json
from .duplicates import candidates, check_threshold, near_duplicate_share, sketch
from .rules import comparable, normalize
from .samples import read


def split(
    samples: Iterable[Json] | str | os.PathLike[str],
    parts: Mapping[str, float] | None = None,
    *,
    seed: int = 0,
    label: Callable[[Json], object] | None = None,
    near: float | None = 0.7,
) -> dict[str, list[Json]]:
    """Divide samples into parts, such as those for training and those for validation.

    samples: good ones, or the path of a file of them; all are held in memory.
    parts: the name and the share of each part, of the sum 1; {"train": 0.9, "validation": 0.1}
    without it.
    seed: another seed gives another division; the same one the same division on every machine,
    whatever the order of the samples.
    label: what to distribute evenly (of classifier rows: their `labels`, without it).
    near: samples at least so similar stay together, 0.5 to 1 as in `check`; None looks for none.
    Samples with the same prompt always stay together.

    Each part keeps the order of the samples, and misses its share by at most the largest group
    that has to stay together. Raises ValueError for shares that don't add up, for a
    wrong `near`, for what is not a good sample, and where a part would be empty.
    """
    parts = {"train": 0.9, "validation": 0.1} if parts is None else dict(parts)
    if not all(share > 0 for share in parts.values()) or not math.isclose(sum(parts.values()), 1):
        raise ValueError(f"The shares must be positive and add up to 1: {parts}")
    check_threshold(near)
    samples = read(samples) if isinstance(samples, str | os.PathLike) else list(samples)
    label = label or (lambda sample: sample.get("labels"))
    groups = [
        (json.dumps(label(samples[group[0]]), sort_keys=True, default=repr), lot, group)
        for lot, group in _groups(samples, seed, near)
    ]
    taken: dict[str, list[int]] = {name: [] for name in parts}
    done = 0
    # Label by label, and within a label in the seed's order, to the part that lacks most so far.
    for _, _, group in sorted(groups):
        done += len(group)
        name = max(parts, key=lambda name: parts[name] * done - len(taken[name]))
        taken[name] += group
    if empty := [name for name, numbers in taken.items() if not numbers]:
        raise ValueError(
            f"Nothing is left for {', '.join(empty)}: there are {len(samples)} samples in "
            f"{len(groups)} groups that have to stay together."
        )
    return {name: [samples[n] for n in sorted(numbers)] for name, numbers in taken.items()}


def _groups(samples: list[Json], seed: int, near: float | None) -> list[tuple[str, list[int]]]:
    """The numbers of samples that stay together, each group with a hash that the seed decides."""
    prompts, texts = [], []
    for number, sample in enumerate(samples, 1):
        try:
            prompt, _, text = comparable(sample)
        except (KeyError, TypeError, AttributeError, IndexError, RecursionError):
            raise ValueError(f"Sample {number} is not good: use check and clean first.") from None
        prompts.append(normalize(prompt))
        texts.append(text)
    # Of each sample, the number of one before it in its group.
    before = list(range(len(samples)))

    def root(number: int) -> int:
        while before[number] != number:
            number = before[number]
        return number

    firsts: dict[bytes, int] = {}
    for number, key in enumerate(prompts):
        before[number] = firsts.setdefault(key, number)
    for one, two in candidates(sketch(texts)).tolist() if near and texts else []:
        a, b = sorted((root(one), root(two)))
        if a != b and near_duplicate_share(texts[one], texts[two], near or 1):
            before[b] = a
    members: dict[int, list[int]] = collections.defaultdict(list)
    for number in range(len(samples)):
        members[root(number)].append(number)

    def lot(numbers: list[int]) -> str:
        first = min(prompts[number] for number in numbers)
        return hashlib.blake2b(f"{seed}\0".encode() + first, digest_size=16).hexdigest()

    return [(lot(numbers), numbers) for numbers in members.values()]
