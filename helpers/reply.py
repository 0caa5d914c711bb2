"""What came back: one `Reply` for whole answers and for streams, whatever shape they had."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Usage:
    """Token counts of one call, as the API reports them.

    `total_tokens` is not always the sum of the other two: audio input is counted in it only.
    `cached_tokens` is part of the input, billed at a tenth; it has been seen above
    `prompt_tokens`, where a model adds a hidden system prompt.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    cached_tokens: int = 0

    @classmethod
    def from_json(cls, usage: Json | None) -> Usage:
        """Read a `usage` object of any year: the cached count has had two places and may be null."""
        usage = usage or {}
        cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens")
        return cls(
            prompt_tokens=usage.get("prompt_tokens") or 0,
            completion_tokens=usage.get("completion_tokens") or 0,
            total_tokens=usage.get("total_tokens") or 0,
            cached_tokens=cached or usage.get("num_cached_tokens") or 0,
        )


@dataclass(frozen=True)
class Reply:
    """The first choice of an answer (ask for `n` answers and the others are in `raw`).

    `tool_calls` are dicts as on the wire, `{"id", "type", "function": {"name", "arguments"}}`,
    with `arguments` a JSON string: send them back unchanged. `raw` is the answer's JSON; for a
    stream, the list of its chunks.
    """

    text: str = ""
    thinking: str = ""
    tool_calls: list[Json] = field(default_factory=list)
    finish_reason: str | None = None
    usage: Usage = field(default_factory=Usage)
    model: str | None = None
    raw: Any = field(default=None, repr=False)

    def __str__(self) -> str:
        return self.text

    @classmethod
    def from_json(cls, answer: Json) -> Reply:
        """Read a `chat.completion` object. Raises KeyError or IndexError when it is not one."""
        choice = answer["choices"][0]
        text, thinking = split_content(choice["message"].get("content"))
        return cls(
            text=text,
            thinking=thinking,
            tool_calls=list(choice["message"].get("tool_calls") or []),
            finish_reason=choice.get("finish_reason"),
            usage=Usage.from_json(answer.get("usage")),
            model=answer.get("model"),
            raw=answer,
        )

    @classmethod
    def from_chunks(cls, chunks: Iterable[Json]) -> Reply:
        """Put the `chat.completion.chunk` objects of a stream together, as far as they came."""
        chunks = list(chunks)
        text = thinking = ""
        calls: list[Json] = []
        finish = model = usage = None
        for chunk in chunks:
            model = chunk.get("model") or model
            usage = chunk.get("usage") or usage
            for choice in first_choices(chunk):
                more_text, more_thinking = split_content(choice["delta"].get("content"))
                text, thinking = text + more_text, thinking + more_thinking
                for call in choice["delta"].get("tool_calls") or []:
                    _add_call(calls, call)
                finish = choice.get("finish_reason") or finish
        return cls(text, thinking, calls, finish, Usage.from_json(usage), model, chunks)


def first_choices(chunk: Json) -> list[Json]:
    """The parts of a chunk that belong to the first answer: with `n` answers, chunks take turns."""
    return [c for c in chunk.get("choices") or [] if c.get("index", 0) == 0]


def split_content(content: str | list[Json] | None) -> tuple[str, str]:
    """(answer, thinking) of a message's or delta's `content`.

    Reasoning models send a list instead of a string, and one delta can hold both the end of the
    thinking and the first word of the answer.
    """
    if not isinstance(content, list):
        return content or "", ""
    text = thinking = ""
    for part in content:
        if part.get("type") == "text":
            text += part.get("text") or ""
        elif part.get("type") == "thinking":
            inner = part.get("thinking") or ""
            thinking += inner if isinstance(inner, str) else split_content(inner)[0]
    return text, thinking


def _add_call(calls: list[Json], call: Json) -> None:
    """Mistral's models send each tool call whole; a hosted model may continue one without a name."""
    function = call.get("function") or {}
    same = [c for c in calls if c.get("index", 0) == call.get("index", 0)]
    if same and not function.get("name"):
        begun = same[-1]["function"]
        begun["arguments"] = (begun.get("arguments") or "") + (function.get("arguments") or "")
    else:
        calls.append({**call, "function": dict(function)})
