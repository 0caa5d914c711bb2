"""Written answers: found, drawn, cut and put on the wire as the real API was recorded to do it."""

import collections
import json
import math
import random

import httpx
import pytest

import helpers
from helpers.offline import answers, bodies, recording, tokens
from helpers.offline.api import Api
from helpers.replay import seam

ENTRIES = [
    {"ask": "Count.", "answer": "1, 2, 3, 4"},
    {"ask": "Think.", "effort": "high", "thinking": "One and one is two.", "answer": "144"},
    {"ask": "Act.", "tool_call": {"name": "f", "arguments": '{"a": 1}'}},
    {
        "ask": "Draw.",
        "candidates": [{"text": t, "weight": w} for t, w in (("a", 6), ("b", 3), ("c", 1))],
    },
]
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


@pytest.fixture
def standing_in(monkeypatch):
    """`helpers` calls answered by the stand-in with `ENTRIES`."""
    monkeypatch.setattr(seam, "clock", seam.clock)
    monkeypatch.setenv("MISTRAL_API_KEY", recording.KEY)
    recording.install("02_first_call")
    stand_in = recording.StandIn("02_first_call")
    stand_in.api.entries = ENTRIES
    monkeypatch.setattr(
        httpx.HTTPTransport,
        "handle_request",
        lambda _, r: (r.read(), stand_in.respond(httpx, r))[1],
    )
    return stand_in


@pytest.mark.parametrize(
    ("temperature", "probabilities"),
    [(0, [1, 0, 0]), (1, [0.6, 0.3, 0.1]), (0.5, [36 / 46, 9 / 46, 1 / 46])],
)
def test_temperature_is_a_softmax_of_the_weights(temperature, probabilities):
    assert answers.soften([6, 3, 1], temperature) == pytest.approx(probabilities)


@pytest.mark.parametrize(
    ("top_p", "kept"),
    [(0.5, [0.6, 0, 0]), (0.6, [0.6, 0, 0]), (0.61, [0.6, 0.3, 0]), (1, [0.6, 0.3, 0.1])],
)
def test_top_p_keeps_the_most_likely(top_p, kept):
    assert answers.nucleus([0.6, 0.3, 0.1], top_p) == kept


@pytest.mark.slow
def test_draws_follow_the_weights(standing_in):
    drawn = collections.Counter(helpers.chat("Draw.", temperature=1).text for _ in range(1000))
    for text, chance in (("a", 0.6), ("b", 0.3), ("c", 0.1)):
        assert drawn[text] / 1000 == pytest.approx(
            chance, abs=4 * math.sqrt(chance * (1 - chance) / 1000)
        )


def test_a_seed_draws_the_same_and_calls_draw_anew(standing_in):
    assert len({helpers.chat("Draw.", temperature=1.5, random_seed=7).text for _ in range(20)}) == 1
    assert len({helpers.chat("Draw.", temperature=1.5).text for _ in range(20)}) > 1
    assert {helpers.chat("Draw.", temperature=0).text for _ in range(20)} == {"a"}


def test_n_answers_are_billed_together(standing_in):
    one, three = helpers.chat("Count."), helpers.chat("Count.", n=3)
    assert [choice["index"] for choice in three.raw["choices"]] == [0, 1, 2]
    assert three.usage.prompt_tokens == one.usage.prompt_tokens
    assert three.usage.completion_tokens == 3 * one.usage.completion_tokens


@pytest.mark.parametrize(
    ("params", "text", "finish"),
    [
        ({"max_tokens": 4}, "1, 2", "length"),
        ({"stop": "3"}, "1, 2, ", "stop"),
        ({"stop": ["x", ","]}, "1", "stop"),
    ],
)
def test_answers_are_cut(standing_in, params, text, finish):
    reply = helpers.chat("Count.", **params)
    assert (reply.text, reply.finish_reason) == (text, finish)
    assert reply.usage.completion_tokens == tokens.count(text) + (finish == "stop")


def test_a_stream_has_the_form_of_the_api(standing_in):
    stream = helpers.stream("Count.")
    assert "".join(stream) == "1, 2, 3, 4"
    first, *_, last = stream.reply.raw
    assert list(first) == ["id", "object", "created", "model", "choices"]
    assert first["choices"] == [
        {"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}
    ]
    assert all(bodies.PADDING.startswith(chunk["p"]) for chunk in stream.reply.raw[1:])
    assert list(last)[-2:] == ["usage", "p"]
    assert last["choices"][0]["finish_reason"] == "stop"
    assert stream.reply.usage == helpers.chat("Count.").usage


def test_some_streams_end_with_text_and_some_without(standing_in):
    """As recorded: 104 of 257 streams had text in their last chunk."""
    ends = set()
    for temperature in range(15):
        stream = helpers.stream("Count.", temperature=temperature / 10)
        assert "".join(stream) == "1, 2, 3, 4"
        ends.add(bool(stream.reply.raw[-1]["choices"][0]["delta"]["content"]))
    assert ends == {True, False}


def test_thinking_streams_as_lists_and_switches_within_a_chunk(standing_in):
    stream = helpers.stream("Think.", reasoning_effort="high")
    assert "".join(stream) == "144"
    assert stream.reply.thinking == "One and one is two."
    contents = [chunk["choices"][0]["delta"]["content"] for chunk in stream.reply.raw]
    both = [content for content in contents if isinstance(content, list) and len(content) > 1]
    assert [[part["type"] for part in content] for content in both] == [["thinking", "text"]]
    whole = helpers.chat("Think.", reasoning_effort="high")
    assert (whole.text, whole.thinking, whole.usage) == (
        "144",
        "One and one is two.",
        stream.reply.usage,
    )


@pytest.mark.parametrize(
    "ask", [helpers.chat, lambda *a, **k: [*(s := helpers.stream(*a, **k)), s.reply][-1]]
)
def test_tool_calls_come_whole(standing_in, ask):
    reply = ask("Act.", tools=[TOOL])
    (call,) = reply.tool_calls
    assert len(call["id"]) == 9 and call["id"].isalnum()
    assert call["function"] == {"name": "f", "arguments": '{"a": 1}'}
    assert (reply.text, reply.finish_reason) == ("", "tool_calls")


@pytest.mark.parametrize(
    ("messages", "params", "status", "says"),
    [
        ("Count.", {"seed": 1}, 422, "body.seed: Extra inputs are not permitted"),
        ("Count.", {"model": "mistral-tiny"}, 400, "Invalid model: mistral-tiny"),
        (["user", "assistant"], {}, 400, "Expected last role User or Tool"),
        (
            ["user", "assistant", "system"],
            {},
            400,
            "Unexpected role 'system' after role 'assistant'",
        ),
    ],
)
@pytest.mark.parametrize("ask", [helpers.chat, lambda *a, **k: list(helpers.stream(*a, **k))])
def test_it_refuses_what_the_api_refuses(standing_in, ask, messages, params, status, says):
    if isinstance(messages, list):
        messages = [{"role": role, "content": "x"} for role in messages]
    with pytest.raises(helpers.APIError, match=says) as error:
        ask(messages, **params)
    assert error.value.status == status


def test_tools_that_may_not_be_called_count_no_tokens():
    asked = {"model": "mistral-small-latest", "messages": [{"role": "user", "content": "Hello"}]}
    with_tools = {**asked, "tools": [TOOL]}
    plain = tokens.count_prompt(asked)
    assert tokens.count_prompt({**with_tools, "tool_choice": "none"}) == plain
    assert tokens.count_prompt({**with_tools, "tool_choice": "auto"}) > plain


def test_it_knows_only_its_own_key(standing_in, monkeypatch):
    monkeypatch.setenv("MISTRAL_API_KEY", "another")
    with pytest.raises(helpers.APIError, match="Invalid API Key"):
        helpers.chat("Count.")


def test_pieces_never_break_a_character():
    text = "🧀 Époisses, 北京, naïve — ½"
    for seed in range(20):
        rng = random.Random(seed)
        pieces = tokens.pieces(text, iter(lambda rng=rng: rng.randint(1, 3), None))
        assert "".join(pieces) == text
        assert "\ufffd" not in json.dumps(pieces, ensure_ascii=False)


def count_input(**body):
    """The offline API's answer to `POST /v1/responses/input_tokens`, as `api.Api` gives it."""
    request = {"method": "POST", "path": "/v1/responses/input_tokens", "body": body}
    return Api(["02_first_call"]).answer(request, bodies.Call.now()).body


def test_input_tokens_are_those_of_the_same_chat():
    model = "mistral-small-latest"
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]
    for more, messages in (({}, turns[1:]), ({"instructions": "Be brief."}, turns)):
        assert count_input(model=model, input="Hello", **more) == {
            "object": "response.input_tokens",
            "input_tokens": helpers.count_tokens(messages, model).tokens,
        }


@pytest.mark.parametrize(
    "body",
    [
        {"model": "mistral-small-latest", "input": [{"type": "input_file"}]},
        {"model": "mistral-small-latest", "input": "Hello", "tools": []},
        {"model": "mistral-small-latest", "input": "Hello", "instructions": None},
        {"model": "mistral-embed", "input": "Hello"},
        {"model": ["mistral-small-latest"], "input": "Hello"},
        {"model": "none", "input": "Hello"},
        {"input": "Hello"},
        {"model": "mistral-small-latest"},
    ],
)
def test_input_that_nobody_counts_here_is_a_miss(body):
    with pytest.raises(LookupError):
        count_input(**body)
