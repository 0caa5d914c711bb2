"""Whether two requests ask for the same, and in what they differ."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

from ..reply import Json

ABSENT = object()
KEYS = {None: "the key of the environment", "other": "another key", "none": "no key"}
# Fields that mean the same with this value as left out (the API's OpenAPI description, 2026-08).
# Clients such as haystack and pydantic-ai write them out.
DEFAULTS: dict[str, Any] = {
    "stream": False,
    "n": 1,
    "top_p": 1,
    "safe_prompt": False,
    "presence_penalty": 0,
    "frequency_penalty": 0,
    "encoding_format": "float",
}
# Fields that the API takes; null in one of them means the same as left out. Others it refuses, null
# or not.
KNOWN_FIELDS = {
    *DEFAULTS,
    "model",
    "messages",
    "input",
    "temperature",
    "max_tokens",
    "stop",
    "random_seed",
    "metadata",
    "response_format",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "prediction",
    "reasoning_effort",
    "prompt_mode",
    "guardrails",
    "prompt_cache_key",
    "service_tier",
    "logprobs",
    "top_logprobs",
    "prompt_logprobs",
    "top_k",
    "min_tokens",
    "repetition_penalty",
    "output_dimension",
    "output_dtype",
}


def key_of(request: Json) -> str:
    """Equal for requests that ask for the same.

    The order of fields does not matter, nor 0 or 0.0, nor a known field that is null or has its
    documented default, nor one text or a list of one for embeddings.
    """
    return json.dumps(
        {**request, "body": plain_body(request["body"])}, sort_keys=True, ensure_ascii=False
    )


def plain_body(body: Any) -> Any:
    """A request's body in the form in which bodies are compared."""
    if not isinstance(body, dict):
        return _plain(body)
    found = {}
    for name, value in body.items():
        value = _plain(value)
        if name in KNOWN_FIELDS and (value is None or DEFAULTS.get(name, ABSENT) == value):
            continue
        found[name] = [value] if name == "input" and isinstance(value, str) else value
    return found


def _plain(value: Any) -> Any:
    """1.0 as 1, and objects without their nulls: clients differ in how they write these."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items() if item is not None}
    return value


def fields_of(request: Json) -> dict[str, Any]:
    """Each single value of a request by its name: `temperature`, `messages[0].content`."""
    parts = {**request, "body": plain_body(request["body"])}
    return {name.removeprefix("body."): value for name, value in _leaves(parts)}


def differences(sent: dict[str, Any], recorded: dict[str, Any]) -> list[str]:
    """The fields (of `fields_of`) in which two requests differ, a line each.

    Long texts are shown from shortly before the place where they part.
    """
    lines = []
    for name in sorted({*sent, *recorded}):
        one, other = sent.get(name, ABSENT), recorded.get(name, ABSENT)
        if one != other:
            left, right = _excerpts(one, other)
            if name == "key":
                left, right = KEYS[sent.get(name)], KEYS[recorded.get(name)]
            lines.append(f"{name}: you sent {left}, recorded: {right}")
    return lines


def distance(sent: dict[str, Any], recorded: dict[str, Any]) -> tuple[int, int]:
    """How much two requests differ: (fields that differ, minus the length of their like beginnings)."""
    differing = [n for n in {*sent, *recorded} if sent.get(n, ABSENT) != recorded.get(n, ABSENT)]
    alike = sum(_alike(sent.get(name), recorded.get(name)) for name in differing)
    return len(differing), -alike


def _alike(one: Any, other: Any) -> int:
    """How many characters at the beginning of two texts are the same; not beyond the first 200."""
    if not (isinstance(one, str) and isinstance(other, str)):
        return 0
    pairs = zip(one[:200], other[:200], strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _leaves(item, f"{name}.{key}" if name else key)
    elif isinstance(value, list) and value:
        for number, item in enumerate(value):
            yield from _leaves(item, f"{name}[{number}]")
    else:
        yield name, value


def _excerpts(one: Any, other: Any, width: int = 40) -> tuple[str, str]:
    """Both values in short; long texts from shortly before the place where they part."""
    start = 0
    if isinstance(one, str) and isinstance(other, str) and max(len(one), len(other)) > width:
        same = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
        start = max(0, sum(1 for _ in same) - 12)
    return _excerpt(one, start, width), _excerpt(other, start, width)


def _excerpt(value: Any, start: int, width: int) -> str:
    if value is ABSENT:
        return "none"
    if isinstance(value, str):
        end = start + width
        value = "…" * bool(start) + value[start:end] + "…" * (len(value) > end)
    return json.dumps(value, ensure_ascii=False)
