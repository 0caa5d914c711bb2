"""helpers.finetuning: what it reports, cleans, converts, splits and counts."""

import base64
import collections
import contextlib
import json
import random
import re
import threading
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mistral_common.protocol.instruct.messages import FinetuningMessage
from mistral_common.protocol.instruct.request import ChatCompletionRequest
from mistral_common.protocol.instruct.validator import ValidationMode, get_validator
from mistral_common.tokens.tokenizers.base import TokenizerVersion
from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

import helpers
from helpers import finetuning
from helpers.finetuning import blocks, checking, near

WORDS = (
    "the order parcel refund invoice battery screen login account email shop card late broken "
    "colour size wrong new please help thanks today yesterday week number address change cancel"
).split()


def talk(*texts, system=None, **last):
    roles = ("user", "assistant")
    messages = [{"role": "system", "content": system}] if system else []
    messages += [{"role": roles[n % 2], "content": text} for n, text in enumerate(texts)]
    messages[-1].update(last)
    return {"messages": messages}


def speech(seed, count=60):
    return " ".join(random.Random(seed).choices(WORDS, k=count)) + f" {seed}"


def good(seed=0, **more):
    return talk(speech(f"q{seed}"), speech(f"a{seed}"), **more)


def call(call_id="abcdef123", **function):
    return {"id": call_id, "function": {"name": "order", "arguments": "{}", **function}}


def with_tool(calls=None, results=("abcdef123",), after=True):
    calls = [call()] if calls is None else calls
    messages = [{"role": "user", "content": "Where is it?"}, {"role": "assistant", "tool_calls": calls}]
    messages += [{"role": "tool", "tool_call_id": r, "content": "sent"} for r in results]
    messages += [{"role": "assistant", "content": "It is on its way."}] if after else []
    return {"messages": messages}


def tool(**function):
    parameters = {"type": "object", "properties": {}}
    return {"function": {"name": "order", "description": "", "parameters": parameters, **function}}


def save(path, *samples, end=b"\n"):
    lines = [s if isinstance(s, bytes) else json.dumps(s).encode() for s in samples]
    path.write_bytes(b"".join(line + end for line in lines))
    return path


@pytest.fixture
def reasons(tmp_path):
    """The reasons of each line, by line."""

    def of(*samples, **options):
        report = finetuning.check(save(tmp_path / "data.jsonl", *samples), **options)
        found = collections.defaultdict(list)
        for problem in report.problems:
            assert problem.reason in finetuning.REASONS
            found[problem.line].append(problem.reason)
        return dict(found)

    return of


def test_it_is_there_after_importing_helpers():
    assert helpers.finetuning is finetuning


def message(role, **fields):
    return {"messages": [{"role": "user", "content": "a"}, {"role": role, **fields}]}


user = {"role": "user", "content": "a"}
assistant = {"role": "assistant", "content": "b"}
system = {"role": "system", "content": "s"}
TABLE = [  # each with the reason; None where it is good
    (None, talk("a", "b")),
    (None, talk("a", "b", "c", "d", system="s")),
    (None, talk("a", "b", weight=1)),
    (None, talk("a", "b", weight=1.0)),
    (None, talk("a", "b", weight=None)),
    (None, with_tool()),
    (None, with_tool(results=(), after=False)),
    (None, with_tool([call(), call("ABCDEF123")], ("ABCDEF123", "abcdef123"))),
    (None, {**with_tool(), "tools": [tool()]}),
    (None, {**talk("a", "b"), "source": "shop"}),
    (None, talk([{"type": "text", "text": "a"}], "b")),
    (None, talk([{"type": "image_url", "image_url": {"url": "https://x/y.png"}}], "b")),
    (None, {"text": "raw"}),
    (None, {"text": "fine", "labels": {"mood": "good", "topics": ["a", "b"]}}),
    (None, {"messages": [user], "labels": {"mood": "good"}}),
    ("blank line", b""),
    ("blank line", b" \t\r"),
    ("byte order mark", b"\xef\xbb\xbf" + json.dumps(talk("a", "b")).encode()),
    ("not UTF-8", b'{"text": "caf\xe9"}'),
    ("not UTF-8", '{"text": "a"}'.encode("utf-16")),
    ("not UTF-8", b'{"text": "\xed\xa0\x80"}'),
    ("bad JSON", b'{"text": "a"'),
    ("bad JSON", b'{"text": "\\ud800"}'),
    ("bad JSON", b'{"text": "a", "x": NaN}'),
    ("bad JSON", b'{"text": "a", "x": -Infinity}'),
    ("bad JSON", b'{"text": "a\x00"}'),
    ("bad JSON", b'{"text": "a"} {"text": "b"}'),
    ("bad JSON", b"[" * 100_000),
    ("bad JSON", b'{"a":' * 100_000),
    ("bad JSON", b"{'text': 'a'}"),
    ("not an object", b'["a"]'),
    ("not an object", b'"a"'),
    ("not an object", b"null"),
    ("not an object", b"5"),
    ("repeated key", b'{"text": "a", "text": "b"}'),
    ("repeated key", b'{"text": "\\\\", "text": "\\\\"}'),
    ("repeated key", b'{"text": "a", "n": 1, "n": 2}'),
    ("repeated key", b'{"messages":[{"role":"user","role":"user","content":"a"},'
     b'{"role":"assistant","content":"b"}]}'),
    ("format", {}),
    ("format", {"prompt": "a", "completion": "b"}),
    ("format", {**talk("a", "b"), "text": "c"}),
    ("format", {"interactions": talk("a", "b")["messages"]}),
    ("format", {**talk("a", "b"), "available_tools": []}),
    ("field", {"messages": {"role": "user"}}),
    ("field", {"messages": None}),
    ("field", {"text": 5}),
    ("field", {"labels": {"a": "b"}}),
    ("field", talk(5, "b")),
    ("field", talk([5], "b")),
    ("field", talk([{"type": "text"}], "b")),
    ("field", talk([{"type": "input_audio", "input_audio": "x"}], "b")),
    ("field", talk("a", [{"type": "thinking", "thinking": "x"}])),
    ("field", talk("a", [{"type": "image_url", "image_url": "https://x"}])),
    ("field", talk("a", "b", name="Ann")),
    ("field", talk("a", "b", text="b")),
    ("field", {"messages": [{**user, "weight": 1}, assistant]}),
    ("role", {"messages": [5]}),
    ("role", {"messages": [{"content": "a"}, assistant]}),
    ("role", {"messages": [user, {"role": None, "content": "b"}]}),
    ("role", {"messages": [user, {"role": ["user"], "content": "b"}]}),
    ("role", message("human", content="b")),
    ("role", message("Assistant", content="b")),
    ("empty content", {"messages": []}),
    ("empty content", talk("", "b")),
    ("empty content", talk("a", " \n")),
    ("empty content", talk("a", "\u00a0")),
    ("empty content", talk("a", None)),
    ("empty content", talk("a", [])),
    ("empty content", talk("a", [{"type": "text", "text": " "}])),
    ("empty content", talk("a", "b", system=" ")),
    ("empty content", {"text": ""}),
    ("empty content", message("assistant")),
    ("wrong order", {"messages": [assistant]}),
    ("wrong order", {"messages": [assistant, user, assistant]}),
    ("wrong order", {"messages": [user, user, assistant]}),
    ("wrong order", {"messages": [user, assistant, assistant]}),
    ("wrong order", {"messages": [system, assistant]}),
    ("wrong order", {"messages": [system, system, user, assistant]}),
    ("wrong order", {"messages": [user, system, assistant]}),
    ("wrong order", {"messages": [*with_tool(after=False)["messages"], user, assistant]}),
    ("last message", {"messages": [user]}),
    ("last message", {"messages": [user, assistant, user]}),
    ("last message", with_tool(after=False)),
    ("last message", talk("a", "b", prefix=True)),
    ("tool call", with_tool([call("abc")])),
    ("tool call", with_tool([call("abcdef12\n")])),
    ("tool call", with_tool([call("null")], (), False)),
    ("tool call", with_tool([{"function": {"name": "f", "arguments": "{}"}}])),
    ("tool call", with_tool([call(name="no spaces")])),
    ("tool call", with_tool([call(arguments={"a": 1})])),
    ("tool call", with_tool([call(arguments="not JSON")])),
    ("tool call", with_tool([call(arguments=None)])),
    ("tool call", with_tool([call(), call()])),
    ("tool call", with_tool([call()], ())),
    ("tool call", with_tool([call()], ("ABCDEF123",))),
    ("tool call", with_tool([call()], ("abcdef123", "abcdef123"))),
    ("tool call", with_tool([call()], (None,))),
    ("tool call", with_tool(5)),
    ("tool call", with_tool([5])),
    ("tool call", with_tool("abc")),
    ("tool call", {**talk("a", "b"), "tools": 5}),
    ("tool call", {**talk("a", "b"), "tools": [5]}),
    ("tool call", {**talk("a", "b"), "tools": [tool(name="no spaces")]}),
    ("tool call", {**talk("a", "b"), "tools": [tool(description=None)]}),
    ("tool call", {**talk("a", "b"), "tools": [tool(parameters={"type": "nothing"})]}),
    ("tool call", {"messages": [user, {"role": "tool", "content": "x", "tool_call_id": "abcdef123"}, assistant]}),
    ("tool call", talk("a", "b", tool_calls=[call()])),
    ("weight", talk("a", "b", weight=0.5)),
    ("weight", talk("a", "b", weight=True)),
    ("weight", talk("a", "b", weight="1")),
    ("weight", talk("a", "b", weight=2)),
    ("weight", talk("a", "b", weight=0)),
    ("labels", {"text": "a", "labels": {}}),
    ("labels", {"text": "a", "labels": "good"}),
    ("labels", {"text": "a", "labels": {"mood": 5}}),
    ("labels", {"text": "a", "labels": {"mood": []}}),
    ("e-mail address", talk("I am ann.lee+shop@example.co.uk, hi", "b")),
    ("e-mail address", talk("a", "b", system="write to x@example.com")),
    ("e-mail address", b'{"text": "ann\\u0040example.com"}'),
    ("API key", talk("my key is sk-abcdefghij0123456789", "b")),
    ("API key", talk("a", "export MISTRAL_API_KEY=abcdefghij0123456789ABCDEFGHIJ01")),
    ("API key", talk("a", "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA75aG\n")),
    ("API key", with_tool([call(arguments='{"token": "abcdefghij0123456789"}')])),
]


@pytest.mark.parametrize(("reason", "sample"), TABLE, ids=[str(r) for r, _ in TABLE])
def test_every_rule(reasons, reason, sample):
    found = reasons(sample).get(1, [])
    assert reason in found if reason else not found


def test_what_is_no_secret(reasons):
    texts = ["mail me @ home", "a@b", "the key is to wait", "sk-short", "password: hunter2"]
    assert not reasons(*({"text": text} for text in texts))


# mistral-common as the oracle


def refusals(sample):
    """What mistral-common's validators say in fine-tuning mode, of each version that they have."""
    for version in ("v3", "v7", "v11", "v13", "v15"):
        with contextlib.suppress(StopIteration):
            validator = get_validator(TokenizerVersion(version), ValidationMode.finetuning)
            try:
                parts = {n: sample[n] for n in ("messages", "tools") if n in sample}
                request = ChatCompletionRequest[FinetuningMessage].model_validate(parts)
                validator.validate_request(request)
            except Exception as error:
                yield version, str(error)


STRICTER = {  # what only this module refuses, or also other readers; the docstring of `check` says why
    "wrong order",
    "empty content",
    "tool call",
    "weight",
    "format",
    "field",
    "e-mail address",
    "API key",
    "last message",
}
texts = st.sampled_from(["a", "b", "", " ", None, 5, [{"type": "text", "text": "x"}], [], [{"type": "thinking", "thinking": "x"}]])
ids = st.sampled_from(["abcdef123", "ABCDEF123", "null", "short", "", None])
calls = st.builds(
    lambda i, n, a: {"id": i, "function": {"name": n, "arguments": a}},
    ids,
    st.sampled_from(["order", "no spaces", "", 5]),
    st.sampled_from(["{}", '{"a": 1}', "no", {"a": 1}, None, 5]),
)
fields = {
    "weight": st.sampled_from([0, 1, 0.5, 1.0, True, None, "1", 2]),
    "prefix": st.sampled_from([True, False]),
    "tool_calls": st.one_of(st.none(), st.lists(calls, max_size=2)),
    "tool_call_id": ids,
    "name": st.sampled_from(["order", "no spaces", None]),
}
messages = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant"] * 6 + ["tool"] * 4 + ["system", "human"])},
    optional={"content": texts} | fields,
)
tools = st.builds(
    lambda n, p: {"type": "function", "function": {"name": n, "description": "", "parameters": p}},
    st.sampled_from(["order", "no spaces"]),
    st.sampled_from([{}, {"type": "object"}, {"type": "nothing"}, {"properties": 5}]),
)
chats = st.fixed_dictionaries(
    {"messages": st.lists(messages, max_size=6)}, optional={"tools": st.lists(tools, max_size=2)}
)
PLAIN = [user, assistant, user, assistant]


@st.composite
def nearly_good(draw):
    """A good conversation with one or two changes: most random ones are bad in many ways."""
    sample = json.loads(json.dumps(draw(st.sampled_from([talk("a", "b", "c", "d", system="s"), with_tool()]))))
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(sample["messages"]) - 1))
        change = draw(st.sampled_from(["fields", "drop", "twice", "new"]))
        if change == "fields":
            sample["messages"][at] |= draw(st.fixed_dictionaries({}, optional={"content": texts} | fields))
        elif change == "drop" and len(sample["messages"]) > 1:
            del sample["messages"][at]
        elif change == "twice":
            sample["messages"].insert(at, sample["messages"][at])
        elif change == "new":
            sample["messages"].insert(at, draw(messages))
    return sample


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(chats, nearly_good()))
def test_all_that_mistral_common_refuses_is_reported(sample):
    found = {fault.reason for fault in finetuning.rules.look(json.dumps(sample).encode(), None, 10**6)[1]}
    refused = list(refusals(sample))
    assert found or not refused, refused
    assert refused or found <= STRICTER


def test_the_oracle_refuses_and_accepts():
    """Both happen for every version, so that the test above can fail."""
    assert not list(refusals(talk("a", "b"))) and not list(refusals(with_tool()))
    assert len(list(refusals(talk("a", "b", "c")))) == 5
