"""Which written answer belongs to a request: found by its messages, drawn by its temperature, cut."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field

from . import labels, tokens


@dataclass
class Answer:
    """One choice of an answer, before it is put on the wire."""

    text: str = ""
    thinking: str = ""
    calls: list[dict] = field(default_factory=list)
    finish: str = "stop"

    @property
    def completion_tokens(self) -> int:
        return tokens.count_completion(self.text, self.thinking, self.calls, self.finish)


def find(entries: list[dict], body: dict) -> dict:
    """The entry for the last user message of a request, with its `turn`, `system` and `prefix`.

    An entry without one of these three takes any. One with `classifier`, a part of a system prompt, is
    answered by `labels.py`. Raises LookupError: a question without an answer is
    a fault of the lesson, and must not pass for something that a model said.
    """
    asked = [m["content"] for m in body["messages"] if m["role"] == "user"]
    system = next((m["content"] for m in body["messages"] if m["role"] == "system"), None)
    prefix = body["messages"][-1]["content"] if body["messages"][-1].get("prefix") else ""
    for entry in entries:
        if "classifier" in entry and entry["classifier"] in (system or ""):
            return {"answer": labels.label(asked[-1], body["model"], "unsure" in system)}
        if (
            entry.get("ask") == asked[-1]
            and entry.get("turn", len(asked)) == len(asked)
            and entry.get("system", system) == system
            and entry.get("prefix", "") == prefix
            and entry.get("effort", "none") == body.get("reasoning_effort", "none")
        ):
            return entry
    raise LookupError(
        f"No answer is written for turn {len(asked)}, {asked[-1]!r} (system: {system!r})."
    )


def choose(entry: dict, body: dict, default_temperature: float, rng: random.Random) -> Answer:
    """The answer of an entry: its one `answer`, a tool call, or one drawn from its `candidates`."""
    if call := entry.get("tool_call"):
        letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
        wire = {
            "id": "".join(rng.choices(letters, k=9)),
            "type": "function",
            "function": {"name": call["name"], "arguments": call["arguments"]},
            "index": 0,
        }
        return Answer(calls=[wire], finish="tool_calls")
    text = entry.get("answer", "").strip()
    if candidates := entry.get("candidates"):
        temperature = body.get("temperature", default_temperature)
        chances = nucleus(
            soften([c["weight"] for c in candidates], temperature), body.get("top_p", 1.0)
        )
        text = rng.choices([c["text"] for c in candidates], chances)[0]
    for stop in [body["stop"]] if isinstance(body.get("stop"), str) else body.get("stop", []):
        text = text.partition(stop)[0]
    text, finish = tokens.cut(text, body.get("max_tokens"))
    return Answer(text, entry.get("thinking", "").strip(), finish=finish)


def soften(weights: list[float], temperature: float) -> list[float]:
    """Softmax of the logarithms of the weights at a temperature; at 0 the heaviest takes all."""
    if temperature == 0:
        best = weights.index(max(weights))
        return [float(i == best) for i in range(len(weights))]
    powers = [math.exp(math.log(w / max(weights)) / temperature) for w in weights]
    return [p / sum(powers) for p in powers]


def nucleus(chances: list[float], top_p: float) -> list[float]:
    """The likeliest ones that together reach `top_p`; the others get no chance."""
    kept, total = [0.0] * len(chances), 0.0
    for i in sorted(range(len(chances)), key=lambda i: -chances[i]):
        kept[i] = chances[i]
        total += chances[i]
        if total >= top_p:
            break
    return kept
