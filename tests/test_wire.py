"""Vectors are short in a recording and come back to the last bit."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from helpers.replay.wire import pack, unpack

FLOATS = st.floats(width=16, allow_nan=False, allow_infinity=False)


@given(arrays(np.float16, st.integers(32, 64), elements=FLOATS))
def test_sixteen_bit_lists_come_back_exactly(values):
    answer = {"data": [{"embedding": values.astype(float).tolist()}]}
    packed = pack(answer)
    assert list(packed["data"][0]["embedding"]) == ["float16", "begins"]
    again = unpack(json.loads(json.dumps(packed)))
    assert np.array_equal(again["data"][0]["embedding"], answer["data"][0]["embedding"])


@pytest.mark.parametrize(
    "value",
    [
        [0.1] * 64,  # not a 16-bit float
        [0.5] * 8,  # short
        list(range(3000, 3100, 2)),
        ["a"] * 64,
        [None] * 64,
        [True] * 64,
        {"float16": "a field of somebody else's"},
        {"a": [{"b": None}], "c": 1e300},
    ],
)
def test_everything_else_stays_as_it_is(value):
    assert unpack(json.loads(json.dumps(pack(value)))) == value


def test_a_vector_is_short_and_shows_how_it_begins():
    packed = pack(np.linspace(-1, 1, 1024).astype(np.float16).astype(float).tolist())
    assert len(json.dumps(packed)) < 2800
    assert packed["begins"] == [-1.0, -0.998, -0.9961]
