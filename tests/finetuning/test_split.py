"""split: what stays together, what is distributed evenly, what is refused."""

import collections

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import finetuning
from tests.finetuning.examples import good, save, speech


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=30, max_size=90), st.integers(0, 5), st.randoms())
def test_split_keeps_copies_together_whatever_the_order(numbers, seed, rng):
    samples = []
    for place, number in enumerate(numbers):
        text = speech(number) + " yes" * (place % 3 == 1)
        labels = {"mood": "good" if number % 3 else "bad"}
        samples.append({"text": text, "labels": labels, "place": place})
    try:
        parts = finetuning.split(samples, {"train": 0.7, "test": 0.3}, seed=seed)
    except ValueError as error:
        assert "Nothing is left" in str(error)
        return
    places = [s["place"] for part in parts.values() for s in part]
    assert sorted(places) == list(range(len(samples)))
    for part in parts.values():
        assert [s["place"] for s in part] == sorted(s["place"] for s in part)
    numbers_of = [{numbers[s["place"]] for s in part} for part in parts.values()]
    assert not numbers_of[0] & numbers_of[1]
    largest = max(collections.Counter(numbers).values())
    assert abs(len(parts["test"]) - 0.3 * len(samples)) <= largest
    mixed = rng.sample(samples, len(samples))
    again = finetuning.split(mixed, {"train": 0.7, "test": 0.3}, seed=seed)
    assert {s["place"] for s in again["test"]} == {s["place"] for s in parts["test"]}


def test_split_is_stratified_and_seeded():
    samples = [
        {"text": speech(n), "labels": {"mood": "rare" if n % 20 == 0 else "good"}}
        for n in range(400)
    ]
    parts = finetuning.split(samples, {"train": 0.8, "validation": 0.1, "test": 0.1})
    rare = {n: sum(s["labels"]["mood"] == "rare" for s in part) for n, part in parts.items()}
    sizes = {name: len(part) for name, part in parts.items()}
    assert sizes == {"train": 320, "validation": 40, "test": 40}
    assert rare == {"train": 16, "validation": 2, "test": 2}
    assert finetuning.split(samples, seed=1) != finetuning.split(samples, seed=0)
    # Computed once: the same on every machine and with every version of Python.
    assert [s["text"].split()[-1] for s in finetuning.split(samples[:40])["validation"]] == SPLIT


SPLIT = ["5", "13", "29", "32"]


def test_split_refuses_shares_and_samples_by_name(tmp_path):
    for parts in ({"train": 0.5}, {"train": 1.5, "test": -0.5}, {}):
        with pytest.raises(ValueError, match="add up to 1"):
            finetuning.split([good()], parts)
    with pytest.raises(ValueError, match="Nothing is left for validation"):
        finetuning.split([good()] * 50)
    with pytest.raises(ValueError, match="Sample 2 is not good"):
        finetuning.split([good(), {"messages": []}])
    with pytest.raises(ValueError, match="Nothing is left"):
        finetuning.split([])
    assert finetuning.split(save(tmp_path / "d.jsonl", *map(good, range(20))))["train"]
