"""Written answers: found, drawn, cut and put on the wire as the real API was recorded to do it."""

import base64
import collections
import io
import json
import math
import random
from pathlib import Path

import httpx
import pytest
from PIL import Image

import helpers
from helpers.offline import answers, bodies, tokens
from helpers.offline.api import Api
from helpers.replay import seam
from tests.tools import stand_ins

ENTRIES = [
    {"ask": "Count.", "answer": "1, 2, 3, 4"},
    {"ask": "Think.", "effort": "high", "thinking": "One and one is two.", "answer": "144"},
    {"ask": "Act.", "tool_call": {"name": "f", "arguments": '{"a": 1}'}},
    {
        "ask": "Act twice.",
        "tools": ["f"],
        "tool_calls": [
            {"name": "f", "arguments": '{"a": 1}'},
            {"name": "invented", "arguments": '{"b": [1, 2, 3]}'},
        ],
    },
    {"ask": "Act twice.", "tools": ["f"], "results": ["19", "no such tool"], "answer": "Nineteen."},
    {"ask": "Hello.", "tools": ["f"], "answer": "Hello."},
    {"ask": "Hello.", "choice": "any", "tool_call": {"name": "f", "arguments": "{}"}},
    {"ask": "Sort it.", "formats": ["json_object", "json_schema"], "answer": '{"label": "rental"}'},
    {"holds": ["is wrong", "label"], "after": ["Sort it."], "answer": "Sorry."},
    {"ask": "What is this?", "picture": "tickets_chart.png", "answer": "A chart."},
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
    monkeypatch.setenv("MISTRAL_API_KEY", stand_ins.KEY)
    stand_ins.install("02_first_call")
    stand_in = stand_ins.StandIn("02_first_call")
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


@pytest.mark.parametrize(
    ("most", "thinking", "text", "finish"),
    [
        (1, "One", "", "length"),
        (3, "One and", "", "length"),
        (8, "One and one is two.", "", "length"),
        (9, "One and one is two.", "1", "length"),
        (12, "One and one is two.", "144", "stop"),
    ],
)
def test_max_tokens_caps_thinking_and_answer_together(standing_in, most, thinking, text, finish):
    stream = helpers.stream("Think.", reasoning_effort="high", max_tokens=most)
    assert "".join(stream) == text
    whole = helpers.chat("Think.", reasoning_effort="high", max_tokens=most)
    for reply in (stream.reply, whole):
        assert (reply.thinking, reply.text, reply.finish_reason) == (thinking, text, finish)
        assert reply.usage.completion_tokens == (most if finish == "length" else 12)


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


def conversation(ask, calls, results):
    """The messages up to the results of these calls."""
    found = [{"role": "user", "content": ask}]
    found.append({"role": "assistant", "content": "", "tool_calls": calls})
    for call, result in zip(calls, results, strict=True):
        found.append({"role": "tool", "tool_call_id": call["id"], "content": result})
    return found


@pytest.mark.parametrize(
    "ask", [helpers.chat, lambda *a, **k: [*(s := helpers.stream(*a, **k)), s.reply][-1]]
)
def test_parallel_calls_come_together_with_their_places(standing_in, ask):
    reply = ask("Act twice.", tools=[TOOL])
    assert [call["function"]["name"] for call in reply.tool_calls] == ["f", "invented"]
    assert [call["index"] for call in reply.tool_calls] == [0, 1]
    assert len({call["id"] for call in reply.tool_calls}) == 2
    (only,) = ask("Act twice.", tools=[TOOL], parallel_tool_calls=False).tool_calls
    assert only["function"]["name"] == "f"


def test_a_written_answer_follows_the_results_that_it_is_written_for(standing_in):
    calls = helpers.chat("Act twice.", tools=[TOOL]).tool_calls
    right = conversation("Act twice.", calls, ['{"n": 19}', "no such tool: invented"])
    assert helpers.chat(right, tools=[TOOL]).text == "Nineteen."
    for results in (["20", "no such tool"], ["no such tool", "19"]):
        with pytest.raises(LookupError):
            helpers.chat(conversation("Act twice.", calls, results), tools=[TOOL])


def test_calls_are_cut_by_max_tokens_within_their_arguments(standing_in):
    problems = []
    whole = helpers.chat("Act twice.", tools=[TOOL])
    for limit in range(4, whole.usage.completion_tokens + 2):
        reply = helpers.chat("Act twice.", tools=[TOOL], max_tokens=limit)
        cut = limit < whole.usage.completion_tokens
        arguments = [call["function"]["arguments"] for call in reply.tool_calls]
        whole_arguments = [call["function"]["arguments"] for call in whole.tool_calls]
        alike = [w.startswith(a) for a, w in zip(arguments, whole_arguments, strict=False)]
        if reply.finish_reason != ("length" if cut else "tool_calls") or not all(alike):
            problems.append((limit, reply))
        if not cut and arguments != whole_arguments:
            problems.append((limit, arguments))
    assert problems == []


@pytest.mark.parametrize(
    ("choice", "called"),
    [
        ("auto", []),
        ("any", ["f"]),
        ("required", ["f"]),
        ({"type": "function", "function": {"name": "f"}}, ["f"]),
    ],
)
def test_tool_choice_decides_whether_a_tool_is_called(standing_in, choice, called):
    reply = helpers.chat("Hello.", tools=[TOOL], tool_choice=choice)
    assert [call["function"]["name"] for call in reply.tool_calls] == called
    assert bool(reply.text) != bool(called)


def test_without_the_tools_that_it_needs_no_answer_is_found(standing_in):
    other = {"type": "function", "function": {"name": "g", "parameters": {}}}
    named_other = {"type": "function", "function": {"name": "g"}}
    for params in (
        {},
        {"tools": [other]},
        {"tools": [TOOL], "tool_choice": "none"},
        {"tools": [TOOL, other], "tool_choice": named_other},
    ):
        with pytest.raises(LookupError):
            helpers.chat("Act.", **params)
    assert helpers.chat("Act.", tools=[other, TOOL]).tool_calls


def test_an_answer_in_json_fits_the_schema_of_the_request(standing_in):
    def asked(schema):
        form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
        return helpers.chat("Sort it.", response_format=form).text

    string = {"type": "string"}
    assert asked({"type": "object", "required": ["label"]}) == '{"label": "rental"}'
    for schema in (
        {"type": "object", "required": ["label", "age"]},
        {"type": "object", "properties": {"label": {"enum": ["repair"]}}},
        {"type": "object", "properties": {"age": string}, "additionalProperties": False},
        {"type": "none of these"},
    ):
        with pytest.raises(LookupError):
            asked(schema)
    assert helpers.chat("Sort it.", response_format={"type": "json_object"}).text


def test_an_answer_may_depend_on_parts_of_the_last_message(standing_in):
    talk = [{"role": role, "content": "Sort it."} for role in ("user", "assistant")]
    reply = {"role": "user", "content": "The label is wrong."}
    assert helpers.chat([*talk, reply]).text == "Sorry."
    with pytest.raises(LookupError):
        helpers.chat([*talk, {**reply, "content": "The label is fine."}])
    with pytest.raises(LookupError):
        helpers.chat([reply])


def shows(address):
    parts = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": address}]
    return [{"role": "user", "content": parts}]


def address_of(content):
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


CHART = (Path(__file__).parent.parent.parent / "data" / "tickets_chart.png").read_bytes()


def test_a_picture_is_answered_where_it_is_the_one_of_the_answer(standing_in):
    reply = helpers.chat(shows(address_of(CHART)))
    assert reply.text == "A chart."
    assert helpers.chat(shows({"url": address_of(CHART)})).usage == reply.usage
    for other in ("https://example.com/a.png", address_of(b"x"), "data:image/png;base64,?"):
        with pytest.raises(LookupError):
            helpers.chat(shows(other))
    with pytest.raises(LookupError):
        helpers.chat("What is this?")


def test_the_pixels_of_a_picture_are_counted(standing_in):
    width, height = Image.open(io.BytesIO(CHART)).size
    body = {"model": "mistral-large-latest", "messages": shows(address_of(CHART))}
    alone = {**body, "messages": [{"role": "user", "content": "What is this?"}]}
    picture = tokens.count_prompt(body) - tokens.count_prompt(alone)
    assert picture == tokens.count_picture(width, height) > 100
    assert tokens.count_prompt({**body, "messages": shows("https://example.com/a.png")}) < picture


@pytest.mark.parametrize(
    ("width", "height", "recorded"),
    [
        # Prompt tokens of the real API less those of the text: public recorded traffic.
        (60, 30, 8),
        (240, 278, 100),
        (400, 301, 176),
        # As the first, scaled down: not recorded.
        (3080, 1540, 56 * 28),
    ],
)
def test_a_picture_counts_as_recorded(width, height, recorded):
    assert tokens.count_picture(width, height) == recorded


def test_a_model_without_vision_refuses_pictures(standing_in):
    with pytest.raises(helpers.APIError, match="does not have the 'vision' capability") as error:
        helpers.chat(shows(address_of(CHART)), model="codestral-latest")
    assert error.value.status == 400


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
