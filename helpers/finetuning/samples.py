"""Samples as objects: read, written, made from pairs, and split without duplicates on both sides."""

from __future__ import annotations

import collections
import hashlib
import json
import math
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import near
from .checking import replacing, source_file
from .rules import comparable, tight

if TYPE_CHECKING:
    import pandas as pd

Json = dict[str, Any]


def from_pairs(
    pairs: pd.DataFrame | Iterable[tuple[str, str] | Mapping[str, str]], system: str | None = None
) -> list[Json]:
    """Samples of the chat format from the older pairs of a prompt and a completion.

    pairs: a table or mappings with the columns `prompt` and `completion`, or tuples of both.
    system: a system prompt to put before each. Other columns are left out.

    White space around both is taken away, as those pairs often had a blank or "###" to mark where
    the completion begins ("###" stays: whether it is a mark, you know). Raises KeyError for
    missing columns, and ValueError with the pair's number (from 1) for what are no two texts.
    """
    rows = pairs.to_dict("records") if hasattr(pairs, "to_dict") else pairs
    samples = []
    for number, row in enumerate(rows, 1):
        pair = (row["prompt"], row["completion"]) if isinstance(row, Mapping) else row
        if not isinstance(pair, tuple | list) or [len(pair), *map(_is_text, pair)] != [
            2,
            True,
            True,
        ]:
            raise ValueError(f"Pair {number} is not two texts: {pair!r:.100}")
        prompt, completion = pair
        messages = [{"role": "system", "content": system}] if system else []
        messages.append({"role": "user", "content": prompt.strip()})
        messages.append({"role": "assistant", "content": completion.strip()})
        samples.append({"messages": messages})
    return samples


def read(path: str | os.PathLike[str]) -> list[Json]:
    """The samples of a file of JSON Lines without faults, in memory. Raises ValueError naming a bad line."""
    samples = []
    with source_file(path).open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                sample = json.loads(line)
            except ValueError as error:
                raise ValueError(
                    f"Line {number} of {path} is not JSON ({error}): use clean first."
                ) from None
            samples.append(sample)
    return samples


def write(samples: Iterable[Json], path: str | os.PathLike[str]) -> int:
    """Write samples as JSON Lines in UTF-8, and return how many. An interrupted write leaves no file."""
    count = 0
    with replacing(Path(path)) as file:
        for sample in samples:
            line = json.dumps(sample, ensure_ascii=False, allow_nan=False)
            file.write(line.encode() + b"\n")
            count += 1
    return count


def split(
    samples: Iterable[Json] | str | os.PathLike[str],
    parts: Mapping[str, float] | None = None,
    *,
    seed: int = 0,
    label: Callable[[Json], object] | None = None,
    alike: float | None = 0.7,
) -> dict[str, list[Json]]:
    """Divide samples into parts, such as those to train on and those to judge by.

    samples: good ones, or the path of a file of them; all are held in memory.
    parts: the name and the share of each part, of the sum 1; {"train": 0.9, "validation": 0.1}
    without it.
    seed: another seed gives another division; the same one the same division on every machine,
    whatever the order of the samples.
    label: what to share out evenly (classifier rows: their `labels`, without it).
    alike: samples at least so similar stay together, as `check` finds them (its `near`); None for
    no such search. Samples of one prompt always stay together, so that none is in two parts.

    Each part keeps the order of the samples, and misses its share by no more than the largest
    group that has to stay together. Raises ValueError for shares that don't add up, for what is no
    sample, and where a part would be empty.
    """
    parts = {"train": 0.9, "validation": 0.1} if parts is None else dict(parts)
    if not all(share > 0 for share in parts.values()) or not math.isclose(sum(parts.values()), 1):
        raise ValueError(f"The shares must be positive and add up to 1: {parts}")
    if isinstance(samples, str | os.PathLike):
        samples = read(samples)
    samples = list(samples)
    label = label or (lambda sample: sample.get("labels"))
    groups = [
        (json.dumps(label(samples[group[0]]), sort_keys=True, default=repr), mark, group)
        for mark, group in _groups(samples, seed, alike)
    ]
    taken: dict[str, list[int]] = {name: [] for name in parts}
    done = 0
    # Label by label, and of each label in the seed's order, to the part that lacks most by then.
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


def _groups(samples: list[Json], seed: int, alike: float | None) -> list[tuple[str, list[int]]]:
    """The numbers of samples that stay together, and for each group a mark that the seed decides."""
    prompts: list[bytes] = []
    texts = []
    for number, sample in enumerate(samples, 1):
        try:
            prompt, _, text = comparable(sample)
        except (KeyError, TypeError, AttributeError, IndexError):
            raise ValueError(f"Sample {number} has faults: use check and clean first.") from None
        prompts.append(tight(prompt))
        texts.append(text)
    group = list(range(len(samples)))  # of each sample the number of one before it in its group

    def root(number: int) -> int:
        while group[number] != number:
            number = group[number]
        return number

    firsts: dict[bytes, int] = {}
    for number, words in enumerate(prompts):
        group[number] = firsts.setdefault(words, number)
    pairs = near.candidates(near.sketch(texts)).tolist() if alike else []
    for one, two in pairs:
        a, b = sorted((root(one), root(two)))
        if a != b and near.enough(texts[one], texts[two], alike or 1):
            group[b] = a
    members: dict[int, list[int]] = collections.defaultdict(list)
    for number in range(len(samples)):
        members[root(number)].append(number)

    def mark(numbers: list[int]) -> str:
        first = min(prompts[number] for number in numbers)
        return hashlib.blake2b(f"{seed}\0".encode() + first, digest_size=16).hexdigest()

    return [(mark(numbers), numbers) for numbers in members.values()]


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())
