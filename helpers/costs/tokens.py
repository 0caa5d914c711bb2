"""Count the tokens of a request before it is sent, as the API does, with Mistral's tokenizer.

The rules were found by comparing counts with the `prompt_tokens` of recorded calls of the real API (public
test suites, 2024 to 2026). The tokenizer takes two or three seconds to load, once.
"""

from __future__ import annotations

import datetime
import functools
import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..client import CHAT_MODEL, Messages, chat_body
from ..data import read_table
from ..reply import Json
from .models import find_model, find_vendor, is_settled, suggest

# The templates of these tokenizers are part of mistral-common.
IN_MISTRAL_COMMON = ("v1", "v2", "v3", "v3 tekken", "v7")
ROLES = ("system", "user", "assistant", "tool")
# The most tokens that a picture and another attachment (a .docx file) took in recorded traffic.
LARGEST_PICTURE, LARGEST_ATTACHMENT = 2_090, 5_127
# The number of recorded calls that must agree before a count is called exact.
ENOUGH_CALLS = 5
# Up to so many characters, a count is kept: short texts are counted again and again.
OFTEN_COUNTED = 200
# With tool_choice="none", the API counts no tools since then (12 of 12 recorded calls). On
# 2026-05-07 it still did; the days in between are not known.
NONE_LEAVES_TOOLS_OUT = datetime.date(2026, 6, 8)

_loading = threading.Lock()


@dataclass(frozen=True)
class TokenCount:
    """What a request counts as; `int(count)` is its `tokens`.

    exact: whether this rule gave the API's own number in each recorded call of this kind, of which
    there are at least five.
    error: the largest measured error in tokens; 0 if there was none, None if there was nothing to
    compare with.
    how: the rule and its evidence, in words.
    """

    tokens: int
    exact: bool
    error: int | None
    how: str

    def __int__(self) -> int:
        return self.tokens

    __index__ = __int__


def count_tokens(
    messages: Messages | Sequence[str],
    model: str = CHAT_MODEL,
    tools: Sequence[Json] | None = None,
    response_format: Json | None = None,
    reasoning_effort: str | None = None,
    when: datetime.date | None = None,
    tool_choice: str | Json | None = None,
) -> TokenCount:
    """The `prompt_tokens` that the API will report and bill for a request.

    messages: a string or a list of `{"role", "content"}` dicts, as for `chat`; for an embedding
    model, a text or a list of texts.
    tools, tool_choice, response_format, reasoning_effort: the fields of the request that change the
    count. The JSON of tools is counted with its keys in the order in which they are sent.
    when: the day on which the request is sent; by default the day of data/models.csv, never today.
    It matters for names without a date: `mistral-large-latest` has been five models so far.

    Pictures and documents add nothing: `error` says how much they took elsewhere. A model of another
    vendor is counted with Mistral's tokenizer; its own is not available.

    Raises ValueError for an unknown model and for messages, tools or a response_format that no model
    accepts, TypeError for anything that is neither text nor messages.
    """
    row = find_model(model, when)
    if row is None and find_vendor(model) is None:
        raise ValueError(f"No source has a model {model!r}. {suggest(model)}")
    name, template = (row["id"], row["tokenizer"]) if row else (model, "")
    if "embed" in name:
        return _judge(_count_texts(messages), name, "text")
    chat: list[Json] = chat_body(messages, name, {})["messages"]  # type: ignore[arg-type]
    try:
        kind = _kind(chat, tools, tool_choice, response_format)
        if tool_choice == "none" and (when is None or when >= NONE_LEAVES_TOOLS_OUT):
            tools = None
        if template in IN_MISTRAL_COMMON:
            total = _count_with_template(chat, tools, template)
        else:
            counts_ids = template == "v11 tekken"
            total = 1 + _count_tools(tools, tool_choice)
            total += sum(_count_message(message, counts_ids) for message in chat)
        attached = list(filter(is_attachment, parts_of(chat)))
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(
            f"A problem in messages, tools, tool_choice or response_format: {error!r}"
        ) from error
    # The prompts of this template name the effort, but not where JSON is asked for.
    if template == "v15 tekken" and "JSON" not in kind:
        total += count_text(json.dumps({"reasoning_effort": reasoning_effort or "none"})) + 2
    if attached:
        return _judge_attachments(total, attached)
    if not is_settled(model, when):
        how = f"{model} may still have meant an older model than {name} on {when}"
        return TokenCount(total, False, None, how)
    return _judge(total, name, kind)


def count_text(text: str) -> int:
    """Count the tokens of a text, with the tokenizer of all models since July 2024 except Large 2."""
    return _count_again(text) if len(text) <= OFTEN_COUNTED else _count(text)


def _count(text: str) -> int:
    return len(tekken().encode(text, bos=False, eos=False)) if text else 0


@functools.lru_cache(maxsize=4096)
def _count_again(text: str) -> int:
    return _count(text)


def tekken() -> Any:
    """The tokenizer of `count_text`: `encode(text, bos=False, eos=False)` and `decode(ids)`."""
    return tokenizer("v3 tekken").instruct_tokenizer.tokenizer


def parts_of(messages: Iterable[Json]) -> list[Json]:
    """The parts of all messages whose content is a list of parts."""
    contents = [message.get("content") for message in messages]
    return [part for content in contents if isinstance(content, list) for part in content]


def is_attachment(part: Json) -> bool:
    """Whether a part of a message is a picture, a document or anything else that is not text."""
    return part.get("type") not in ("text", "thinking")


def text_alone(messages: Sequence[Json]) -> list[Json]:
    """The messages without their attachments."""
    return [
        {**m, "content": [part for part in m["content"] if not is_attachment(part)] or ""}
        if isinstance(m.get("content"), list)
        else dict(m)
        for m in messages
    ]


def tokenizer(version: str) -> Any:
    """A tokenizer of mistral-common with its template, such as "v1" or "v3 tekken".

    It is loaded once, even if several threads ask for it, and takes about 200 MB of memory.
    """
    with _loading:
        return _load(version)


def _kind(
    messages: Sequence[Json], tools: Any, tool_choice: Any, response_format: Json | None
) -> str:
    """The group of recorded calls that a request is compared with, such as "tools+JSON"."""
    answers = [m for m in messages if m["role"] == "assistant"]
    named = tool_choice["function"]["name"] if isinstance(tool_choice, Mapping) else ""
    found = {
        "tools": bool(tools),
        "none": bool(tools) and tool_choice == "none",
        # Each name in recorded traffic is one token long.
        "named": bool(named) and count_text(named) == 1,
        "long name": bool(named) and count_text(named) > 1,
        "result": not tools and any(m["role"] == "tool" or m.get("tool_calls") for m in messages),
        "JSON": bool(response_format) and (response_format or {}).get("type", "text") != "text",
        "parts": any(isinstance(m.get("content"), list) and len(m["content"]) > 1 for m in answers),
        "prefix": any(m.get("prefix") for m in answers),
    }
    return "+".join(kind for kind in found if found[kind]) or "text"


def _judge(total: int, name: str, kind: str) -> TokenCount:
    """The count, with what is known of its exactness."""
    if find_model(name) is None:
        how = f"with Mistral's tokenizer; that of {name} is not available"
        return TokenCount(total, False, None, how)
    if (found := _measured().get((name, kind))) is None:
        return TokenCount(total, False, None, f"no recorded {kind} call of {name} to compare with")
    right, calls, most = (int(found[key]) for key in ("exact", "calls", "most_off"))
    how = f"right in {right} of {calls} recorded {kind} calls of {name}"
    how += f" ({found['note']})" if found["note"] else ""
    return TokenCount(total, right == calls >= ENOUGH_CALLS, most, how)


def _judge_attachments(total: int, attached: list[Json]) -> TokenCount:
    pictures = sum(part.get("type") == "image_url" for part in attached)
    most = pictures * LARGEST_PICTURE + (len(attached) - pictures) * LARGEST_ATTACHMENT
    how = (
        f"the text alone; {len(attached)} pictures or documents took 8 to {most:,} tokens elsewhere"
    )
    return TokenCount(total, False, most, how)


@functools.cache
def _measured() -> dict[tuple[str, str], dict[str, str]]:
    rows = read_table("measured/token_counts.csv")
    return {(row["id"], row["kind"]): row for row in rows}


def _count_message(message: Json, counts_ids: bool) -> int:
    """Two special tokens around each message; an answer has one, at its end, and two for each call.

    counts_ids: whether the ids of tool calls are in the prompt, each with one more special token.
    """
    if message["role"] not in ROLES:
        raise ValueError(f"No model accepts a message of role {message['role']!r}.")
    total = _count_content(message.get("content"))
    if message["role"] == "tool" and counts_ids:
        total += count_text(message["tool_call_id"]) + 1
    if message["role"] != "assistant":
        return total + 2
    for call in message.get("tool_calls") or []:
        total += count_text(call["function"]["name"]) + 2
        total += count_text(_as_json(call["function"]["arguments"]))
        total += count_text(call["id"]) + 1 if counts_ids else 0
    # An answer that the model will continue has no end token yet.
    return total + (not message.get("prefix"))


def _count_content(content: str | Sequence[Json] | None) -> int:
    if content is None or isinstance(content, str):
        return count_text(content or "")
    total = 0
    # Each part is tokenized alone.
    for part in content:
        if part.get("type") == "text":
            total += count_text(part["text"])
        elif part.get("type") == "thinking":
            total += _count_content(part["thinking"]) + 2
    return total


def _count_tools(tools: Sequence[Json] | None, tool_choice: Any) -> int:
    if not tools:
        return 0
    shown = [
        {
            "type": "function",
            "function": {
                "name": tool["function"]["name"],
                "description": tool["function"].get("description") or "",
                "parameters": tool["function"].get("parameters") or {},
            },
        }
        for tool in tools
    ]
    total = count_text(json.dumps(shown, ensure_ascii=False)) + 2
    # A function that must be called begins the answer: 3 tokens in 11 of 11 recorded calls.
    if isinstance(tool_choice, Mapping):
        total += count_text(tool_choice["function"]["name"]) + 2
    return total


def _as_json(arguments: str | Json) -> str:
    """Arguments as the API reformats them, or unchanged if they are not JSON."""
    try:
        value = json.loads(arguments) if isinstance(arguments, str) else arguments
    except ValueError:
        return str(arguments)
    return json.dumps(value, ensure_ascii=False)


def _count_texts(texts: Any) -> int:
    """For embeddings: an older tokenizer of 32,000 tokens, plus two special tokens per text."""
    texts = [texts] if isinstance(texts, str) else list(texts or [])
    if not texts or not all(isinstance(text, str) for text in texts):
        raise TypeError("An embedding model needs a text or a list of texts.")
    encode = tokenizer("v1").instruct_tokenizer.tokenizer.encode
    return sum(len(encode(text, bos=False, eos=False)) + 2 for text in texts)


def _count_with_template(messages: Sequence[Json], tools: Any, version: str) -> int:
    from mistral_common.exceptions import MistralCommonException
    from mistral_common.protocol.instruct.request import ChatCompletionRequest

    try:
        texts: Any = text_alone(messages)
        request = ChatCompletionRequest.from_openai(messages=texts, tools=tools)
        return len(tokenizer(version).encode_chat_completion(request).tokens)
    except (MistralCommonException, ValueError, AssertionError) as error:
        raise ValueError(f"mistral-common can't tokenize this for {version}: {error}") from None


@functools.cache
def _load(version: str) -> Any:
    from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

    if version.endswith("tekken"):
        return MistralTokenizer.v3(is_tekken=True)
    return getattr(MistralTokenizer, version)()
