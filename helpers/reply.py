"""The API's answers: one `Reply` for whole answers and streams, whatever their shape."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, repr=False)
class Usage:
    """Token counts of one call, as the API reports them.

    `total_tokens` is not always the sum of the other two: only it includes audio input.
    `cached_tokens` is the part of the input that is billed at a tenth. It has been seen above
    `prompt_tokens`, for a model that adds a hidden system prompt.
    `reported` is False when there are no counts, as for a stream that was closed early.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    cached_tokens: int = 0
    reported: bool = True

    def __repr__(self) -> str:
        if not self.reported:
            return "Usage(not reported)"
        names = ("prompt_tokens", "completion_tokens", "total_tokens", "cached_tokens")
        return f"Usage({', '.join(f'{name}={getattr(self, name)}' for name in names)})"

    @classmethod
    def from_json(cls, usage: Any) -> Usage:
        """Read a `usage` object, old or new: the cached count has moved, and any field may be null.

        If it is missing or a count is not a non-negative integer, `reported` is False.
        """
        if not isinstance(usage, dict) or not usage:
            return cls(reported=False)
        details = usage.get("prompt_tokens_details")
        cached = details.get("cached_tokens") if isinstance(details, dict) else None
        prompt = usage.get("prompt_tokens") or 0
        completion = usage.get("completion_tokens") or 0
        total = usage.get("total_tokens") or 0
        cached = cached or usage.get("num_cached_tokens") or 0
        if not all(type(n) is int and n >= 0 for n in (prompt, completion, total, cached)):
            return cls(reported=False)
        return cls(prompt, completion, total, cached)


@dataclass(frozen=True)
class Reply:
    """The first choice of an answer; if you ask for `n`, the others are in `raw`.

    tool_calls: dicts as on the wire, `{"id", "type", "function": {"name", "arguments"}}`, with
    `arguments` a JSON string: send them back unchanged.
    raw: the answer's JSON; for a stream, the list of its chunks, which grows while it is read.
    """

    text: str = ""
    thinking: str = ""
    tool_calls: list[Json] = field(default_factory=list)
    finish_reason: str | None = None
    usage: Usage = field(default_factory=lambda: Usage(reported=False))
    model: str | None = None
    raw: Any = field(default=None, repr=False)

    def __str__(self) -> str:
        return self.text

    @classmethod
    def from_json(cls, answer: Json) -> Reply:
        """Read a `chat.completion` object.

        Raises KeyError, IndexError, TypeError or AttributeError when it is not one.
        """
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


class ReplyBuilder:
    """A `Reply` that grows chunk by chunk."""

    def __init__(self) -> None:
        self.chunks: list[Json] = []
        self.finish_reason: str | None = None
        self._text: list[str] = []
        self._thinking: list[str] = []
        self._calls: list[Json] = []
        self._model: str | None = None
        self._usage: Any = None

    def add(self, chunk: Json) -> str:
        """Add a chunk and return its text.

        Raises KeyError, TypeError or AttributeError for a malformed chunk, and ignores it.
        """
        text, thinking, finish_reason = "", "", self.finish_reason
        calls: list[Json] = []
        for choice in first_choices(chunk):
            delta = choice["delta"]
            more, thought = split_content(delta.get("content"))
            text, thinking = text + more, thinking + thought
            calls += delta.get("tool_calls") or []
            finish_reason = choice.get("finish_reason") or finish_reason
        # Only now, so that a malformed chunk changes nothing.
        for call in calls:
            _add_call(self._calls, call)
        self.finish_reason = finish_reason
        if text:
            self._text.append(text)
        if thinking:
            self._thinking.append(thinking)
        self._model = chunk.get("model") or self._model
        self._usage = chunk.get("usage") or self._usage
        self.chunks.append(chunk)
        return text

    def reply(self) -> Reply:
        """What has arrived so far."""
        self._text = ["".join(self._text)]
        return Reply(
            text=self._text[0],
            thinking="".join(self._thinking),
            tool_calls=list(self._calls),
            finish_reason=self.finish_reason,
            usage=Usage.from_json(self._usage),
            model=self._model,
            raw=self.chunks,
        )


def read_usage(answer: Json | None) -> Usage:
    """The usage in a recorded answer, as `find_usage` finds it."""
    return Usage.from_json(find_usage(answer))


def find_usage(answer: Json | None) -> Any:
    """The raw usage in a recorded answer: that of its last event with one, or of its body."""
    answer = answer or {}
    bodies = (event.get("data") for event in reversed(answer.get("events", [])))
    for body in (*bodies, answer.get("body")):
        if isinstance(body, dict) and body.get("usage"):
            return body["usage"]
    return None


def first_choices(chunk: Json) -> list[Json]:
    """The choices of a chunk that belong to the first answer: with `n` answers, chunks alternate."""
    return [c for c in chunk.get("choices") or [] if c.get("index", 0) == 0]


def split_content(content: str | list[Json] | None) -> tuple[str, str]:
    """(answer, thinking) of a message's or delta's `content`. Raises TypeError for another type.

    Reasoning models send a list instead of a string, and one delta can hold both the end of the
    thinking and the first word of the answer.
    """
    if content is None or isinstance(content, str):
        return content or "", ""
    if not isinstance(content, list):
        raise TypeError(f"content is {type(content).__name__}, not text")
    text = thinking = ""
    for part in content:
        if part.get("type") == "text":
            text += part.get("text") or ""
        elif part.get("type") == "thinking":
            thinking += split_content(part.get("thinking"))[0]
    return text, thinking


def _add_call(calls: list[Json], call: Json) -> None:
    """Mistral's models send tool calls whole; a hosted model may send the rest without a name."""
    function = call.get("function") or {}
    same = [c for c in calls if c.get("index", 0) == call.get("index", 0)]
    if same and not function.get("name"):
        begun = same[-1]["function"]
        begun["arguments"] = (begun.get("arguments") or "") + (function.get("arguments") or "")
    else:
        calls.append({**call, "function": dict(function)})
