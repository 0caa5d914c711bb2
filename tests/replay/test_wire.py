"""Answers stand in the file in short and come back to the last byte, in linear time."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from helpers.replay.wire import pack, to_body, to_events, to_pieces, unpack

FLOATS = st.floats(width=16, allow_nan=False, allow_infinity=False)


@pytest.mark.slow
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


EVENTS = b'data: {"a":1}\n\ndata: {"b":"\xc3\xa9\xe2\x80\xa8"}\n\ndata: [DONE]\n\n'


@given(st.lists(st.integers(0, len(EVENTS))))
def test_a_stream_comes_back_however_the_network_cut_it(cuts):
    places = [0, *sorted(cuts), len(EVENTS)]
    pieces = [(float(n), EVENTS[a:b]) for n, (a, b) in enumerate(itertools.pairwise(places))]
    events = to_events(pieces)
    assert [event["data"] for event in events] == [{"a": 1}, {"b": "é\u2028"}, "[DONE]"]
    assert b"".join(piece for _, piece in to_pieces({"events": events})) == EVENTS
    for event, end in zip(events, (15, 36, len(EVENTS)), strict=True):
        arrived = next(at for (at, _), b in zip(pieces, places[1:], strict=True) if b >= end)
        assert event["at"] == arrived


def test_streams_with_other_line_ends_are_cut_into_events_too():
    for end in (b"\r\n\r\n", b"\r\r", b"\n\n"):
        events = to_events([(0.0, EVENTS.replace(b"\n\n", end))])
        assert [event["data"] for event in events] == [{"a": 1}, {"b": "é\u2028"}, "[DONE]"]


def test_cutting_a_stream_into_events_takes_linear_time():
    """Neither CRLF nor one long event makes it look at a byte again for each new piece."""
    content = b'data: {"text":"' + b"x" * 1_000_000 + b'"}\r\n\r\n'
    looked_at = 0

    class Counted(bytes):
        def __add__(self, other):
            nonlocal looked_at
            looked_at += len(self) + len(other)
            return Counted(bytes.__add__(self, other))

    pieces = [(0.0, Counted(content[at : at + 100])) for at in range(0, len(content), 100)]
    (event,) = to_events(pieces)
    assert len(event["data"]["text"]) == 1_000_000
    assert looked_at == 0


def test_json_nested_too_deeply_is_kept_as_text():
    deep = "[" * 100_000
    assert to_body(deep.encode(), "application/json") == {"text": deep}
    assert to_events([(0.0, f"data: {deep}\n\n".encode())]) == [
        {"at": 0.0, "raw": f"data: {deep}\n\n"}
    ]


def test_half_a_surrogate_pair_comes_back_as_it_was():
    content = b'{"content":"\\ud83e"}'
    answer = to_body(content, "application/json")
    assert b"".join(piece for _, piece in to_pieces(answer)) == content
