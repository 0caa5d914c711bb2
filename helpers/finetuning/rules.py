"""What is wrong with one line of training data, taken alone."""

from __future__ import annotations

import collections
import itertools
import json
import unicodedata
from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic_core import from_json

from ..reply import Json
from .chats import Finding, chat_findings, is_plain, tools_problem
from .files import LONGEST
from .report import Problem
from .secrets import find_secrets, hide_secrets
from .tokens import sample_tokens

REASONS = {
    "blank line": "nothing but whitespace: a loop of json.loads stops here",
    "byte order mark": "the file begins with the bytes EF BB BF, which json.loads refuses",
    "not UTF-8": "the bytes are not UTF-8 text",
    "bad JSON": "not one JSON value: also NaN, half a surrogate pair, over 200 levels, two values",
    "not an object": "a JSON value, but not an object in braces",
    "repeated key": "a key that an object has twice: readers keep the first or the last",
    "format": "none of the formats, two of them at once, or not the one asked for",
    "field": "a field is missing, unknown, or of a wrong type",
    "role": "a message's role is missing, or none of system, user, assistant, tool",
    "empty content": "no text, or only whitespace",
    "wrong order": "a role that can't follow the one before",
    "last message": "the last message is not the assistant's, or only the beginning of one",
    "tool call": "calls and results don't pair, or a call, a result or a tool is malformed",
    "weight": "an assistant message's weight is not 0 or 1, or all weights are 0",
    "labels": "labels are not a text, or a list of texts, for each target",
    "too long": "more tokens than the context, or too many bytes to be read",
    "e-mail address": "an e-mail address, which a model may repeat to anybody",
    "API key": "an API key, a token or a private key",
    "password in a URL": "a URL with a user's name and password before the host",
    "bank account": "an IBAN with the right check digits",
    "phone number": "a number that begins with + or 0, of nine digits or more, and not after a word such as order",
    "duplicate": "the same words as an earlier line",
    "duplicate but for whitespace or case": "the same apart from whitespace and capital letters",
    "near-duplicate": "nearly the same words as an earlier line",
    "contradiction": "an earlier line has another answer to the same prompt",
    "test leak": "the test file has the same prompt or nearly the same text",
    "more problems": "this line has more problems than a report lists",
}
KEYS = {"labels": "classifier", "messages": "chat", "text": "text"}
MOST = 20  # problems of a line's form that a report lists
# Other trainers' formats, by the keys that they have.
FORMATS = {
    "conversations": "ShareGPT: turn conversations into messages",
    "instruction output": "Alpaca: make a question of instruction and input, an answer of output",
    "chosen rejected": "preference data: it compares two answers, fine-tuning learns one",
    "prompt completion": "pairs: make a message of the user of prompt, and one of the assistant of completion",
    "interactions": "unknown here: rename interactions to messages",
}
BESIDE_MESSAGES = {
    "text": "it has both messages and text",
    "available_tools": "rename available_tools to tools",
    "functions": "rename functions to tools",
}
# Whitespace in ASCII, as str.split has it.
SPACE = b" \t\r\n\v\f\x1c\x1d\x1e\x1f"


class Sample(NamedTuple):
    """A line without problems of its own, as other lines are compared with it."""

    prompt: str
    answer: str
    text: str  # all but the system prompt, which whole files share


def check_line(
    line: bytes, kind: str | None, context: int, version: str
) -> tuple[str | None, list[Problem], Sample | None]:
    """A line's kind (of `KEYS`, None if unknown), its problems, and its sample if it has none.

    The problems have no line number yet. Of its form, those after the first `MOST` are only counted.
    """
    sample = _parse(line)
    if isinstance(sample, tuple):
        return None, [_problem(*sample)], None
    found = next((kind for key, kind in KEYS.items() if key in sample), None)
    form = _form(sample, found, kind, version)
    findings = list(itertools.islice(form, MOST))
    left = sum(1 for _ in form)
    strings, keys = _strings(sample)
    # Each key and each string has two quotation marks; only a repeated key leaves more.
    marks = line.count(b'"') - line.count(b'\\"')
    if (marks != 2 * (keys + len(strings)) or b"\\\\" in line) and (twice := _repeated(line)):
        findings.append(("repeated key", f"{excerpt(twice, 40)} is there twice", sample))
    # Tokens can be counted of what has a good form; a token takes at least a byte.
    if not findings and len(line) > context // 2 and sample_tokens(sample) > context:
        findings.append(("too long", f"more than the {context:,} tokens of the context", sample))
    findings += find_secrets(line, strings)
    problems = [_problem(*finding) for finding in findings]
    if left:
        problems.append(Problem(0, "more problems", f"and {left:,} more in this line", ""))
    return found, problems, None if problems else comparable(sample)


def comparable(sample: Json) -> Sample:
    """What samples are compared by. Weights, the ids of calls and the order of keys don't count."""
    labels = json.dumps(sample["labels"], sort_keys=True) if "labels" in sample else ""
    if "messages" not in sample:
        return Sample(sample["text"], labels, sample["text"])
    messages = sample["messages"]
    texts = [_content(message) for message in messages]
    turns = [
        f"{message['role']}\1{text}\1{_calls(message)}"
        for message, text in zip(messages, texts, strict=True)
    ]
    answer = labels or turns.pop()
    if tools := sample.get("tools"):
        turns.append(json.dumps(tools, sort_keys=True))
    if messages[0]["role"] == "system":
        del texts[0]
    return Sample("\2".join(turns), answer, "\n".join(texts))


def normalize(text: str) -> bytes:
    """The text without whitespace and case, by which prompts and answers are the same."""
    if text.isascii():
        return text.lower().encode().translate(None, SPACE)
    return "".join(unicodedata.normalize("NFC", text).casefold().split()).encode()


def excerpt(value: Any, width: int = 80) -> str:
    """The beginning of a text, or of a value as JSON, on one line and without secrets."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = hide_secrets(" ".join(text[: 20 * width].split()))
    return text if len(text) <= width else text[: width - 1] + "…"


def _problem(reason: str, detail: str, shown: Any) -> Problem:
    return Problem(0, reason, excerpt(detail, 120), excerpt(shown))


def _parse(line: bytes) -> Json | Finding:
    """The sample, or why there is none."""
    if not line or line.isspace():
        return "blank line", "", ""
    if line.startswith(b"\xef\xbb\xbf"):
        return "byte order mark", "remove the first three bytes", ""
    if len(line) > LONGEST:
        detail = f"over {LONGEST:,} bytes in one line: is it one JSON array, not JSON Lines?"
        return "too long", detail, line[:2000].decode(errors="replace")
    try:
        sample = from_json(line, allow_inf_nan=False, cache_strings="keys")
    except ValueError as error:
        return _unreadable(line, str(error))
    if isinstance(sample, dict):
        return sample
    what = "an array: put each sample on its own line" if isinstance(sample, list) else "one value"
    return "not an object", f"it is {what}", sample


def _unreadable(line: bytes, error: str) -> Finding:
    what, _, column = error.partition(" at line 1 column ")
    at = int(column) if column.isdecimal() else 1
    reason, detail = "bad JSON", f"{what}, at byte {at}"
    try:
        line.decode()
    except UnicodeDecodeError as wrong:
        at = wrong.start
        reason, detail = "not UTF-8", f"byte {at + 1} is {line[at]:#04x}"
    # Secrets are hidden before anything is cut: half a secret isn't recognized.
    before = hide_secrets(line[max(0, at - 2000) : at].decode(errors="replace"))
    after = hide_secrets(line[at : at + 2000].decode(errors="replace"))
    return reason, detail, before[-40:] + after


def _form(sample: Json, found: str | None, kind: str | None, version: str) -> Iterator[Finding]:
    """What a trainer would refuse or ignore, whatever the words are."""
    if found is None:
        hints = (hint for keys, hint in FORMATS.items() if sample.keys() >= {*keys.split()})
        yield "format", f"it is {next(hints, 'neither messages nor text')}", sample
    elif kind and found != kind:
        yield "format", f"it is {found}, not {kind}", sample
    elif "messages" in sample:
        if not is_plain(sample["messages"]):
            yield from chat_findings(sample["messages"], found == "chat", version)
        for key, detail in BESIDE_MESSAGES.items():
            if key in sample:
                yield "format", detail, sample
    elif not isinstance(sample.get("text"), str):
        yield "field", "text is not a text", sample
    elif not sample["text"].strip():
        yield "empty content", "text is empty", sample
    if found == "classifier" and not _good_labels(sample["labels"]):
        yield "labels", f"labels is {excerpt(sample['labels'], 40)}", sample
    if sample.get("tools") and (problem := tools_problem(json.dumps(sample["tools"]), version)):
        yield "tool call", f"tools: {problem}", sample["tools"]


def _good_labels(labels: Any) -> bool:
    values = labels.values() if isinstance(labels, dict) else ()
    lists = [value if isinstance(value, list) else [value] for value in values]
    texts = [text for texts in lists for text in texts]
    return all([lists, *lists]) and all(isinstance(text, str) and text.strip() for text in texts)


def _content(message: Json) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text") or json.dumps(part, sort_keys=True) for part in content)


def _calls(message: Json) -> str:
    calls = message.get("tool_calls")
    return json.dumps([call["function"] for call in calls], sort_keys=True) if calls else ""


def _strings(value: Any) -> tuple[list[str], int]:
    """All texts in a value, and how many keys its objects have."""
    found, keys, todo = [], 0, [value]
    for item in todo:  # which grows
        kind = type(item)
        if kind is str:
            found.append(item)
        elif kind is dict:
            keys += len(item)
            todo += item.values()
        elif kind is list:
            todo += item
    return found, keys


def _repeated(line: bytes) -> str | None:
    """The first key that an object has twice."""
    twice: list[str] = []

    def members(pairs: list[tuple[str, Any]]) -> None:
        counts = collections.Counter(name for name, _ in pairs)
        twice.extend(name for name, count in counts.items() if count > 1)

    json.loads(line.decode(), object_pairs_hook=members)
    return twice[0] if twice else None
