"""helpers.finetuning: what it reports, cleans, converts, splits and counts."""

import base64
import collections
import contextlib
import json
import pickle
import random
from pathlib import Path

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

WORDS = [
    "the",
    "order",
    "parcel",
    "refund",
    "invoice",
    "battery",
    "screen",
    "login",
    "account",
    "email",
    "shop",
    "card",
    "late",
    "broken",
    "colour",
    "size",
    "wrong",
    "new",
    "please",
    "help",
    "thanks",
    "today",
    "yesterday",
    "week",
    "number",
    "address",
    "change",
    "cancel",
]


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
    messages = [
        {"role": "user", "content": "Where is it?"},
        {"role": "assistant", "tool_calls": calls},
    ]
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
result = {"role": "tool", "content": "one more, without tool_call_id"}
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
    ("tool call", {"messages": [*with_tool(after=False)["messages"], result, assistant]}),
    ("tool call", with_tool(5)),
    ("tool call", with_tool([5])),
    ("tool call", with_tool("abc")),
    ("tool call", {**talk("a", "b"), "tools": 5}),
    ("tool call", {**talk("a", "b"), "tools": [5]}),
    ("tool call", {**talk("a", "b"), "tools": [tool(name="no spaces")]}),
    ("tool call", {**talk("a", "b"), "tools": [tool(description=None)]}),
    ("tool call", {**talk("a", "b"), "tools": [tool(parameters={"type": "nothing"})]}),
    (
        "tool call",
        {
            "messages": [
                user,
                {"role": "tool", "content": "x", "tool_call_id": "abcdef123"},
                assistant,
            ]
        },
    ),
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
    ("API key", talk("a", "Authorization: Bearer abcdefghij0123456789")),
    ("API key", talk("a", "it is aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1dE, thanks")),
    ("API key", talk("a", "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA75aG\n")),
    ("API key", talk("a", "-----BEGIN PRIVATE KEY-----\nMIIE")),
    ("API key", talk("a", "sk_live_abcdefghij0123456789")),
    ("API key", talk("a", "glpat-abcdefghij0123456789")),
    ("API key", talk("a", "aws_secret_access_key = abcdefghij/0123456789/abcdefghij/01234567")),
    ("API key", with_tool([call(arguments='{"token": "abcdefghij0123456789"}')])),
]


@pytest.mark.parametrize(("reason", "sample"), TABLE, ids=[str(r) for r, _ in TABLE])
def test_every_rule(reasons, reason, sample):
    found = reasons(sample).get(1, [])
    assert reason in found if reason else not found


def test_what_is_no_secret(reasons):
    texts = ["mail me @ home", "a@b", "the key is to wait", "sk-short", "password: hunter2"]
    texts += ["md5 9e107d9d372bb6826bd81d3542a419d6", "TheseThirtyTwoLettersAreNoKeyAtAll"]
    texts += ["git clone git@github.com:shop/site.git", "key: user_profile_settings_v2"]
    texts += ["a key-value-store-version-12", "the token is order_confirmation_number_2"]
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
texts = st.sampled_from(
    [
        "a",
        "b",
        "",
        " ",
        None,
        5,
        [{"type": "text", "text": "x"}],
        [],
        [{"type": "thinking", "thinking": "x"}],
    ]
)
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
    sample = json.loads(
        json.dumps(draw(st.sampled_from([talk("a", "b", "c", "d", system="s"), with_tool()])))
    )
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(sample["messages"]) - 1))
        change = draw(st.sampled_from(["fields", "drop", "twice", "new"]))
        if change == "fields":
            sample["messages"][at] |= draw(
                st.fixed_dictionaries({}, optional={"content": texts} | fields)
            )
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
    found = {
        fault.reason for fault in finetuning.rules.look(json.dumps(sample).encode(), None, 10**6)[1]
    }
    refused = list(refusals(sample))
    assert found or not refused, refused
    assert refused or found <= STRICTER


def test_the_oracle_refuses_and_accepts():
    """Both happen for every version, so that the test above can fail."""
    assert not list(refusals(talk("a", "b"))) and not list(refusals(with_tool()))
    assert len(list(refusals(talk("a", "b", "c")))) == 5


# Lines compared with one another


def test_duplicates_and_contradictions(reasons):
    one = good(1)
    other_order = {"messages": [dict(reversed(m.items())) for m in one["messages"]]}
    spaced = talk(one["messages"][0]["content"].replace(" ", "\n "), one["messages"][1]["content"])
    contradiction = talk(one["messages"][0]["content"], speech("otherwise"))
    assert reasons(one, good(2), one, other_order, spaced, contradiction, one) == {
        3: ["duplicate"],
        4: ["duplicate"],
        5: ["duplicate but for white space or case"],
        6: ["contradiction"],
        7: ["duplicate"],
    }


def test_capital_letters_make_no_contradiction(reasons):
    question, answer = "How long is the warranty?", "Six months from the day of collection."
    assert reasons(talk(question, answer), talk(question.upper(), answer.lower())) == {
        2: ["duplicate but for white space or case"]
    }


@pytest.mark.parametrize(
    "again",
    [
        "Was kostet der Versand\u00a0ins große\u2003Zürich?",
        "WAS KOSTET DER VERSAND INS GROSSE ZÜRICH?",
        "Was kostet der Versand ins große Zu\u0308rich?",
    ],
)
def test_white_space_and_case_of_all_languages(reasons, again):
    question = "Was kostet der Versand ins große Zürich?"
    assert reasons(talk(question, "Nichts."), talk(again, "Nichts.")) == {
        2: ["duplicate but for white space or case"]
    }
    samples = [talk(question, "Nichts."), talk(again, "Zwölf Euro."), *map(good, range(8))]
    for seed in range(5):
        parts = finetuning.split(samples, {"a": 0.5, "b": 0.5}, seed=seed)
        assert sum(samples[0] in part and samples[1] in part for part in parts.values()) == 1


def test_white_space_in_ascii_and_beyond_is_the_same():
    text = "".join(map(chr, range(128)))
    assert finetuning.rules.tight(text) + "é".encode() == finetuning.rules.tight(text + "é")


@pytest.mark.parametrize(
    ("changed", "share", "recall"), [(4, 0.93, 0.99), (13, 0.8, 0.98), (20, 0.7, 0.94)]
)
def test_how_many_near_duplicates_become_candidates(changed, share, recall):
    rng = random.Random(5)
    texts = []
    for _ in range(300):
        words = [f"word{rng.randrange(20_000)}" for _ in range(120)]
        texts.append(" ".join(words))
        words[50 : 50 + changed] = [f"other{rng.randrange(20_000)}" for _ in range(changed)]
        texts.append(" ".join(words))
    pairs = {tuple(pair) for pair in near.candidates(near.sketch(texts)).tolist()}
    assert near.similarity(*texts[:2]) == pytest.approx(share, abs=0.03)
    assert sum((n, n + 1) in pairs for n in range(0, 600, 2)) / 300 >= recall


def test_lines_with_faults_of_their_own_are_compared_with_none(reasons):
    leaky = talk(f"{speech(1)} ann@example.com", "b")
    assert reasons(leaky, leaky, talk(speech(1), "b")) == {
        1: ["e-mail address"],
        2: ["e-mail address"],
    }


def test_same_text_in_another_system_or_with_other_labels_is_another_sample(reasons):
    one = speech(1)
    assert reasons(good(1, system="Be kind."), good(1, system="Be short.")) == {
        2: ["near-duplicate"]
    }
    assert reasons({"text": one, "labels": {"a": "x"}}, {"text": one, "labels": {"a": "y"}}) == {
        2: ["contradiction"]
    }


def test_near_duplicates(reasons):
    one, two = speech(1), speech(2)
    changed = one.replace(" 1", " one").capitalize() + "!"
    assert reasons(talk(one, two), talk(changed, two)) == {2: ["near-duplicate"]}
    assert not reasons(talk(one, two), talk(changed, two), near=None)
    assert not reasons(talk(one, two), talk(changed, two), near=1.0)


def test_nearly_the_same_answer_is_both_a_contradiction_and_a_near_duplicate(reasons):
    one, two = speech(1), speech(2)
    both = {2: ["contradiction", "near-duplicate"]}
    assert reasons(talk(one, two), talk(one, two.replace(" 2", " two"))) == both
    assert reasons(talk(one, two), talk(one, speech(3, 120))) == {2: ["contradiction"]}


PAIRS = [
    ("Was kostet der Versand – zu Ihnen?", "„Was kostet der Versand“ zu Ihnen?"),
    ("我的订单什么时候会到?我上周买了一件蓝色的雨衣,今天还没有收到。",) * 2,
    ("注文した青いレインコートがまだ届きません。いつ届きますか。",) * 2,
]


@pytest.mark.parametrize(("one", "other"), PAIRS, ids=["German", "Chinese", "Japanese"])
def test_near_duplicates_beyond_ascii(reasons, one, other):
    other = other.replace("蓝", "红").replace("青", "赤")
    assert reasons({"text": one}, {"text": other}) == {2: ["near-duplicate"]}
    assert not reasons({"text": one}, {"text": "".join(sorted(other))})


def test_a_long_system_prompt_in_common_makes_no_near_duplicates(reasons):
    system = speech("system", 800)
    assert not reasons(*(good(n, system=system) for n in range(50)))


@pytest.mark.parametrize(("count", "changes"), [(16, 1), (26, 2), (40, 3)])
def test_a_changed_word_or_two_make_a_near_duplicate(tmp_path, count, changes):
    rng, lines = random.Random(2), []
    for _ in range(100):
        words = [f"word{rng.randrange(20_000)}" for _ in range(count)]
        lines.append({"text": " ".join(words)})
        for at in rng.sample(range(count), changes):
            words[at] = "otherwise"
        lines.append({"text": " ".join(words)})
    report = finetuning.check(save(tmp_path / "data.jsonl", *lines))
    assert {p.line % 2 for p in report.problems} == {0}
    assert report.counts["near-duplicate"] >= 94


def test_cases_of_one_template_are_no_near_duplicates(tmp_path):
    lines = [
        talk(f"This is question {n}, can you help me with it?", f"This is answer {n} to that.")
        for n in range(100)
    ]
    assert finetuning.check(save(tmp_path / "data.jsonl", *lines)).ok


def test_different_conversations_are_no_near_duplicates(tmp_path):
    """Those of lesson 08 without planted faults: no two share more than 18% of their pairs."""
    import pandas as pd

    data = Path(__file__).parents[1] / "data"
    rows = pd.read_csv(data / "support_conversations.csv", keep_default_na=False)
    planted = pd.read_csv(data / "support_conversations_planted.csv")["ticket"]
    lines = [talk(r.customer, r.agent) for r in rows[~rows["ticket"].isin(planted)].itertuples()]
    assert len(lines) > 250
    assert finetuning.check(save(tmp_path / "data.jsonl", *lines), near=0.3).ok


def test_a_near_duplicate_of_a_near_duplicate_counts_from_the_first(tmp_path):
    """A chain, each a little further away: those too far from the first line stay."""
    parts, lines = speech(1, 100).split(), []
    for step in range(12):
        parts[step * 8] = f"changed{step}"
        lines.append({"text": " ".join(parts)})
    report = finetuning.check(save(tmp_path / "data.jsonl", *lines), near=0.8)
    flagged = {problem.line for problem in report.problems}
    for number, line in enumerate(lines, 1):
        before = [
            other["text"] for n, other in enumerate(lines[: number - 1], 1) if n not in flagged
        ]
        if number in flagged:
            assert max(near.similarity(line["text"], text) for text in before) >= 0.8
    assert 0 < len(flagged) < 11


def test_texts_without_words(reasons):
    assert not reasons({"text": "?"}, {"text": "!"}, {"text": "..."}, {"text": "a"})


def test_most_near_duplicates_are_found_and_nothing_else_is(tmp_path):
    rng, lines, wanted = random.Random(1), [], set()
    for seed in range(1000):
        lines.append(good(seed))
        if seed % 10 == 0:
            words = lines[-1]["messages"][0]["content"].split()
            words[rng.randrange(60)] = "otherwise"
            lines.append(talk(" ".join(words), lines[-1]["messages"][1]["content"]))
            wanted.add(len(lines))
    found = {p.line for p in finetuning.check(save(tmp_path / "data.jsonl", *lines)).problems}
    assert found <= wanted
    assert len(found) >= 0.99 * len(wanted)


def test_leaks_into_the_test_file(reasons, tmp_path):
    words = speech(3).split()
    words[5] = "otherwise"
    nearly = talk(speech("q3"), " ".join(words))
    test = save(tmp_path / "test.jsonl", good(1), b"broken", talk(speech("q3"), speech(3)), good(5))
    again = talk(speech("q1"), "another answer")
    assert reasons(good(7), good(1), nearly, again, good(8), test=test) == {
        n: ["test leak"] for n in (2, 3, 4)
    }
    assert reasons(talk("x", " ".join(words)), test=save(test, talk("y", speech(3)))) == {
        1: ["test leak"]
    }


def test_too_long(reasons):
    sample = talk("word " * 200, "b")
    count = finetuning.count_tokens(sample)
    assert not reasons(sample, context=count)
    assert reasons(sample, context=count - 1) == {1: ["too long"]}
    assert reasons(talk("word " * 40_000, "b")) == {1: ["too long"]}
    assert not reasons(talk("wordwordword" * 3_000, "b"))


def test_old_pairs_are_told_their_converter(tmp_path):
    report = finetuning.check(save(tmp_path / "old.jsonl", {"prompt": "a", "completion": "b"}))
    assert "from_pairs" in report.problems[0].detail


def test_too_long_and_leaking_are_both_reported(reasons):
    assert reasons(talk("word " * 200 + "ann@example.com", "b"), context=100) == {
        1: ["e-mail address", "too long"]
    }


def test_another_kind_than_asked_for(reasons, tmp_path):
    mixed = [talk("a", "b"), {"text": "c"}]
    assert reasons(*mixed, kind="chat") == {2: ["format"]}
    report = finetuning.check(save(tmp_path / "mixed.jsonl", *mixed))
    assert report.good == 2 and not report.ok and "more than one format" in repr(report)
    assert report.kinds == {"chat": 1, "text": 1}


# The file


def test_json_over_many_lines_is_told(tmp_path):
    path = tmp_path / "data.jsonl"
    for value in (good(), [good()]):
        path.write_text(json.dumps(value, indent=2))
        assert "one line" in repr(finetuning.check(path))
    assert not finetuning.check(save(path, good(), b"{")).notes


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_ends_of_lines(tmp_path, end):
    path = save(tmp_path / "data.jsonl", good(1), good(2), b"{", good(3), end=end)
    report = finetuning.check(path)
    assert (report.lines, [p.line for p in report.problems]) == (4, [3])
    path.write_bytes(path.read_bytes().removesuffix(end))
    assert finetuning.check(path).problems == report.problems


def test_files_that_are_none(tmp_path):
    with pytest.raises(FileNotFoundError):
        finetuning.check(tmp_path / "missing.jsonl")
    with pytest.raises(IsADirectoryError, match="folder"):
        finetuning.check(tmp_path)
    (tmp_path / "data.jsonl.gz").write_bytes(b"\x1f\x8b\x08\x00")
    with pytest.raises(ValueError, match=r"gzip.*unpack"):
        finetuning.check(tmp_path / "data.jsonl.gz")
    report = finetuning.check(save(tmp_path / "empty.jsonl"))
    assert (report.lines, report.good, report.ok) == (0, 0, False)
    assert "empty" in repr(report)


@pytest.mark.parametrize(
    "wrong", [{"kind": "chats"}, {"near": 0}, {"near": 80}, {"context": 0}, {"block_size": 0}]
)
def test_wrong_arguments(tmp_path, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        finetuning.check(save(tmp_path / "data.jsonl", good()), **wrong)


def test_its_own_test_file(tmp_path):
    path = save(tmp_path / "data.jsonl", good())
    with pytest.raises(ValueError, match="own test file"):
        finetuning.check(path, test=path)


def test_a_huge_line_is_read_in_part(tmp_path, monkeypatch):
    monkeypatch.setattr(finetuning.rules, "LONGEST", 1000)
    monkeypatch.setattr(blocks, "LONGEST", 1000)
    monkeypatch.setattr(checking, "LONGEST", 1000)
    huge = json.dumps([good(n) for n in range(100)]).encode()
    path = save(tmp_path / "data.jsonl", good(1), huge, good(2))
    for size in (100, 10**6):
        report = finetuning.check(path, block_size=size)
        assert [(p.line, p.reason) for p in report.problems] == [(2, "too long")]
        assert report.lines == 3 and "one JSON array" in report.problems[0].detail
    finetuning.clean(path, tmp_path / "good.jsonl")
    entry = json.loads((tmp_path / "good.rejected.jsonl").read_text())
    begin = entry["begins_at_byte"]
    assert path.read_bytes()[begin : begin + len(huge)] == huge


def all_faults():
    """Lines with every fault of the table, and good ones between them."""
    lines = []
    for n, (_, sample) in enumerate(TABLE):
        lines += [sample, good(n)]
    spaced = talk(speech("q1"), speech("a1").replace(" ", "  "))
    return [
        *lines,
        good(1),
        spaced,
        talk(speech("q2"), "no"),
        talk(speech("q4") + " yes", speech("a4")),
    ]


def test_blocks_make_no_difference(tmp_path):
    path = save(tmp_path / "data.jsonl", *all_faults())
    whole = finetuning.check(path)
    assert set(whole.counts) == finetuning.REASONS.keys() - {"too long", "test leak"}
    for size in (3000, 49_999):
        assert finetuning.check(path, block_size=size) == whole


def test_the_report(tmp_path):
    report = finetuning.check(save(tmp_path / "data.jsonl", *all_faults()))
    assert len(report.problems) == sum(report.counts.values())
    assert report.problems[-1] == list(report.problems)[-1]
    assert report.problems[2:4] == list(report.problems)[2:4]
    assert [p.line for p in report.problems] == sorted(p.line for p in report.problems)
    assert len({p.line for p in report.problems}) == report.rejected == report.lines - report.good
    assert list(report.table(7).columns) == ["line", "reason", "detail", "excerpt"]
    assert f"{report.good} of {report.lines} lines are good" in repr(report)
    assert f"{report.counts['weight']}  weight" in repr(report)
    assert all(len(p.excerpt) <= 80 and "\n" not in p.excerpt for p in report.problems)
    with pytest.raises(IndexError):
        report.problems[10**6]
    assert pickle.loads(pickle.dumps(report)) == report


SECRETS = ["ann.lee@example.com", "sk-abcdefghij0123456789", "hf_abcdefghij0123456789"]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("pad", [0, 30, 55, 75, 1185, 1990])
def test_no_excerpt_shows_a_secret(tmp_path, secret, pad):
    text = "x" * pad + " " + secret + " " + "y" * 50
    line = json.dumps(talk(text, text)).encode()
    lines = [
        line,
        line[:-2],
        line + b"}",
        line.replace(b"y", b"\xff", 1),
        line.replace(b"x", b"\xff", 1),
    ]
    lines += [line.replace(b"@", b"\\u0040")[:-2], json.dumps([text]).encode(), talk(text, 5)]
    lines += [{"messages": [{"role": text, "content": "a"}]}, {"text": "a", "labels": {text: 5}}]
    lines += [with_tool([call(name=text)]), with_tool([call(text)]), talk("a", "b", **{text: 1})]
    report = finetuning.check(save(tmp_path / "data.jsonl", *lines))
    assert report.good == 0
    shown = repr(list(report.problems)) + repr(report)
    assert secret not in shown and secret.replace("@", "\\u0040") not in shown.replace("\\\\", "\\")


# clean


def test_clean_adds_up_and_keeps_every_byte(tmp_path):
    path = save(tmp_path / "data.jsonl", *all_faults())
    report = finetuning.clean(path, tmp_path / "good.jsonl", tmp_path / "bad.jsonl")
    lines = path.read_bytes().split(b"\n")[:-1]
    kept = (tmp_path / "good.jsonl").read_bytes().split(b"\n")[:-1]
    entries = [json.loads(line) for line in (tmp_path / "bad.jsonl").open(encoding="utf-8")]
    rejected = {
        e["line"]: e["text"].encode() if "text" in e else base64.b64decode(e["base64"])
        for e in entries
    }
    assert len(kept) + len(rejected) == len(lines) == report.lines
    assert (len(kept), len(rejected)) == (report.good, report.rejected)
    assert report.blank == 2
    rest = iter(kept)
    assert [rejected[n] if n in rejected else next(rest) for n in range(1, len(lines) + 1)] == lines
    reasons = [(e["line"], p["reason"]) for e in entries for p in e["problems"]]
    assert reasons == [(p.line, p.reason) for p in report.problems]
    again = finetuning.check(tmp_path / "good.jsonl")
    assert again.good == again.lines == report.good


def test_clean_writes_all_or_nothing(tmp_path, monkeypatch):
    path, out = save(tmp_path / "data.jsonl", *all_faults()), tmp_path / "good.jsonl"
    out.write_text("before")

    def stop(line, start):
        raise KeyboardInterrupt

    monkeypatch.setattr(checking, "_original", stop)
    with pytest.raises(KeyboardInterrupt):
        finetuning.clean(path, out)
    assert out.read_text() == "before"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data.jsonl", "good.jsonl"]


def test_clean_says_at_once_that_it_cannot_write(tmp_path, monkeypatch):
    monkeypatch.setattr(checking, "check", None)  # which can take an hour
    with pytest.raises(FileNotFoundError, match="nowhere"):
        finetuning.clean(save(tmp_path / "data.jsonl", good()), tmp_path / "nowhere" / "good.jsonl")


def test_clean_never_writes_over_its_source(tmp_path):
    path = save(tmp_path / "data.jsonl", good())
    (tmp_path / "link.jsonl").symlink_to(path)
    for out in (path, tmp_path / "link.jsonl", tmp_path / ".." / tmp_path.name / "data.jsonl"):
        with pytest.raises(ValueError, match="different files"):
            finetuning.clean(path, out)
        with pytest.raises(ValueError, match="different files"):
            finetuning.clean(path, tmp_path / "out.jsonl", out)


# Samples


def test_from_pairs(tmp_path):
    import pandas as pd

    wanted = [talk("a", "b", system="s"), talk("c", "d", system="s")]
    pairs = [("a", " b"), ("c", "d")]
    assert finetuning.from_pairs(pairs, system="s") == wanted
    table = pd.DataFrame(pairs, columns=["prompt", "completion"]).assign(date="today")
    assert finetuning.from_pairs(table, system="s") == wanted
    assert finetuning.from_pairs(table.to_dict("records"), system="s") == wanted
    assert finetuning.write(wanted, tmp_path / "data.jsonl") == 2
    assert finetuning.read(tmp_path / "data.jsonl") == wanted
    assert finetuning.check(tmp_path / "data.jsonl").ok
    for wrong in (
        [("a", "")],
        [("a",)],
        [("a", None)],
        [("a", float("nan"))],
        [("a", "b", "c")],
        ["ab"],
    ):
        with pytest.raises(ValueError, match="Pair 1"):
            finetuning.from_pairs(wrong)
    with pytest.raises(KeyError, match="completion"):
        finetuning.from_pairs([{"prompt": "a", "answer": "b"}])


def test_read_names_the_bad_line(tmp_path):
    with pytest.raises(ValueError, match=r"Line 2 .*clean"):
        finetuning.read(save(tmp_path / "data.jsonl", good(), b"{"))


def test_write_leaves_no_half_file(tmp_path):
    for wrong, error in ((float("nan"), ValueError), ("\ud800", UnicodeEncodeError)):
        with pytest.raises(error):
            finetuning.write([good(), {"text": wrong}], tmp_path / "data.jsonl")
    assert not list(tmp_path.iterdir())


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=30, max_size=90), st.integers(0, 5), st.randoms())
def test_split(numbers, seed, rng):
    """Nothing lost, nothing twice, no prompt or near-duplicate on both sides, whatever the order."""
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
    assert {n: len(part) for n, part in parts.items()} == {
        "train": 320,
        "validation": 40,
        "test": 40,
    }
    assert rare == {"train": 16, "validation": 2, "test": 2}
    assert finetuning.split(samples, seed=1) != finetuning.split(samples, seed=0)
    # computed once: the same on every machine and with every version of Python
    assert [s["text"].split()[-1] for s in finetuning.split(samples[:40])["validation"]] == SPLIT


SPLIT = ["2", "3", "21", "24"]


def test_split_says_what_is_wrong(tmp_path):
    for parts in ({"train": 0.5}, {"train": 1.5, "test": -0.5}, {}):
        with pytest.raises(ValueError, match="add up to 1"):
            finetuning.split([good()], parts)
    with pytest.raises(ValueError, match="Nothing is left for validation"):
        finetuning.split([good()] * 50)
    with pytest.raises(ValueError, match="Sample 2 has faults"):
        finetuning.split([good(), {"messages": []}])
    assert finetuning.split(save(tmp_path / "d.jsonl", *map(good, range(20))))["train"]


# Tokens


@pytest.fixture(scope="module")
def oracle():
    return MistralTokenizer.from_file(finetuning.tokens.tekken(), ValidationMode.finetuning)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.text(min_size=1, max_size=80), min_size=2, max_size=6), st.text(max_size=40))
def test_tokens_are_those_of_mistral_common(oracle, said, system):
    said = said[: len(said) // 2 * 2]
    for sample in (
        talk(*said, system=system),
        talk(*([{"type": "text", "text": t}] for t in said), system=system),
        talk(*([{"type": "text", "text": t}, {"type": "text", "text": "!"}] for t in said)),
        talk(*said, system=[{"type": "text", "text": system or "s"}] * 2),
    ):
        request = ChatCompletionRequest[FinetuningMessage].model_validate(sample)
        assert finetuning.count_tokens(sample) == len(oracle.encode_chat_completion(request).tokens)


def test_tokens_of_tools_and_other_kinds(oracle):
    sample = {**with_tool(), "tools": [tool()]}
    request = ChatCompletionRequest[FinetuningMessage].model_validate(sample)
    assert finetuning.count_tokens(sample) == len(oracle.encode_chat_completion(request).tokens)
    assert finetuning.count_tokens({"text": "hello"}) == 2
    assert finetuning.count_tokens({"messages": [user], "labels": {"a": "b"}}) == 4
    image = {"type": "image_url", "image_url": "https://x/y.png"}
    assert finetuning.count_tokens(talk([image, {"type": "text", "text": "a"}], "b")) == 6
    whole = finetuning.count_tokens({"text": "one two three " * 20_000})
    assert whole == len(
        oracle.instruct_tokenizer.tokenizer.encode("one two three " * 20_000, True, False)
    )


def test_estimate():
    plan = finetuning.estimate([600, 400], epochs=3, seq_len=100, batch_size=2)
    assert (plan.samples, plan.tokens_per_epoch, plan.tokens, plan.steps) == (2, 1000, 3000, 15)
    assert plan.hours is None and plan.cost is None
    assert finetuning.estimate([10**6], price_per_million=4).cost == 4
    timed = finetuning.estimate([3600], tokens_per_second=2, price_per_hour=3)
    assert (timed.hours, timed.cost) == (0.5, 1.5)
    for wrong in ({"epochs": 0}, {"seq_len": -1}, {"price_per_million": float("inf")}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            finetuning.estimate([1], **wrong)
    for wrong in ({"price_per_hour": 1}, {"price_per_hour": 1, "price_per_million": 1}):
        with pytest.raises(ValueError, match="price_per_hour"):
            finetuning.estimate([1], **wrong)
    with pytest.raises(ValueError, match="tokens of each sample"):
        finetuning.estimate([])


# The progress bar


def test_the_bar_is_only_for_people(tmp_path, monkeypatch, capsys):
    import tqdm

    shown = []

    class Bar(tqdm.tqdm):
        def __init__(self, **options):
            shown.append(not options["disable"])
            super().__init__(**options)

    monkeypatch.setattr("helpers.finetuning.progress.tqdm", Bar)
    monkeypatch.delenv("MISTRAL_PROGRESS", raising=False)
    path = save(tmp_path / "data.jsonl", good())
    finetuning.check(path)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    finetuning.check(path)
    finetuning.check(path, progress=False)
    monkeypatch.setenv("MISTRAL_PROGRESS", "0")
    finetuning.check(path)
    finetuning.check(path, progress=True)
    assert shown == [False, True, False, False, True]
    assert not capsys.readouterr().err  # it takes two seconds until it appears


def test_a_kernel_that_is_recorded_shows_none():
    """nbclient and nbval say that nobody can answer `input`; JupyterLab says that somebody can."""
    from jupyter_client.manager import start_new_kernel

    code = "from helpers.finetuning import progress; print(progress._in_live_notebook())"
    manager, client = start_new_kernel(extra_arguments=["--quiet"])
    said = []
    try:
        for somebody in (False, True):
            client.execute_interactive(
                code,
                allow_stdin=somebody,
                output_hook=lambda m: said.append(m["content"].get("text")),
                stdin_hook=lambda m: None,
            )
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert [text for text in said if text] == ["False\n", "True\n"]


# Dask


@pytest.fixture(scope="module")
def cluster():
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        yield cluster


def test_dask_gives_the_same_report(cluster, tmp_path, monkeypatch):
    path = save(tmp_path / "data.jsonl", *all_faults())
    test = save(tmp_path / "test.jsonl", good(3), good(5))
    alone = finetuning.check(path, test=test)
    assert "test leak" in alone.counts
    assert (
        finetuning.check(path, test=test, dask=cluster.scheduler_address, block_size=5000) == alone
    )
    monkeypatch.setenv("DASK_SCHEDULER", cluster.scheduler_address)
    assert finetuning.check(path, test=test, dask=True) == alone


def test_a_killed_worker_loses_nothing(cluster, tmp_path, monkeypatch):
    path = save(tmp_path / "data.jsonl", *all_faults(), *map(good, range(3000)))
    alone = finetuning.check(path)
    add, blocks_seen = checking.Records.add, []

    def kill_at_the_tenth_block(records, rows):
        blocks_seen.append(len(rows))
        if len(blocks_seen) == 10:
            next(iter(cluster.workers.values())).process.process._process.kill()
        add(records, rows)

    monkeypatch.setattr(checking.Records, "add", kill_at_the_tenth_block)
    again = finetuning.check(path, dask=cluster.scheduler_address, block_size=10_000)
    assert len(blocks_seen) > 100
    assert again == alone


def test_dask_says_what_is_missing(cluster, tmp_path, monkeypatch):
    path = save(tmp_path / "data.jsonl", good())
    with pytest.raises(OSError, match=r"127\.0\.0\.1:1"):
        finetuning.check(path, dask="tcp://127.0.0.1:1")
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(ImportError, match="not installed"):
        finetuning.check(path, dask=True)
