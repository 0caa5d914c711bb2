"""What the API refuses is refused here, in its own words, without a recording."""

import itertools

import httpx
import pytest

from helpers.offline.fallback import Offline
from helpers.replay.player import Player
from helpers.replay.recordings import Recordings

KEY = "k" * 32
HELLO = [{"role": "user", "content": "Hello"}]
ASK = {"model": "mistral-small-latest", "messages": HELLO}
CALL = {"id": "uNfcQGgtW", "function": {"name": "f", "arguments": "{}"}}
ODD_CALL = {**CALL, "id": "call_1"}
EXTRA = "Extra inputs are not permitted"
ORDER = "invalid_request_message_order"
ARGUMENTS = "invalid_request_invalid_args"


@pytest.fixture
def ask(tmp_path, monkeypatch):
    """Sends a request to the offline API of a lesson; no recording answers. Returns the response."""
    monkeypatch.setenv("MISTRAL_API_KEY", KEY)
    player = Player(Recordings(tmp_path / "none.json"), 0, Offline("02_first_call"))

    def send(body=None, path="/v1/chat/completions", method="POST", key=KEY, **more):
        headers = more.pop("headers", {}) | ({"authorization": f"Bearer {key}"} if key else {})
        content = {} if body is None else {"json": body}
        request = httpx.Request(
            method, f"https://api.mistral.ai{path}", headers=headers, **content, **more
        )
        response = player.answer(httpx, request)
        response.read()
        return response

    return send


def chat_of(*roles):
    return [{"role": role, "content": "x"} for role in roles]


def with_call(call, *more):
    return [*HELLO, {"role": "assistant", "content": "", "tool_calls": [call]}, *more]


RESULT = {"role": "tool", "content": "1", "tool_call_id": CALL["id"]}
BROKEN_RULES = [  # fields of a chat request, where, what is wrong, in pydantic's words
    ({"foo": 1}, ["foo"], "extra_forbidden", EXTRA),
    ({"foo": None}, ["foo"], "extra_forbidden", EXTRA),
    ({"seed": 1}, ["seed"], "extra_forbidden", EXTRA),
    ({"temperature": 1.6}, ["temperature"], "less_than_equal", "less than or equal to 1.5"),
    ({"temperature": -0.1}, ["temperature"], "greater_than_equal", "greater than or equal to 0"),
    ({"temperature": "hot"}, ["temperature"], "float_parsing", "unable to parse string"),
    ({"temperature": [0]}, ["temperature"], "float_type", "a valid number"),
    ({"top_p": 0}, ["top_p"], "greater_than", "greater than 0"),
    ({"top_p": 1.1}, ["top_p"], "less_than_equal", "less than or equal to 1"),
    ({"max_tokens": -1}, ["max_tokens"], "greater_than_equal", "greater than or equal to 0"),
    ({"max_tokens": 1.5}, ["max_tokens"], "int_from_float", "with a fractional part"),
    ({"max_tokens": "many"}, ["max_tokens"], "int_parsing", "unable to parse string"),
    ({"n": 0}, ["n"], "greater_than_equal", "greater than or equal to 1"),
    ({"random_seed": -1}, ["random_seed"], "greater_than_equal", "greater than or equal to 0"),
    ({"stream": "perhaps"}, ["stream"], "bool_parsing", "unable to interpret input"),
    ({"presence_penalty": 3}, ["presence_penalty"], "less_than_equal", "equal to 2"),
    ({"stop": 5}, ["stop", "str"], "string_type", "a valid string"),
    ({"tool_choice": "maybe"}, None, "literal_error", "'auto', 'none', 'any' or 'required'"),
    ({"tools": [{"function": {"name": "f"}}]}, None, "missing", "Field required"),
    ({"reasoning_effort": "huge"}, ["reasoning_effort"], "literal_error", "'none'"),
    ({"response_format": {"type": "xml"}}, ["response_format", "type"], "literal_error", "'text'"),
    ({"messages": "Hello"}, ["messages"], "list_type", "a valid list"),
    ({"messages": [{"content": "x"}]}, ["messages", 0], "union_tag_not_found", "'role'"),
    ({"messages": [{"role": "bot"}]}, ["messages", 0], "union_tag_invalid", "'assistant'"),
    # Recorded: string_type at this place.
    (
        {"messages": [{"role": "user", "content": {}}]},
        ["messages", 0, "user", "content", "str"],
        "string_type",
        "a valid string",
    ),
    # Reported: extra_forbidden at a field of an assistant's message.
    (
        {"messages": [*HELLO, {"role": "assistant", "content": "x", "reasoning_content": "y"}]},
        ["messages", 1, "assistant", "reasoning_content"],
        "extra_forbidden",
        EXTRA,
    ),
    ({"model": None}, ["model"], "string_type", "a valid string"),
]


def test_each_broken_rule_is_a_422_that_names_its_place(ask):
    problems = []
    for fields, place, kind, words in BROKEN_RULES:
        response = ask({**ASK, **fields})
        rules = response.json().get("detail", []) if response.status_code == 422 else []
        fitting = [rule for rule in rules if rule["type"] == kind and words in rule["msg"]]
        places = [rule["loc"] for rule in fitting]
        if not fitting or (place and ["body", *place] not in places):
            problems.append((fields, response.status_code, response.text))
        if any(list(rule)[:4] != ["type", "loc", "msg", "input"] for rule in rules):
            problems.append((fields, "keys", rules))
    assert problems == []


def test_missing_fields_are_named_with_the_whole_body(ask):
    (rule,) = ask({"model": "mistral-small-latest"}).json()["detail"]
    assert rule == {
        "type": "missing",
        "loc": ["body", "messages"],
        "msg": "Field required",
        "input": {"model": "mistral-small-latest"},
    }
    (rule,) = ask().json()["detail"]
    assert (rule["type"], rule["loc"], rule["input"]) == ("missing", ["body"], None)
    response = ask(headers={"content-type": "application/json"}, content=b"{not JSON")
    assert response.status_code == 422
    assert response.json()["detail"][0]["type"] == "json_invalid"


BAD_REQUESTS = [  # fields of a chat request, code, type, words
    ({"model": "mistral-smal"}, "1500", "invalid_model", "Invalid model: mistral-smal"),
    ({"model": "mistral-tiny"}, "1500", "invalid_model", "Invalid model: mistral-tiny"),
    ({"model": "mistral-embed"}, "1500", "invalid_model", "Invalid model: mistral-embed"),
    ({"messages": []}, "3230", ORDER, "Conversation must have at least one message"),
    ({"messages": chat_of("tool")}, "3230", ORDER, "Conversation must start with a user message"),
    (
        {"messages": chat_of("user", "assistant")},
        "3230",
        ORDER,
        "Expected last role User or Tool (or Assistant with prefix True) for serving but got assistant",
    ),
    (
        {"messages": with_call(CALL, RESULT, *HELLO)},
        "3230",
        ORDER,
        "Unexpected role 'user' after role 'tool'",
    ),
    (
        {"messages": with_call(CALL, {**RESULT, "tool_call_id": "other"})},
        "3230",
        ORDER,
        "Unexpected tool call id other in tool results",
    ),
    (
        {"messages": with_call(CALL, *chat_of("user"))},
        "3230",
        ORDER,
        "Not the same number of function calls and responses",
    ),
    (
        {"messages": [*HELLO, {"role": "assistant", "content": ""}, *HELLO]},
        "3240",
        "invalid_request_assistant_message",
        "Assistant message must have either content or tool_calls, but not none.",
    ),
    (
        {
            "model": "codestral-latest",
            "messages": with_call(ODD_CALL, {**RESULT, "tool_call_id": "call_1"}),
        },
        "3280",
        "invalid_function_call",
        "Tool call id was call_1 but must be a-z, A-Z, 0-9, with a length of 9.",
    ),
    (
        {"reasoning_effort": "low"},
        "3051",
        ARGUMENTS,
        "reasoning_effort='low' is not supported for this model. Must be one of "
        "(<ReasoningEffort.none: 'none'>, <ReasoningEffort.high: 'high'>)",
    ),
    (
        {"model": "mistral-large-latest", "reasoning_effort": "none"},
        "3051",
        ARGUMENTS,
        "reasoning_effort is not enabled for this model",
    ),
    ({"prompt_mode": "reasoning"}, "3051", ARGUMENTS, "Reasoning prompt mode is not enabled"),
    ({"logprobs": True}, "3051", ARGUMENTS, "Logprobs are not enabled for this model"),
    ({"temperature": 0, "top_p": 0.9}, "3054", ARGUMENTS, "top_p must be 1 when using greedy"),
    (
        {"messages": [{"role": "user", "content": "many words " * 140_000}]},
        "3051",
        ARGUMENTS,
        "too large for model with 262144 maximum context length",
    ),
    (
        {"max_tokens": 262_144},
        "3051",
        ARGUMENTS,
        "and max_tokens is 262144, too large for model with 262144 maximum context length",
    ),
]


def test_each_bad_request_is_a_400_in_the_form_of_the_api(ask):
    problems = []
    for fields, code, kind, words in BAD_REQUESTS:
        response = ask({**ASK, **fields})
        body = response.json()
        form = ["object", "message", "type", "param", "code", "raw_status_code"]
        found = (response.status_code, list(body), body.get("code"), body.get("type"))
        if found != (400, form, code, kind) or words not in body["message"]:
            problems.append((str(fields)[:100], response.status_code, body))
    assert problems == []


def test_the_longest_answer_that_fits_beside_the_prompt_is_not_refused(ask):
    fits = 262_144 - ask(ASK).json()["usage"]["prompt_tokens"]
    assert ask({**ASK, "max_tokens": fits}).status_code == 200
    assert ask({**ASK, "max_tokens": fits + 1}).status_code == 400


def test_the_order_of_roles_is_mistral_commons_but_for_users_after_tools():
    """All conversations of up to three roles, as the makers of the models validate them."""
    from mistral_common.exceptions import InvalidMessageStructureException
    from mistral_common.protocol.instruct import messages as types
    from mistral_common.protocol.instruct import validator

    from helpers.offline.refusals import Refused, check_chat

    made = {
        "system": lambda: types.SystemMessage(content="x"),
        "user": lambda: types.UserMessage(content="x"),
        "assistant": lambda: types.AssistantMessage(content="x"),
        "tool": lambda: types.ToolMessage(content="x", tool_call_id="a" * 9),
    }
    serving = validator.MistralRequestValidatorV15(validator.ValidationMode.serving)
    problems = []
    for length in (1, 2, 3):
        for roles in itertools.product(made, repeat=length):
            if ("tool", "user") in itertools.pairwise(roles):
                continue
            try:
                serving.validate_messages([made[role]() for role in roles])
                theirs = None
            except InvalidMessageStructureException as error:
                theirs = error.message.replace("with prefix)", "with prefix True)")
            try:
                check_chat({**ASK, "messages": chat_of(*roles)})
                ours = None
            except Refused as refused:
                ours = refused.body["message"].replace(
                    "tool call id None", f"tool call id {'a' * 9}"
                )
            if ours != theirs:
                problems.append((roles, theirs, ours))
    assert problems == []


def test_newer_templates_take_any_tool_call_id(ask):
    messages = with_call(ODD_CALL, {**RESULT, "tool_call_id": "call_1"})
    with pytest.raises(LookupError, match="No recording answers"):
        ask({**ASK, "messages": messages})


def test_keys_paths_and_methods(ask):
    cards = [card["id"] for card in ask(path="/v1/models", method="GET").json()["data"]]
    assert "mistral-small-latest" in cards
    found = [
        (response.status_code, response.json())
        for response in (
            ask(ASK, key="another"),
            ask(ASK, key=None),
            ask(path="/v1/models", method="GET", key="another"),
            ask(ASK, path="/v1/chat/completion"),
            ask(path="/v1/models/mistral-small-latest", method="GET"),
            ask(path="/v1/models/devstral-medium-latest", method="GET"),
            ask(path="/v1/models/no-such-model", method="GET"),
            ask(path="/v1/chat/completions", method="GET"),
        )
    ]
    no_key = {"detail": "Invalid API Key"}
    assert found[:3] == [(401, no_key)] * 3
    assert found[3][0] == 404
    assert found[3][1]["message"] == "no Route matched with those values"
    assert found[4][1]["id"] == "mistral-small-latest"
    assert found[5] == (404, {"message": "Model devstral-medium-latest is deprecated."})
    assert found[6] == (404, {"message": "Model no-such-model was not found."})
    assert found[7] == (405, {"detail": "Method Not Allowed"})


@pytest.mark.parametrize("path", ["agents", "conversations", "fine_tuning/jobs", "users/me"])
def test_a_path_of_the_api_without_an_answer_here_is_not_refused(ask, path):
    with pytest.raises(LookupError, match="No recording answers"):
        ask(path=f"/v1/{path}", method="GET")


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"input": ["x"] * 257}, 400, "Too many inputs in request, split into more batches."),
        ({"input": ["word " * 9_000] * 2}, 400, "Too many tokens overall, split into more batches"),
        ({"model": "mistral-small-latest"}, 400, "Invalid model: mistral-small-latest"),
        ({"model": "no-such-model"}, 400, "Invalid model: no-such-model"),
        ({"inputs": ["x"]}, 422, EXTRA),
        ({"input": 5}, 422, "Input should be a valid string"),
        ({"encoding_format": "hex"}, 422, "Input should be 'float' or 'base64'"),
        ({"output_dimension": 0}, 422, "Input should be greater than 0"),
    ],
)
def test_embeddings(ask, fields, status, words):
    response = ask({"model": "mistral-embed", "input": "x", **fields}, "/v1/embeddings")
    assert response.status_code == status
    assert words in response.text


def test_a_retired_name_is_answered_by_another_model_that_it_names(ask):
    assert ask({**ASK, "model": "pixtral-12b"}).json()["model"] == "ministral-14b-latest"


def test_errors_have_no_limit_headers(ask):
    for response in (ask({**ASK, "foo": 1}), ask(ASK, key="another"), ask(path="/v1/models")):
        assert response.headers["content-type"] == "application/json"
        assert len(response.headers["mistral-correlation-id"]) == 36
        assert not [name for name in response.headers if "ratelimit" in name]
