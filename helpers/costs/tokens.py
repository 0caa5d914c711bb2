"""How many tokens a request has, before it is sent: counted as the API counts, by Mistral's tokenizer.

The rules were found by comparing with `prompt_tokens` of recorded calls of the real API (public test
suites, 2024 to 2026). The tokenizer needs two or three seconds when it is first asked.
"""

from __future__ import annotations

import csv
import datetime
import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..client import CHAT_MODEL, Messages, chat_body
from .models import DATA, find_model, near, other_models

Json = Mapping[str, Any]

MEASURED_CSV = DATA / "measured" / "token_counts.csv"
OLD = ("v1", "v2", "v3", "v3 tekken", "v7")  # their templates are part of mistral-common
ROLES = ("system", "user", "assistant", "tool")
PART = 917  # tokens: the most that one picture or document took, of 32 recorded; the least took 8


@dataclass(frozen=True)
class TokenCount:
    """What a request counts as; `int(count)` is its `tokens`.

    exact: whether this rule gave the API's own number in each recorded call of this kind.
    error: by how many tokens it may be off, as far as that was measured; 0 where it is exact, None
    where there was nothing to compare with.
    how: the rule and what speaks for it, in words.
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
) -> TokenCount:
    """The `prompt_tokens` that the API will report and bill for a request.

    messages: a string or a list of `{"role", "content"}` dicts, as for `chat`; for a model of
    embeddings, a text or a list of texts.
    tools, response_format, reasoning_effort: the fields of the request that change the count. The
    JSON of tools counts with its keys in the order in which they are sent.
    when: the day on which the request is sent, where that is not today: `mistral-large-latest` has
    been five models so far. It matters for names without a date only.

    For pictures and documents nothing is added: `error` says how much they took elsewhere. A model
    of another vendor counts with Mistral's tokenizer, for want of its own.

    Raises ValueError for a model that no table knows and for messages, tools or a response_format that
    no model takes, TypeError for what is neither text nor messages.
    """
    row = find_model(model, when)
    if row is None and model not in other_models():
        raise ValueError(f"No table knows a model {model!r}. {near(model, other_models())}")
    name, template = (row["id"], row["tokenizer"]) if row else (model, "")
    if "embed" in name:
        return _judged(_count_texts(messages), name, "text")
    chat: list[Json] = chat_body(messages, name, {})["messages"]  # type: ignore[arg-type]
    try:
        kind = _kind(chat, tools, response_format)
        if template in OLD:
            total = _count_old(chat, tools, template)
        else:
            total = 1 + _count_tools(tools) + sum(map(_count_message, chat))
        parts = sum(map(_count_parts, chat))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"messages, tools or response_format have a fault: {error!r}") from error
    if template == "v15 tekken" and "JSON" not in kind:  # its prompts name the effort
        total += count_text(json.dumps({"reasoning_effort": reasoning_effort or "none"})) + 2
    return _judged(total, name, kind, parts)


def _kind(messages: Sequence[Json], tools: Any, response_format: Json | None) -> str:
    """What calls a request is compared with: each mix of these was recorded alone, or never."""
    answers = [m for m in messages if m["role"] == "assistant"]
    found = {
        "tools": bool(tools),
        "result": not tools and any(m["role"] == "tool" or m.get("tool_calls") for m in messages),
        "JSON": bool(response_format) and (response_format or {}).get("type", "text") != "text",
        "parts": any(isinstance(m.get("content"), list) and len(m["content"]) > 1 for m in answers),
        "prefix": any(m.get("prefix") for m in answers),
    }
    return "+".join(kind for kind in found if found[kind]) or "text"


def _judged(total: int, name: str, kind: str, parts: int = 0) -> TokenCount:
    """The count, with what is known of its exactness."""
    if parts:
        how = f"the texts alone; of {parts} pictures or documents each may take 8 to {PART} tokens"
        return TokenCount(total, False, parts * PART, how)
    if find_model(name) is None:
        return TokenCount(total, False, None, f"with Mistral's tokenizer, {name} has another")
    if (found := _measured().get((name, kind))) is None:
        return TokenCount(total, False, None, f"no recorded {kind} call of {name} to compare with")
    right, calls, most = (int(found[key]) for key in ("exact", "calls", "most_off"))
    how = f"right in {right} of {calls} recorded {kind} calls of {name}"
    how += f" ({found['note']})" if found["note"] else ""
    return TokenCount(total, right == calls, most, how)


@functools.cache
def _measured() -> dict[tuple[str, str], dict[str, str]]:
    with MEASURED_CSV.open(encoding="utf-8", newline="") as lines:
        return {(row["id"], row["kind"]): row for row in csv.DictReader(lines)}


def count_text(text: str) -> int:
    """The tokens of a text alone, in the tokenizer of all models since July 2024 but Large 2."""
    return len(tekken().encode(text, bos=False, eos=False)) if text else 0


def _count_message(message: Json) -> int:
    """Two marks around each message; an answer has one, at its end, and two for each tool call."""
    if message["role"] not in ROLES:
        raise ValueError(f"No model takes a message of role {message['role']!r}.")
    total = _count_content(message.get("content"))
    if message["role"] != "assistant":
        return total + 2
    for call in message.get("tool_calls") or []:
        total += count_text(call["function"]["name"]) + 2
        total += count_text(_as_json(call["function"]["arguments"]))
    return total + (not message.get("prefix"))  # an answer that goes on has no end yet


def _count_content(content: str | Sequence[Json] | None) -> int:
    if content is None or isinstance(content, str):
        return count_text(content or "")
    total = 0
    for part in content:  # each is tokenized alone
        if part.get("type") == "text":
            total += count_text(part["text"])
        elif part.get("type") == "thinking":
            total += _count_content(part["thinking"]) + 2
    return total


def _count_tools(tools: Sequence[Json] | None) -> int:
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
    return count_text(json.dumps(shown, ensure_ascii=False)) + 2


def _as_json(arguments: str | Json) -> str:
    """Arguments as the API writes them anew, or as they are where they are no JSON."""
    try:
        value = json.loads(arguments) if isinstance(arguments, str) else arguments
    except ValueError:
        return str(arguments)
    return json.dumps(value, ensure_ascii=False)


def _count_parts(message: Json) -> int:
    """How many parts of a message are no text."""
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    return sum(part.get("type") not in ("text", "thinking") for part in parts)


def _count_texts(texts: Any) -> int:
    """For embeddings: an older tokenizer of 32,000 tokens, and two marks around each text."""
    texts = [texts] if isinstance(texts, str) else list(texts or [])
    if not texts or not all(isinstance(text, str) for text in texts):
        raise TypeError("Tokens of embeddings are counted of a text or of a list of texts.")
    encode = tokenizer("v1").instruct_tokenizer.tokenizer.encode
    return sum(len(encode(text, bos=False, eos=False)) + 2 for text in texts)


def _count_old(messages: Any, tools: Any, version: str) -> int:
    from mistral_common.exceptions import MistralCommonException
    from mistral_common.protocol.instruct.request import ChatCompletionRequest

    try:
        request = ChatCompletionRequest.from_openai(messages=messages, tools=tools)
        return len(tokenizer(version).encode_chat_completion(request).tokens)
    except (MistralCommonException, ValueError) as error:
        raise ValueError(f"mistral-common can't tokenize this for {version}: {error}") from None


def tekken() -> Any:
    """The tokenizer itself: `encode(text, bos=False, eos=False)` and `decode(ids)`."""
    return tokenizer("v3 tekken").instruct_tokenizer.tokenizer


@functools.cache
def tokenizer(version: str) -> Any:
    """A tokenizer of mistral-common with its template; loaded once."""
    from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

    if version.endswith("tekken"):
        return MistralTokenizer.v3(is_tekken=True)
    return getattr(MistralTokenizer, version)()
