"""What mistral-common's validators refuse in the messages of a sample, and what they don't see."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

from mistral_common.exceptions import MistralCommonException
from mistral_common.protocol.instruct.messages import FinetuningMessage
from mistral_common.protocol.instruct.request import ChatCompletionRequest
from mistral_common.protocol.instruct.validator import ValidationMode, get_validator
from mistral_common.tokens.tokenizers.base import TokenizerVersion
from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

VERSIONS = tuple(TokenizerVersion.__members__)
MESSAGES = TypeAdapter(list[FinetuningMessage])
SLICE = 1000  # messages that are parsed at once: the memory for their errors stays bounded
PLAIN_AFTER = {None: "system user", "system": "user", "user": "assistant", "assistant": "user"}
# The validator gives these reasons in words only; all its others concern tools.
REASON_OF = {
    "last role": "last message",
    "final message": "last message",
    "prefix": "last message",
    "weight": "weight",
    "unexpected role": "wrong order",
    "at least one message": "empty content",
    "conversation must": "wrong order",
    "content": "field",
}
Finding = tuple[str, str, Any]  # reason, detail, and the text or value that shows it


def is_plain(messages: Any) -> bool:
    """Whether these are texts of user and assistant in turn, in which there is nothing to refuse.

    Nearly all data is, and this takes a tenth of the validator's time.
    """
    if type(messages) is not list:
        return False
    before = None
    for message in messages:
        if type(message) is not dict or len(message) != 2:
            return False
        role, content = message.get("role"), message.get("content")
        if type(content) is not str or not content or content.isspace():
            return False
        if type(role) is not str or role not in PLAIN_AFTER[before].split():
            return False
        before = role
    return before == "assistant"


def chat_findings(messages: Any, is_chat: bool, version: str) -> Iterator[Finding]:
    """The problems of a sample's messages; without `is_chat`, they need no answer at the end."""
    if not isinstance(messages, list):
        yield "field", "messages is not a list", messages
        return
    parsed, sound = [], True
    for start in range(0, len(messages), SLICE):
        try:
            parsed += MESSAGES.validate_python(messages[start : start + SLICE])
        except ValidationError as error:
            sound = False
            yield from _refused_fields(error, messages, start)
        except RuntimeError as error:  # a picture that is none
            sound = False
            yield "field", str(error), messages[start : start + SLICE]
    if not sound:
        return
    try:
        validator(version, is_chat).validate_messages(parsed)
    except (MistralCommonException, ValueError) as error:
        reasons = (reason for words, reason in REASON_OF.items() if words in str(error).lower())
        yield next(reasons, "tool call"), str(error), messages
    for number, message in enumerate(messages):
        if _is_empty(message):
            yield "empty content", f"messages[{number}]: {message['role']} has no text", message
        arguments = [call["function"]["arguments"] for call in message.get("tool_calls") or ()]
        if not all(map(_is_object, arguments)):
            yield "tool call", f"messages[{number}]: arguments is not a JSON object", message
    weights = [m.get("weight") for m in messages if m["role"] == "assistant"]
    if is_chat and weights and not any(weight is None or weight for weight in weights):
        yield "weight", "all weights are 0: there is nothing to learn", messages


@functools.lru_cache(20)
def tools_problem(tools: str, version: str) -> str:
    """What is wrong with tools, given as JSON, or nothing. Whole files share theirs: 1 ms, once."""
    pair = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    request = {"messages": pair, "tools": from_json(tools)}
    try:
        parsed = ChatCompletionRequest[FinetuningMessage].model_validate(request)
        validator(version, True).validate_request(parsed)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        return f"{'.'.join(map(str, first['loc'][1:]))}: {first['msg']}"
    except (MistralCommonException, ValueError) as error:
        return str(error)
    except RecursionError:
        return "nested too deep"
    return ""


@functools.cache
def validator(version: str, is_chat: bool) -> Any:
    """The validator of a tokenizer's version, for training."""
    mode = ValidationMode.finetuning if is_chat else ValidationMode.agnostic
    return get_validator(TokenizerVersion(version), mode)


def _refused_fields(error: ValidationError, messages: list[Any], start: int) -> Iterator[Finding]:
    """One finding for each field; where a field may have two types, pydantic reports both."""
    seen = set()
    for item in error.errors(include_url=False, include_context=False, include_input=False):
        number, *path = item["loc"]
        message, name = messages[start + int(number)], str(path[1]) if path[1:] else "the message"
        other_type = path[2:3] == ["str"] and isinstance(message[name], list)
        if other_type or (number, name) in seen:
            continue
        seen.add((number, name))
        reason = "weight" if name == "weight" else "tool call" if "tool" in name else "field"
        detail = f"messages[{start + int(number)}]: {name}: {item['msg']}"
        if item["type"].startswith("union_tag"):
            reason, detail = "role", detail.partition(" found using")[0]
        yield reason, detail, message


def _is_empty(message: dict[str, Any]) -> bool:
    content = message.get("content")
    if message["role"] == "tool" or message.get("tool_calls"):
        return False
    if isinstance(content, list):
        return all(part["type"] == "text" and not part["text"].strip() for part in content)
    return not (content or "").strip()


def _is_object(arguments: Any) -> bool:
    try:
        return isinstance(from_json(arguments) if type(arguments) is str else arguments, dict)
    except ValueError:
        return False
