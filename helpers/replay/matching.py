"""Whether two requests are equivalent, and where they differ."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

from ..reply import Json

ABSENT = object()
KEYS = {None: "the key of the environment", "other": "another key", "none": "no key"}
# Defaults, from the API's OpenAPI description of 2026-08: sending one is the same as leaving it
# out. Clients such as haystack and pydantic-ai send them.
DEFAULTS: dict[str, Any] = {
    "stream": False,
    "n": 1,
    "top_p": 1,
    "safe_prompt": False,
    "presence_penalty": 0,
    "frequency_penalty": 0,
    "encoding_format": "float",
}
# Fields that the API accepts; null in one of them is the same as leaving it out. It refuses all
# others, null or not.
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

_sorted = json.JSONEncoder(sort_keys=True, ensure_ascii=False).encode


def key_of(request: Json) -> str:
    """A string that is equal for equivalent requests.

    It ignores the order of fields, the difference between 0 and 0.0, and that between one text and
    a list of one in `input`. It also ignores known fields that are null or have their default.
    """
    return _sorted({**request, "body": plain_body(request["body"])})


def plain_body(body: Any) -> Any:
    """A request's body, normalized for comparison."""
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
    """Turn 1.0 into 1 and drop nulls from objects: clients differ in both."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items() if item is not None}
    return value


def fields_of(request: Json) -> dict[str, Any]:
    """Every value of a request by its path: `temperature`, `messages[0].content`."""
    parts = {**request, "body": plain_body(request["body"])}
    return {name.removeprefix("body."): value for name, value in _leaves(parts)}


def differences(sent: dict[str, Any], recorded: dict[str, Any]) -> list[str]:
    """The fields (of `fields_of`) that differ between two requests, one line each.

    Long texts are shown from shortly before the first difference.
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
    """How much two requests differ: (differing fields, minus the length of their common prefixes)."""
    differing = [n for n in {*sent, *recorded} if sent.get(n, ABSENT) != recorded.get(n, ABSENT)]
    alike = sum(_alike(sent.get(name), recorded.get(name)) for name in differing)
    return len(differing), -alike


def _alike(one: Any, other: Any) -> int:
    """The length of the common prefix of two texts, up to 200 characters."""
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
    """Both values, abbreviated; long texts from shortly before the first difference."""
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
