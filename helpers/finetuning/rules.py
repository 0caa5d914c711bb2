"""What is wrong with one line of training data, taken alone."""

from __future__ import annotations

import collections
import functools
import itertools
import json
import unicodedata
from collections.abc import Iterator
from typing import Any, NamedTuple

from mistral_common.exceptions import MistralCommonException
from mistral_common.protocol.instruct.messages import FinetuningMessage
from mistral_common.protocol.instruct.tool_calls import Tool
from mistral_common.protocol.instruct.validator import ValidationMode, get_validator
from mistral_common.tokens.tokenizers.base import TokenizerVersion
from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

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
    "API key": "an API key, a token, a password in an address, or a private key",
    "duplicate": "the same words as an earlier line",
    "duplicate but for whitespace or case": "the same apart from whitespace and capital letters",
    "near-duplicate": "nearly the same words as an earlier line",
    "contradiction": "an earlier line has another answer to the same prompt",
    "test leak": "the test file has the same prompt or nearly the same text",
    "more problems": "this line has more problems than a report lists",
}
KINDS = ("chat", "classifier", "text")
VERSIONS = tuple(TokenizerVersion.__members__)
MOST = 20  # problems of a line that a report lists
FORMATS = {
    (
        "conversations",
    ): "it is ShareGPT: write conversations, from and value as messages, role and content",
    (
        "instruction",
        "output",
    ): "it is Alpaca: make a user's message of instruction and input, an answer of output",
    (
        "chosen",
        "rejected",
    ): "it is preference data (DPO): it compares two answers, fine-tuning learns one",
    ("prompt", "completion"): "it is pairs: from_pairs makes messages of prompt and completion",
    ("interactions",): "rename interactions to messages",
}
RENAMED_TOOLS = ("available_tools", "functions")
# Where the validator's exceptions tell their reason only in words.
REASON_OF = {
    "last role": "last message",
    "final message": "last message",
    "prefix": "last message",
    "weight": "weight",
    "unexpected role": "wrong order",
    "conversation must": "wrong order",
    "chunk": "field",
    "content": "field",
}
PLAIN_AFTER = {
    None: ("system", "user"),
    "system": ("user",),
    "user": ("assistant",),
    "assistant": ("user",),
}
SPACE = b" \t\r\n\v\f\x1c\x1d\x1e\x1f"  # what str.split takes for whitespace in ASCII
SLICE = 1000  # messages that are validated at once: the memory for their errors stays bounded
MESSAGES = TypeAdapter(list[FinetuningMessage])
TOOLS = TypeAdapter(list[Tool])
Json = dict[str, Any]
Finding = tuple[str, str, Any]  # reason, detail, and the text or value that shows it


class Sample(NamedTuple):
    """A line without problems of its own, as other lines are compared with it."""

    prompt: str
    answer: str
    text: str  # all but the system prompt, which whole files share


def check_line(
    line: bytes, kind: str | None, context: int, version: str
) -> tuple[str | None, list[Problem], Sample | None]:
    """A line's kind (of `KINDS`, None if unknown), its problems, and its sample if it has none.

    Its problems have no line number yet, and are at most `MOST` and one that counts the others.
    """
    try:
        sample = _parse(line)
    except _UnreadableError as error:
        return None, [_problem(*error.args)], None
    found = kind_of(sample)
    findings = _findings(sample, line, found, kind, context, version)
    problems = list(itertools.starmap(_problem, itertools.islice(findings, MOST)))
    if left := sum(1 for _ in findings):
        problems.append(Problem(0, "more problems", f"and {left:,} more in this line", ""))
    return found, problems, None if problems else comparable(sample)


def kind_of(sample: Json) -> str | None:
    """Which of `KINDS` a sample is meant to be, by its keys."""
    if "labels" in sample:
        return "classifier"
    return next(
        (kind for kind, key in (("chat", "messages"), ("text", "text")) if key in sample), None
    )


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


class _UnreadableError(Exception):
    """A line that is no sample at all: its arguments are a finding."""


def _parse(line: bytes) -> Json:
    if not line.strip():
        raise _UnreadableError("blank line", "", "")
    if line.startswith(b"\xef\xbb\xbf"):
        raise _UnreadableError("byte order mark", "remove the first three bytes", "")
    if len(line) > LONGEST:
        detail = f"over {LONGEST:,} bytes in one line: is it one JSON array, not JSON Lines?"
        raise _UnreadableError("too long", detail, line[:2000].decode(errors="replace"))
    try:
        sample = from_json(line, allow_inf_nan=False, cache_strings="keys")
    except ValueError as error:
        raise _UnreadableError(*_unreadable(line, str(error))) from None
    if not isinstance(sample, dict):
        what = (
            "an array: put each sample on its own line"
            if isinstance(sample, list)
            else "a single value"
        )
        raise _UnreadableError("not an object", f"it is {what}", line.decode())
    return sample


def _unreadable(line: bytes, error: str) -> Finding:
    try:
        line.decode()
    except UnicodeDecodeError as wrong:
        at = wrong.start
        return "not UTF-8", f"byte {at + 1} is {line[at]:#04x}", _around(line, at)
    what, _, column = error.partition(" at line 1 column ")
    at = int(column) if column.isdecimal() else 1
    return "bad JSON", f"{what}, at byte {at}", _around(line, at)


def _around(line: bytes, at: int) -> str:
    """What stands before and after a place. Secrets are hidden first: a cut one isn't recognized."""
    before = hide_secrets(line[max(0, at - 2000) : at].decode(errors="replace"))
    return before[-40:] + hide_secrets(line[at : at + 2000].decode(errors="replace"))


def _findings(
    sample: Json, line: bytes, found: str | None, kind: str | None, context: int, version: str
) -> Iterator[Finding]:
    sound = True
    for sound_finding in _form(sample, found, kind, version):
        sound = False
        yield sound_finding
    strings, keys = _strings(sample)
    # Each key and each string has two quotation marks; only a repeated key leaves more.
    marks = line.count(b'"') - line.count(b'\\"')
    if (marks != 2 * (keys + len(strings)) or b"\\\\" in line) and (twice := _repeated(line)):
        sound = False
        yield "repeated key", f"{excerpt(twice, 40)} is there twice", line.decode()
    yield from find_secrets(line, strings)
    if sound and len(line) > context // 2 and sample_tokens(sample) > context:
        yield "too long", f"more than the {context:,} tokens of the context", sample


def _form(sample: Json, found: str | None, kind: str | None, version: str) -> Iterator[Finding]:
    """What a trainer would refuse, or silently leave out, whatever the words are."""
    if found is None or (kind and found != kind):
        names = (hint for keys, hint in FORMATS.items() if sample.keys() >= set(keys))
        what = (
            f"it is {found}, not {kind}"
            if found
            else next(names, "it has neither messages nor text")
        )
        yield "format", what, sample
        return
    if "messages" in sample and "text" in sample:
        yield "format", "it has both messages and text", sample
    for name in RENAMED_TOOLS:
        if name in sample:
            yield "format", f"rename {name} to tools", sample
    if "messages" in sample and not is_plain(sample["messages"]):
        yield from _chat(sample["messages"], found, version)
    if "messages" not in sample and not isinstance(sample.get("text"), str):
        yield "field", "text is not a text", sample
    elif "messages" not in sample and not sample["text"].strip():
        yield "empty content", "text is empty", sample
    if found == "classifier" and not _good_labels(sample["labels"]):
        yield "labels", f"labels is {excerpt(sample['labels'], 40)}", sample
    if sample.get("tools") is not None:
        yield from _tools(sample["tools"], version)


def is_plain(messages: Any) -> bool:
    """Whether these are texts of user and assistant in turn: the validator has nothing to refuse.

    Nearly all data is, and this takes a tenth of its time (4 instead of 40 µs for a line of 1 kB).
    """
    before: Any = None
    for message in messages if type(messages) is list else ():
        if type(message) is not dict or len(message) != 2:
            return False
        role, content = message.get("role"), message.get("content")
        if type(content) is not str or not content or content.isspace():
            return False
        if type(role) is not str or role not in PLAIN_AFTER.get(before, ()):
            return False
        before = role
    return before == "assistant"


def _chat(messages: Any, kind: str, version: str) -> Iterator[Finding]:
    if not isinstance(messages, list):
        yield "field", "messages is not a list", messages
        return
    if not messages:
        yield "empty content", "there are no messages", messages
        return
    checked = []
    for start in range(0, len(messages), SLICE):
        try:
            checked += MESSAGES.validate_python(messages[start : start + SLICE])
        except ValidationError as error:
            checked = []
            yield from _fields(error, messages, start)
    if len(checked) != len(messages):
        return
    mode = ValidationMode.finetuning if kind == "chat" else ValidationMode.agnostic
    try:
        _validator(version, mode).validate_messages(checked)
    except (MistralCommonException, ValueError) as error:
        yield _reason_of(error), str(error), {"messages": messages}
    for number, message in enumerate(messages):
        if _is_empty(message):
            yield "empty content", f"messages[{number}]: the {message['role']}'s is empty", message
        for call in message.get("tool_calls") or ():
            if not _is_object(call["function"]["arguments"]):
                detail = f"messages[{number}]: arguments is not the text of a JSON object"
                yield "tool call", detail, message
    answers = [message for message in messages if message["role"] == "assistant"]
    if answers and all(message.get("weight") == 0 for message in answers):
        yield "weight", "all weights are 0: there is nothing to learn", messages[-1]


@functools.cache
def _validator(version: str, mode: ValidationMode) -> Any:
    return get_validator(TokenizerVersion(version), mode)


def _fields(error: ValidationError, messages: list[Any], start: int) -> Iterator[Finding]:
    """One finding for each field that pydantic refuses; of a union it reports all members."""
    seen = set()
    for item in error.errors(include_url=False, include_context=False, include_input=False):
        number, *path = item["loc"]
        at, name = start + int(number), str(path[1]) if len(path) > 1 else ""
        is_list = name == "content" and isinstance(messages[at]["content"], list)
        if (at, name) in seen or (is_list and path[2:3] == ["str"]):
            continue
        seen.add((at, name))
        if item["type"].startswith("union_tag"):
            role = messages[at].get("role")
            yield "role", f"messages[{at}]: role is {excerpt(role, 40)}", messages[at]
        else:
            reason = "weight" if name == "weight" else "tool call" if "tool" in name else "field"
            where = ".".join([f"messages[{at}]", *([name] if name else [])])
            yield reason, f"{where}: {item['msg']}", messages[at]


def _reason_of(error: Exception) -> str:
    text = str(error).lower()
    return next((reason for words, reason in REASON_OF.items() if words in text), "tool call")


def _tools(tools: Any, version: str) -> Iterator[Finding]:
    text = json.dumps(tools)
    # Whole files share their tools, and checking a schema takes a millisecond.
    checked = _cached_tools_problem if len(text) < 100_000 else _tools_problem
    if problem := checked(text, version):
        yield "tool call", f"tools: {problem}", tools


def _tools_problem(text: str, version: str) -> str:
    from mistral_common.protocol.instruct.request import ChatCompletionRequest

    try:
        tools = TOOLS.validate_json(text)
        chat = MESSAGES.validate_python(
            [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
        )
        request = ChatCompletionRequest[FinetuningMessage].model_construct(
            messages=chat, tools=tools
        )
        _validator(version, ValidationMode.finetuning).validate_request(request)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    except RecursionError:
        return "nested too deep"
    except (MistralCommonException, ValueError) as error:
        return str(error)
    return ""


_cached_tools_problem = functools.lru_cache(100)(_tools_problem)


def _is_empty(message: Json) -> bool:
    content = message.get("content")
    if message["role"] == "tool" or message.get("tool_calls"):
        return False
    if isinstance(content, list):
        return all(part["type"] == "text" and not part["text"].strip() for part in content)
    return not (content or "").strip()


def _is_object(arguments: Any) -> bool:
    try:
        return isinstance(from_json(arguments) if isinstance(arguments, str) else arguments, dict)
    except ValueError:
        return False


def _good_labels(labels: Any) -> bool:
    return isinstance(labels, dict) and bool(labels) and all(map(_is_label, labels.values()))


def _is_label(label: Any) -> bool:
    texts = label if isinstance(label, list) else [label]
    return bool(texts) and all(isinstance(text, str) and text.strip() for text in texts)


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


def _repeated(line: bytes) -> str:
    """The first key that an object has twice, or nothing."""
    twice: list[str] = []

    def members(pairs: list[tuple[str, Any]]) -> None:
        counts = collections.Counter(name for name, _ in pairs)
        twice.extend(name for name, count in counts.items() if count > 1)

    json.loads(line.decode(), object_pairs_hook=members)
    return twice[0] if twice else ""


def _problem(reason: str, detail: str, shown: Any) -> Problem:
    return Problem(0, reason, excerpt(detail, 120), excerpt(shown))
