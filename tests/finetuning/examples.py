"""Samples of training data, good and bad, and files of them."""

import json
import random

STARTS = ("or", "par", "re", "in", "bat", "ac", "lo")
WORDS = [start + end for start in STARTS for end in ("der", "cel", "fund", "tery")]


def talk(*texts, system=None, **last):
    """A conversation; `last` are fields of its last message."""
    roles = ("user", "assistant")
    messages = [{"role": "system", "content": system}] if system else []
    messages += [{"role": roles[n % 2], "content": text} for n, text in enumerate(texts)]
    messages[-1].update(last)
    return {"messages": messages}


def speech(seed, count=60):
    """Random words, always the same for a seed."""
    return " ".join(random.Random(seed).choices(WORDS, k=count)) + f" {seed}"


def good(seed=0, **more):
    return talk(speech(f"q{seed}"), speech(f"a{seed}"), **more)


def call(call_id="abcdef123", **function):
    return {"id": call_id, "function": {"name": "order", "arguments": "{}", **function}}


def with_tool(calls=None, results=("abcdef123",), after=True):
    messages = [
        {"role": "user", "content": "Where is it?"},
        {"role": "assistant", "tool_calls": [call()] if calls is None else calls},
    ]
    messages += [{"role": "tool", "tool_call_id": r, "content": "sent"} for r in results]
    messages += [{"role": "assistant", "content": "It is on its way."}] if after else []
    return {"messages": messages}


def tool(**function):
    parameters = {"type": "object", "properties": {}}
    return {"function": {"name": "order", "description": "", "parameters": parameters, **function}}


def message(role, **fields):
    return {"messages": [user, {"role": role, **fields}]}


def save(path, *samples, end=b"\n"):
    """Write samples, or lines in bytes, to a file, and return its path."""
    lines = [s if isinstance(s, bytes) else json.dumps(s).encode() for s in samples]
    path.write_bytes(b"".join(line + end for line in lines))
    return path


def nested(depth=100_000):
    """A sample with lists in lists, which no recursive function gets through."""
    value = []
    for _ in range(depth):
        value = [value]
    return {**talk("a", "b"), "deep": value}


user = {"role": "user", "content": "a"}
assistant = {"role": "assistant", "content": "b"}
system = {"role": "system", "content": "s"}
result = {"role": "tool", "content": "x", "tool_call_id": "abcdef123"}
thinking = {"type": "thinking", "thinking": "hm"}
text = {"type": "text", "text": "b"}

# Each with its reason; None if it is good.
TABLE = [
    (None, talk("a", "b")),
    (None, talk("a", "b", "c", "d", system="s")),
    (None, talk("a", "b", weight=1)),
    (None, talk("a", "b", weight=1.0)),
    (None, talk("a", "b", weight=None)),
    (None, with_tool()),
    (None, with_tool(results=(), after=False)),
    (None, with_tool([call(), call("ABCDEF123")], ("ABCDEF123", "abcdef123"))),
    (None, with_tool([call("call_abc123")], ("call_abc123",))),
    (None, {**with_tool(), "tools": [tool()]}),
    (None, {**talk("a", "b"), "source": "shop"}),
    (None, talk([{"type": "text", "text": "a"}], "b")),
    (None, talk([{"type": "image_url", "image_url": {"url": "https://x/y.png"}}], "b")),
    (None, talk("a", [thinking, text])),
    (None, talk("a", "b", tool_calls=[call()])),
    (None, {"messages": [user, user, assistant]}),
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
    ("bad JSON", b"[" * 100_000 + b"]" * 100_000),
    ("bad JSON", b"{'text': 'a'}"),
    ("not an object", b'["a"]'),
    ("not an object", b'"a"'),
    ("not an object", b"null"),
    ("not an object", b"5"),
    ("repeated key", b'{"text": "a", "text": "b"}'),
    ("repeated key", b'{"text": "\\\\", "text": "\\\\"}'),
    ("repeated key", b'{"text": "a", "n": 1, "n": 2}'),
    (
        "repeated key",
        b'{"messages":[{"role":"user","role":"user","content":"a"},'
        b'{"role":"assistant","content":"b"}]}',
    ),
    ("format", {}),
    ("format", {"prompt": "a", "completion": "b"}),
    ("format", {**talk("a", "b"), "text": "c"}),
    ("format", {"interactions": talk("a", "b")["messages"]}),
    ("format", {**talk("a", "b"), "available_tools": []}),
    ("field", {"messages": {"role": "user"}}),
    ("field", {"messages": None}),
    ("field", {"messages": [5]}),
    ("field", {"text": 5}),
    ("field", {"labels": {"a": "b"}}),
    ("field", talk(5, "b")),
    ("field", talk([5], "b")),
    ("field", talk([{"type": "text"}], "b")),
    ("field", talk([{"type": "image", "image": "no picture"}], "b")),
    ("field", talk([thinking], "b")),
    ("field", talk("a", [{"type": "image_url", "image_url": "https://x"}])),
    ("field", talk("a", "b", name="Ann")),
    ("field", talk("a", "b", text="b")),
    ("weight", {"messages": [{**user, "weight": 1}, assistant]}),
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
    ("wrong order", {"messages": [user, assistant, system, user, assistant]}),
    ("wrong order", {"messages": [system, result, assistant]}),
    ("last message", {"messages": [user]}),
    ("last message", {"messages": [user, assistant, user]}),
    ("last message", with_tool(after=False)),
    ("last message", talk("a", "b", prefix=True)),
    ("last message", {"messages": [user, {**assistant, "prefix": True}, user, assistant]}),
    ("tool call", with_tool([call("null")], ("null",))),
    ("tool call", with_tool([{"function": {"name": "f", "arguments": "{}"}}])),
    ("tool call", with_tool([call(name="no spaces")])),
    ("tool call", with_tool([call(arguments="not JSON")])),
    ("tool call", with_tool([call(arguments="[1]")])),
    ("tool call", with_tool([call(), call()])),
    ("tool call", with_tool([call()], ())),
    ("tool call", with_tool([call()], ("ABCDEF123",))),
    ("tool call", with_tool([call()], ("abcdef123", "abcdef123"))),
    ("tool call", with_tool([call()], (None,))),
    ("tool call", {"messages": [user, assistant, result, assistant]}),
    ("tool call", with_tool(5)),
    ("tool call", with_tool([5])),
    ("tool call", with_tool("abc")),
    ("tool call", {**talk("a", "b"), "tools": 5}),
    ("tool call", {**talk("a", "b"), "tools": [5]}),
    ("tool call", {**talk("a", "b"), "tools": [tool(name="no spaces")]}),
    ("tool call", {**talk("a", "b"), "tools": [tool(description=None)]}),
    ("tool call", {**talk("a", "b"), "tools": [tool(parameters={"type": "nothing"})]}),
    ("weight", talk("a", "b", weight=0.5)),
    ("weight", talk("a", "b", weight=2)),
    ("weight", talk("a", "b", weight="heavy")),
    ("weight", talk("a", "b", weight=0)),
    ("labels", {"text": "a", "labels": {}}),
    ("labels", {"text": "a", "labels": "good"}),
    ("labels", {"text": "a", "labels": {"mood": 5}}),
    ("labels", {"text": "a", "labels": {"mood": []}}),
    ("labels", {"text": "a", "labels": {"mood": ["a", " "]}}),
    ("e-mail address", talk("I am ann.lee+shop@example.co.uk, hi", "b")),
    ("e-mail address", talk("a", "b", system="write to x@example.com")),
    ("e-mail address", b'{"text": "ann\\u0040example.com"}'),
    ("API key", talk("my key is sk-abcdefghij0123456789", "b")),
    ("API key", talk("a", "export MISTRAL_API_KEY=abcdefghij0123456789ABCDEFGHIJ01")),
    ("API key", talk("a", "Authorization: Bearer abcdefghij0123456789")),
    ("API key", talk("a", "it is aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1dE, thanks")),
    ("API key", talk("a", "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA75aG\n")),
    ("API key", talk("a", "-----BEGIN PRIVATE KEY-----\nMIIE")),
    ("API key", talk("a", "sk_live_abcdefghij0123456789")),
    ("API key", talk("a", "glpat-abcdefghij0123456789")),
    ("API key", talk("a", "aws_secret_access_key = abcdefghij/0123456789/abcdefghij/01234567")),
    ("API key", with_tool([call(arguments='{"token": "abcdefghij0123456789"}')])),
    ("password in a URL", talk("a", "postgres://shop:hunter2@db.example.com/orders")),
    ("password in a URL", talk("https://ann:p%40ss@example.com", "b")),
    ("bank account", talk("a", "IBAN: FR14 2004 1010 0505 0001 3M02 606.")),
    ("bank account", talk("my account is DE89370400440532013000", "b")),
    ("phone number", talk("call +33 1 99 00 12 34", "b")),
    ("phone number", talk("a", "01.99.00.12.34 or (030) 23125 123")),
]


def all_problems():
    """Lines with every problem of the table, and good ones between them."""
    lines = []
    for number, (_, sample) in enumerate(TABLE):
        lines += [sample, good(number)]
    spaced = talk(speech("q1"), speech("a1").replace(" ", "  "))
    nearly = talk(speech("q4") + " yes", speech("a4"))
    return [*lines, good(1), spaced, talk(speech("q2"), "no"), nearly]
