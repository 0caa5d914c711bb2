"""What is wrong with one line, with mistral-common's validators as the oracle."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mistral_common.protocol.instruct.messages import FinetuningMessage
from mistral_common.protocol.instruct.request import ChatCompletionRequest
from mistral_common.protocol.instruct.validator import ValidationMode, get_validator
from mistral_common.tokens.tokenizers.base import TokenizerVersion

from helpers import finetuning
from helpers.finetuning import chats, rules
from tests.finetuning.examples import (
    TABLE,
    assistant,
    call,
    nested,
    save,
    system,
    talk,
    text,
    thinking,
    tool,
    user,
    with_tool,
)


def reasons_of(sample, version="v15", context=10**6):
    line = sample if isinstance(sample, bytes) else json.dumps(sample).encode()
    return {problem.reason for problem in rules.check_line(line, None, context, version)[1]}


def refused(sample, version="v15"):
    """Whether mistral-common's validator refuses the whole request, and how."""
    validator = get_validator(TokenizerVersion(version), ValidationMode.finetuning)
    request = {name: sample[name] for name in ("messages", "tools") if name in sample}
    try:
        request = ChatCompletionRequest[FinetuningMessage].model_validate(request)
        validator.validate_request(request)
    except Exception as error:
        return str(error)
    return ""


def test_every_rule_reports_its_reason():
    wrong = []
    for reason, sample in TABLE:
        found = reasons_of(sample)
        if (reason not in found) if reason else found:
            wrong.append((reason, found, sample))
    assert wrong == []


def test_text_without_secrets_is_not_reported(reasons):
    texts = ["mail me @ home", "a@b", "the key is to wait", "sk-short", "password: hunter2"]
    texts += ["md5 9e107d9d372bb6826bd81d3542a419d6", "TheseThirtyTwoLettersAreNoKeyAtAll"]
    texts += ["git clone git@github.com:shop/site.git", "key: user_profile_settings_v2"]
    texts += ["a key-value-store-version-12", "the token is order_confirmation_number_2"]
    texts += ["https://example.com/a:b", "https://example.com:8080/@ann", "ftp://ann@host"]
    texts += ["DE88370400440532013000 has wrong check digits", "part AB12 CDEF GHIJ KLMN"]
    texts += ["on 01.02.2024 10.30", "2024-01-02 10:00", "0.123456789", "order 1234567890"]
    assert not reasons(*({"text": text} for text in texts))


def test_a_number_of_an_order_or_a_request_is_no_phone_number(reasons):
    texts = ["request 012345678 failed", "012345678", "order 0012345678", "Order no. 0123456789"]
    texts += [
        '{"request_id": "0123456789"}',
        "orderId=0123456789",
        "ISBN 0306406152",
        "#0123456789",
    ]
    texts += ["my customer number is 0123456789", "parcel 000123456789"]
    assert not reasons(*({"text": text} for text in texts))
    called = [
        "call 012345678",
        "tel. 021234567",
        "0612345678",
        "0031612345678",
        "my phone: 098765432",
    ]
    called += [
        "about my order: 0199 00 12 34",
        "an order, call 0123456789",
        "order by +33199001234",
    ]
    found = [finetuning.hide_secrets(text) for text in called]
    assert [text for text in found if "[phone]" not in text] == []


def test_every_kind_of_private_data_is_hidden_and_the_rest_of_the_sentence_stays():
    for shown, hidden in (
        ("to ann@example.com, please", "to [e-mail], please"),
        ("https://ann:secret@example.com/x", "https://ann:[password]@example.com/x"),
        ("key sk-abcdefghij0123456789!", "key [key]!"),
        ("to GB82 WEST 1234 5698 7654 32.", "to [IBAN]."),
        ("call 0199 00 12 34 now", "call [phone] now"),
    ):
        assert finetuning.hide_secrets(shown) == hidden


def test_formats_of_other_trainers_are_named():
    samples = {
        "ShareGPT": {"conversations": [{"from": "human", "value": "a"}]},
        "Alpaca": {"instruction": "a", "input": "", "output": "b"},
        "preference data": {"prompt": "a", "chosen": "b", "rejected": "c"},
        "pairs": {"prompt": "a", "completion": "b"},
        "interactions": {"interactions": talk("a", "b")["messages"]},
    }
    for name, sample in samples.items():
        _, (problem,), _ = rules.check_line(json.dumps(sample).encode(), None, 1000, "v15")
        assert problem.reason == "format" and name in problem.detail


# mistral-common as the oracle

contents = [text, " ", "a", "", None, 5, [text], [], [thinking], [thinking, text]]
contents = st.sampled_from(contents)
ids = st.sampled_from(["abcdef123", "ABCDEF123", "call_abc", "null", "", None])
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
    optional={"content": contents} | fields,
)
tools = st.builds(
    lambda n, p: tool(name=n, parameters=p),
    st.sampled_from(["order", "no spaces"]),
    st.sampled_from([{}, {"type": "object"}, {"type": "nothing"}, {"properties": 5}]),
)
chats_of_any_kind = st.fixed_dictionaries(
    {"messages": st.lists(messages, max_size=6)}, optional={"tools": st.lists(tools, max_size=2)}
)


@st.composite
def nearly_good(draw):
    """A good conversation with up to two changes: most random ones are bad in many ways."""
    sample = draw(st.sampled_from([talk("a", "b", "c", "d", system="s"), with_tool()]))
    sample = json.loads(json.dumps(sample))
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(sample["messages"]) - 1))
        change = draw(st.sampled_from(["fields", "drop", "twice", "new"]))
        if change == "fields":
            new = st.fixed_dictionaries({}, optional={"content": contents} | fields)
            sample["messages"][at] |= draw(new)
        elif change == "drop" and len(sample["messages"]) > 1:
            del sample["messages"][at]
        elif change == "twice":
            sample["messages"].insert(at, sample["messages"][at])
        elif change == "new":
            sample["messages"].insert(at, draw(messages))
    return sample


OWN_RULES = {"empty content", "tool call", "weight"}


@pytest.mark.slow
@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(chats.VERSIONS), st.one_of(chats_of_any_kind, nearly_good()))
def test_check_refuses_what_the_validator_refuses(version, sample):
    found, refusal = reasons_of(sample, version), refused(sample, version)
    assert found or not refusal, refusal
    assert refusal or found <= OWN_RULES


@pytest.mark.slow
@settings(max_examples=500, deadline=None)
@given(
    st.one_of(
        st.lists(
            st.sampled_from([system, user, assistant, {**user, "role": "tool"}, 5]), max_size=5
        ),
        chats_of_any_kind.map(lambda sample: sample["messages"]),
        nearly_good().map(lambda sample: sample["messages"]),
    )
)
def test_plain_messages_are_never_refused(parts):
    if chats.is_plain(parts):
        for version in chats.VERSIONS:
            assert not refused({"messages": parts}, version)
            assert list(chats.chat_findings(parts, True, version)) == []


def test_plain_messages_are_recognized():
    assert chats.is_plain(talk("a", "b", "c", "d", system="s")["messages"])
    others = [with_tool(), talk("a", "b", weight=1), talk("a", " "), talk("a", [text])]
    assert not any(chats.is_plain(sample["messages"]) for sample in others)


def test_version_chooses_the_rules():
    openai_id = with_tool([call("call_abc123")], ("call_abc123",))
    assert reasons_of(openai_id, "v11") == {"tool call"} and not reasons_of(openai_id, "v13")
    thoughts = talk("a", [thinking, text])
    assert reasons_of(thoughts, "v3") == {"field"} and not reasons_of(thoughts, "v13")
    thinking_system = talk("a", "b", system=[thinking])
    assert reasons_of(thinking_system, "v15") == {"field"} and not reasons_of(
        thinking_system, "v13"
    )


# Hostile lines


@pytest.mark.slow
def test_a_line_with_many_problems_lists_a_few_and_counts_the_others(tmp_path):
    many = {"messages": [{"role": "user", "content": 5, "name": "x"}] * 50_000}
    report = finetuning.check(save(tmp_path / "data.jsonl", many))
    assert len(report.problems) == rules.MOST + 1
    assert report.problems[-1].reason == "more problems"
    assert report.problems[-1].detail == "and 99,980 more in this line"
    assert (report.lines, report.rejected) == (1, 1)


@pytest.mark.slow
def test_deep_nesting_is_a_problem_and_no_recursion_error(tmp_path):
    deep = b'{"messages": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    parameters = {}
    for _ in range(60):
        parameters = {"properties": {"a": parameters}}
    schema = {**talk("a", "b"), "tools": [tool(parameters=parameters)]}
    arguments = with_tool([call(arguments="[" * 100_000)])
    path = save(tmp_path / "data.jsonl", deep, schema, arguments)
    report = finetuning.check(path)
    assert [p.reason for p in report.problems if p.line != 2] == ["bad JSON", "tool call"]
    with pytest.raises(ValueError, match=r"Line 1 .*correct or delete that line"):
        finetuning.read(path)
    with pytest.raises(ValueError, match="Sample 1"):
        finetuning.write([nested()], tmp_path / "out.jsonl")
    with pytest.raises(ValueError, match="Sample 1"):
        finetuning.split([{**talk("a", "b"), "tools": nested()["deep"]}])
    with pytest.raises(ValueError, match="good sample"):
        finetuning.sample_tokens({**talk("a", "b"), "tools": [tool(parameters=nested())]})


def test_pictures_are_not_fetched(monkeypatch):
    """mistral-common could open them: a check of somebody else's file must not."""
    import socket

    def refuse(*args):
        raise AssertionError("a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    for kind in ("image", "image_url", "audio_url"):
        reasons_of(talk([{"type": kind, kind: "http://127.0.0.1:9/x"}], "b"))


SECRETS = ["ann.lee@example.com", "sk-abcdefghij0123456789", "hf_abcdefghij0123456789"]
SECRETS += ["https://ann:hunter2@example.com", "DE89370400440532013000", "+33199001234"]


def test_no_excerpt_and_no_detail_shows_a_secret(tmp_path):
    wrong = []
    for secret in SECRETS:
        for pad in (0, 30, 55, 75, 1185, 1990):
            words = "x" * pad + " " + secret + " " + "y" * 50
            line = json.dumps(talk(words, words)).encode()
            lines = [line, line[:-2], line + b"}", line.replace(b"y", b"\xff", 1)]
            lines += [line.replace(b"x", b"\xff", 1), line.replace(b"@", b"\\u0040")[:-2]]
            lines += [json.dumps([words]).encode(), talk(words, 5), talk("a", "b", **{words: 1})]
            lines += [{"messages": [{"role": words, "content": "a"}]}]
            lines += [{"text": "a", "labels": {words: 5}}, with_tool([call(name=words)])]
            lines += [with_tool([call(words)])]
            report = finetuning.check(save(tmp_path / "data.jsonl", *lines))
            shown = repr(report.problems) + repr(report)
            shown = shown.replace("\\\\", "\\").replace("\\u0040", "@")
            if secret in shown or report.good:
                wrong.append((secret, pad, report.good))
    assert wrong == []
