"""What is wrong with one line of training data, taken alone."""

from __future__ import annotations

import collections
import functools
import json
import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from pydantic_core import from_json

from . import tokens
from .secrets import hide_secrets, secrets

REASONS = {
    "blank line": "nothing but white space: a loop of json.loads stops here",
    "byte order mark": "the file begins with the bytes EF BB BF, which json.loads refuses",
    "not UTF-8": "the bytes are not UTF-8 text",
    "bad JSON": "not one JSON value: also NaN, half a surrogate pair, over 200 levels, two values",
    "not an object": "a JSON value, but no object in braces",
    "repeated key": "one key twice in an object: readers keep the first or the last",
    "format": "none of the formats, two of them at once, or another one than asked for",
    "field": "a field is missing, unknown, or of a wrong type",
    "role": "a message's role is missing, or none of system, user, assistant, tool",
    "empty content": "no text, or only white space",
    "wrong order": "not: system or none, then user and assistant in turn",
    "last message": "the last message is not the assistant's, or only the beginning of one",
    "tool call": "calls and results don't pair, or a call, a result or a tool is malformed",
    "weight": "an assistant message's weight is not 0 or 1, or there is nothing but 0",
    "labels": "labels are not one text, or list of texts, for each target",
    "too long": "more tokens than the context",
    "e-mail address": "an e-mail address, which a model may repeat to anybody",
    "API key": "an API key, a token or a private key",
    "duplicate": "the same words as an earlier line",
    "duplicate but for white space or case": "the same without white space and capital letters",
    "near-duplicate": "nearly the same words as an earlier line",
    "contradiction": "an earlier line has another answer to the same prompt",
    "test leak": "the test file has the same prompt or nearly the same text",
}
KINDS = ("chat", "classifier", "text")
LONGEST = 64 * 2**20  # bytes of a line that is read at all: memory stays bounded
FIELDS = {
    "system": {"role", "content"},
    "user": {"role", "content"},
    "assistant": {"role", "content", "tool_calls", "prefix", "weight"},
    "tool": {"role", "content", "tool_call_id", "name"},
}
AFTER = {
    None: ("system", "user"),
    "system": ("user",),
    "user": ("assistant",),
    "assistant": ("user", "tool"),
    "tool": ("tool", "assistant"),
}
OLD_NAMES = {"interactions": "messages", "available_tools": "tools", "functions": "tools"}
SPACE = b" \t\r\n\v\f\x1c\x1d\x1e\x1f"  # what str.split takes for white space in ASCII
NAME, CALL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}"), re.compile(r"[a-zA-Z0-9]{9}")
Json = dict[str, Any]


class Fault(NamedTuple):
    """One thing that is wrong: a reason of `REASONS`, what exactly, and the text that shows it."""

    reason: str
    detail: str
    excerpt: str


class Sample(NamedTuple):
    """A line without faults of its own, as other lines are compared with it."""

    prompt: str
    answer: str
    text: str  # all but the system prompt, which whole files share


def look(
    line: bytes, kind: str | None, context: int
) -> tuple[str | None, list[Fault], Sample | None]:
    """A line's kind (of `KINDS`, None if unknown), its faults, and the sample where it has none."""
    if not line.strip():
        return None, [Fault("blank line", "", "")], None
    if line.startswith(b"\xef\xbb\xbf"):
        return None, [Fault("byte order mark", "take the first three bytes away", "")], None
    if len(line) > LONGEST:
        detail = f"over {LONGEST:,} bytes in one line: is it one JSON array, not JSON Lines?"
        return None, [Fault("too long", detail, line[:2000].decode(errors="replace"))], None
    try:
        sample = from_json(line, allow_inf_nan=False, cache_strings="keys")
    except ValueError as error:
        return None, [_unreadable(line, str(error))], None
    if type(sample) is not dict:
        what = (
            "an array: a sample goes into each line" if type(sample) is list else "a single value"
        )
        return None, [Fault("not an object", f"it is {what}", line.decode())], None
    found = kind_of(sample)
    faults = list(_faults(sample, found, kind))
    strings, names = _strings(sample)
    # Each name and each string has two quotation marks; names that come twice have more.
    marks = line.count(b'"') - line.count(b'\\"')
    if marks != 2 * (names + len(strings)) or b"\\\\" in line:
        faults += _repeated(line)
    sound = not faults  # tokens can be counted
    faults += [Fault(*leak) for leak in secrets(line, strings)]
    if len(line) > context // 2 and sound and _is_long(sample, strings, context):
        detail = f"more than the {context:,} tokens of the context"
        faults.append(Fault("too long", detail, _first(sample)))
    return found, faults, None if faults else comparable(sample)


def _is_long(sample: Json, strings: list[str], context: int) -> bool:
    # A word is at least one token: what is far too long needs no tokenizer. Nor all of it: what is
    # long by a tenth when counted in pieces is too long, too.
    words = sum(len(text.split()) for text in strings)
    if (
        words > context
        or tokens.count_tokens(sample, at_most=context + context // 10) > 1.1 * context
    ):
        return True
    return tokens.count_tokens(sample) > context


def kind_of(sample: Json) -> str | None:
    """Which of `KINDS` a sample is meant to be, by its names."""
    if "labels" in sample:
        return "classifier"
    if "messages" in sample or not sample.keys().isdisjoint(OLD_NAMES):
        return "chat"
    return "text" if "text" in sample else None


def comparable(sample: Json) -> Sample:
    """What samples are compared by. Weights and the ids of calls don't count, nor the order of names."""
    labels = json.dumps(sample["labels"], sort_keys=True) if "labels" in sample else ""
    if "messages" not in sample:
        return Sample(sample["text"], labels, sample["text"])
    messages = sample["messages"]
    texts = [_content(message) for message in messages]
    said = [
        f"{message['role']}\1{text}\1{_calls(message)}"
        for message, text in zip(messages, texts, strict=True)
    ]
    answer = labels or said.pop()
    if tools := sample.get("tools"):
        said.append(json.dumps(tools, sort_keys=True))
    if messages[0]["role"] == "system":
        del texts[0]
    return Sample("\2".join(said), answer, "\n".join(texts))


def tight(text: str) -> bytes:
    """The text without white space and case, by which prompts and answers are the same."""
    if text.isascii():
        return text.lower().encode().translate(None, SPACE)
    return "".join(unicodedata.normalize("NFC", text).casefold().split()).encode()


def _content(message: Json) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text") or json.dumps(part, sort_keys=True) for part in content)


def _calls(message: Json) -> str:
    calls = message.get("tool_calls")
    return json.dumps([call["function"] for call in calls], sort_keys=True) if calls else ""


def _faults(sample: Json, found: str | None, kind: str | None) -> Iterator[Fault]:
    if found is None or (kind and found != kind):
        what = f"it is {found}, not {kind}" if found else "neither messages nor text"
        if sample.keys() >= {"prompt", "completion"}:
            what += ": from_pairs makes messages of prompt and completion"
        yield Fault("format", what, _first(sample))
        return
    for old, new in OLD_NAMES.items():
        if old in sample:
            yield Fault("format", f"rename {old} to {new}", _first(sample))
    if "messages" in sample and "text" in sample:
        yield Fault("format", "both messages and text", _first(sample))
    elif "messages" in sample:
        yield from _chat(sample["messages"], found)
    elif "text" in sample or found == "classifier":
        text = sample.get("text")
        if not isinstance(text, str):
            yield Fault("field", "text is not a text", _first(sample))
        elif not text.strip():
            yield Fault("empty content", "text is empty", _first(sample))
    if found == "classifier" and not _good_labels(sample["labels"]):
        yield Fault("labels", f"labels is {_short(sample['labels'])}", _first(sample))
    if sample.get("tools") is not None:
        yield from _tools(sample["tools"])


def _chat(messages: Any, kind: str) -> Iterator[Fault]:
    if not isinstance(messages, list):
        yield Fault("field", "messages is not a list", _first(messages))
        return
    if not messages:
        yield Fault("empty content", "there are no messages", "{}")
        return
    before: str | None = None
    pending: dict[str, bool] = {}  # the ids of the last tool calls: whether they have their result
    for number, message in enumerate(messages):
        role = message.get("role") if type(message) is dict else None
        if type(role) is not str or role not in FIELDS:
            yield _at(number, "role", f"role is {_short(role)}", message)
            return  # what follows would be guesses
        if role not in AFTER[before]:
            yield _at(number, "wrong order", f"{role} after {before or 'nothing'}", message)
        if role != "tool" and pending and not all(pending.values()):
            yield _at(number, "tool call", "a call before has no result", message)
        content = message.get("content")
        # Plain messages are nearly all there are: nothing more to look at.
        plain = len(message) == 2 and role != "tool" and type(content) is str and content.strip()
        if plain:
            pending.clear()
        else:
            yield from _message(number, message, content, pending)
        before = role
    if kind == "chat":
        if before != "assistant":
            yield _at(number, "last message", f"it is the {before}'s", message)
        elif all(m.get("weight") == 0 for m in messages if m["role"] == "assistant"):
            yield _at(number, "weight", "all weights are 0: nothing to learn", message)


def _message(number: int, message: Json, content: Any, pending: dict[str, bool]) -> Iterator[Fault]:
    """The faults of one message. Notes in `pending` which calls wait for a result."""
    role, calls = message["role"], message.get("tool_calls")
    fault = functools.partial(_at, number, message=message)
    for name in sorted(message.keys() - FIELDS[role]):
        yield fault("field", f"{role} messages have no {_short(name)}")
    if isinstance(content, list):
        yield from _parts(content, role, fault)
    elif content is not None and not isinstance(content, str):
        yield fault("field", "content is not a text")
    elif content is None if role == "tool" else not (content or "").strip() and not calls:
        yield fault("empty content", f"the {role} says nothing")
    if role == "tool":
        yield from _result(message, pending, fault)
        return
    pending.clear()
    if role == "assistant":
        weight = message.get("weight")
        if weight is not None and (type(weight) not in (int, float) or weight not in (0, 1)):
            yield fault("weight", f"weight is {_short(weight)}")
        if message.get("prefix") not in (None, False):
            yield fault("last message", "prefix: the message is only a beginning")
        if calls and content:
            yield fault("tool call", "content beside tool_calls")
        if calls is not None:
            yield from _tool_calls(calls, pending, fault)


def _parts(parts: list[Any], role: str, fault: Callable[[str, str], Fault]) -> Iterator[Fault]:
    said = False
    for part in parts:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind == "text" and part.keys() == {"type", "text"} and isinstance(part["text"], str):
            said = said or bool(part["text"].strip())
        elif kind == "image_url" and role == "user" and _is_image(part):
            said = True
        else:
            yield fault("field", f"a part that is no text of the {role}: {_short(part)}")
            return
    if not said and role != "tool":
        yield fault("empty content", f"the {role} says nothing")


def _is_image(part: Json) -> bool:
    image = part.get("image_url")
    if isinstance(image, dict):
        detail = image.get("detail")
        if image.keys() - {"url", "detail"} or not isinstance(detail, str | None):
            return False
        image = image.get("url")
    return part.keys() == {"type", "image_url"} and isinstance(image, str) and bool(image)


def _result(
    message: Json, pending: dict[str, bool], fault: Callable[[str, str], Fault]
) -> Iterator[Fault]:
    call_id, name = message.get("tool_call_id"), message.get("name")
    if not isinstance(call_id, str) or not CALL_ID.fullmatch(call_id):
        yield fault("tool call", "tool_call_id is not 9 letters and digits")
    elif pending.get(call_id, True):
        yield fault("tool call", f"no call waits for the result {call_id}")
    if isinstance(call_id, str) and call_id in pending:
        pending[call_id] = True
    if name is not None and not (isinstance(name, str) and NAME.fullmatch(name)):
        yield fault("tool call", f"name is {_short(name)}")


def _tool_calls(
    calls: Any, pending: dict[str, bool], fault: Callable[[str, str], Fault]
) -> Iterator[Fault]:
    if not isinstance(calls, list):
        yield fault("tool call", "tool_calls is not a list")
        return
    for call in calls:
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict) or call.keys() - {"id", "type", "function"}:
            yield fault("tool call", f"not id, type and function: {_short(call)}")
            continue
        call_id = call.get("id")
        if not isinstance(call_id, str) or not CALL_ID.fullmatch(call_id):
            yield fault("tool call", f"id is {_short(call_id)}, not 9 letters and digits")
        elif call_id in pending:
            yield fault("tool call", f"the id {call_id} is there twice")
        if isinstance(call_id, str):
            pending[call_id] = False
        if call.get("type", "function") != "function":
            yield fault("tool call", f"type is {_short(call['type'])}")
        if function.keys() != {"name", "arguments"} or not _is_name(function["name"]):
            yield fault("tool call", f"not a function's name and arguments: {_short(function)}")
        elif not _is_object(function["arguments"]):
            yield fault("tool call", "arguments is not the text of a JSON object")


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and bool(NAME.fullmatch(name))


def _is_object(arguments: Any) -> bool:
    try:
        return isinstance(arguments, str) and isinstance(from_json(arguments), dict)
    except ValueError:
        return False


def _tools(tools: Any) -> Iterator[Fault]:
    if not isinstance(tools, list):
        yield Fault("tool call", "tools is not a list", _first(tools))
        return
    for tool in tools:
        function = tool.get("function") if isinstance(tool, dict) else None
        if (
            not isinstance(function, dict)
            or tool.keys() - {"type", "function"}
            or tool.get("type", "function") != "function"
            or function.keys() - {"name", "description", "parameters", "strict"}
            or not _is_name(function.get("name"))
            or not isinstance(function.get("description"), str)
            or not isinstance(function.get("parameters"), dict)
            or not isinstance(function.get("strict", False), bool)
        ):
            yield Fault("tool call", f"not a tool: {_short(tool)}", _first(tool))
        elif wrong := _schema_fault(json.dumps(function["parameters"])):
            yield Fault("tool call", f"parameters: {_short(wrong)}", _first(tool))


@functools.lru_cache(1000)  # whole files share their tools
def _schema_fault(schema: str) -> str:
    from mistral_common.utils.json_utils import validate_json_schema_by_draft7

    try:
        validate_json_schema_by_draft7(json.loads(schema))
    except ValueError as error:
        return str(error)
    return ""


def _good_labels(labels: Any) -> bool:
    return isinstance(labels, dict) and bool(labels) and all(map(_is_label, labels.values()))


def _is_label(label: Any) -> bool:
    texts = label if isinstance(label, list) else [label]
    return bool(texts) and all(isinstance(text, str) and text.strip() for text in texts)


def _strings(value: Any) -> tuple[list[str], int]:
    """All texts in a value, and how many names its objects have."""
    found, names, todo = [], 0, [value]
    for item in todo:  # which grows
        kind = type(item)
        if kind is str:
            found.append(item)
        elif kind is dict:
            names += len(item)
            todo += item.values()
        elif kind is list:
            todo += item
    return found, names


def _repeated(line: bytes) -> list[Fault]:
    twice: list[str] = []

    def members(pairs: list[tuple[str, Any]]) -> None:
        counts = collections.Counter(name for name, _ in pairs)
        twice.extend(name for name, count in counts.items() if count > 1)

    text = line.decode()
    json.loads(text, object_pairs_hook=members)
    return [Fault("repeated key", f"{_short(twice[0])} is there twice", text)] if twice else []


def _unreadable(line: bytes, error: str) -> Fault:
    try:
        line.decode()
    except UnicodeDecodeError as wrong:
        at = wrong.start
        return Fault("not UTF-8", f"byte {at + 1} is {line[at]:#04x}", _around(line, at))
    what, _, column = error.partition(" at line 1 column ")
    at = int(column) if column.isdecimal() else 1
    return Fault("bad JSON", f"{what}, at byte {at}", _around(line, at))


def _around(line: bytes, at: int) -> str:
    """What stands before and after a place; secrets go first, a cut one could not be known."""
    before = hide_secrets(line[max(0, at - 2000) : at].decode(errors="replace"))
    return before[-40:] + hide_secrets(line[at : at + 2000].decode(errors="replace"))


def _at(number: int, reason: str, detail: str, message: Any) -> Fault:
    return Fault(reason, f"messages[{number}]: {detail}", _first(message))


def _first(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _short(value: Any) -> str:
    return excerpt(json.dumps(value, ensure_ascii=False), 40)


def excerpt(text: str, width: int = 80) -> str:
    """The beginning of a text on one line, without secrets."""
    text = hide_secrets(" ".join(text[: 20 * width].split()))
    return text if len(text) <= width else text[: width - 1] + "…"
