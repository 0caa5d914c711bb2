"""Which written answer belongs to a request: found by its messages, drawn by its temperature, cut.

A lesson's answers stand in `data/stand_ins/<lesson>.toml`. An entry `[[chat]]` has:

- `ask`: the last user message, or `holds`: parts that it must hold; `after`: those before it, if any
- `system`: the system prompt, or `sources`: parts that a system prompt must hold; none where neither stands
- `prefix`: the beginning of the answer that the request gives; `effort`: its reasoning_effort
- `formats`: the kinds of response_format that the answer fits, by default "text"; with a json_schema, the
  answer must also fit the schema
- `tools`: those that the request must offer, by default those that the answer calls; none where it calls none
- `results`: parts of the results of tools so far, one for each, in order
- `choice`: "any" where the answer is for requests that demand a call, by tool_choice "any", "required" or a name
- `picture`: the file in `data/` that the request shows
- the answer: `answer` (with `thinking`), `candidates` with weights, a `tool_call` or several `tool_calls`

`[[prompt]]` is short for many: a `system` prompt and, under `answers`, an answer to each message.
`[[labels]]` gives a classifier's part: see `labels.py`. `[[product]]` multiplies the two numbers that its
`pattern` finds in the message, so that a thousand prompts have a thousand answers.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
import hashlib
import json
import math
import random
import re
import tomllib
from collections.abc import Iterable, Iterator
from typing import Any

from ..data import DATA
from ..reply import Json
from . import labels, models, tokens
from .schema import ChatRequest

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


class NotWritten(LookupError):
    """No answer is written for a request."""


@dataclasses.dataclass(frozen=True)
class Script:
    """The written answers of a lesson. past: whether it asks for what the API no longer has."""

    written: datetime.date
    entries: list[Json]
    past: bool = False


@dataclasses.dataclass
class Answer:
    """One choice of an answer, before it is put on the wire."""

    text: str = ""
    thinking: str = ""
    calls: list[Json] = dataclasses.field(default_factory=list)
    finish: str = "stop"
    # The tokens of an answer that was cut before its text.
    spent: int | None = None

    @property
    def completion_tokens(self) -> int:
        return self.spent or tokens.count_completion(
            self.text, self.thinking, self.calls, self.finish
        )


def lessons() -> list[str]:
    """The lessons that have a script."""
    return sorted(path.stem for path in models.STAND_INS.glob("[0-9]*.toml"))


@functools.cache
def script(lesson: str) -> Script:
    """A lesson's script. Raises FileNotFoundError where it has none."""
    found = tomllib.loads((models.STAND_INS / f"{lesson}.toml").read_text("utf-8"))
    return Script(found["written"], list(_entries(found)), found.get("past", False))


def questions(lesson: str) -> list[list[str]]:
    """What can be asked in a lesson's chat, whose system prompt is written: each after those it follows."""
    entries = [entry for entry in script(lesson).entries if "system" in entry and "ask" in entry]
    return [[*entry.get("after", []), entry["ask"]] for entry in entries]


def _entries(found: Json) -> Iterator[Json]:
    yield from found.get("chat", [])
    for prompt in found.get("prompt", []):
        shared = {name: value for name, value in prompt.items() if name != "answers"}
        for ask, answer in prompt["answers"].items():
            yield {**shared, "ask": ask, "answer": answer}
    yield from found.get("labels", [])
    yield from found.get("product", [])


@dataclasses.dataclass(frozen=True)
class Question:
    """What of a request decides who answers it."""

    asked: tuple[str, ...]
    system: str | None
    prefix: str
    effort: str
    format: str
    tools: tuple[str, ...]
    results: tuple[str, ...] = ()
    must_call: bool = False
    schema: Json | None = None
    pictures: tuple[str, ...] = ()

    @classmethod
    def of(cls, body: Json) -> Question:
        """Of a request that the API would take. Raises `NotWritten` for a kind that is never written."""
        *_, last = messages = body["messages"]
        known = {"system", "user", "tool", *(["assistant"] if last.get("prefix") else [])}
        if last["role"] not in known:
            raise NotWritten(f"Nothing is written to follow a message of role {last['role']}.")
        systems = [_text(message) for message in messages if message["role"] == "system"]
        form = body.get("response_format") or {}
        choice = body.get("tool_choice") or "auto"
        return cls(
            asked=tuple(_text(message) for message in messages if message["role"] == "user"),
            system="\n".join(systems) if systems else None,
            prefix=_text(last) if last.get("prefix") else "",
            effort=body.get("reasoning_effort") or "none",
            format=form.get("type", "text"),
            tools=_offered(body.get("tools") or [], choice),
            results=tuple(_text(message) for message in messages if message["role"] == "tool"),
            must_call=choice not in ("auto", "none"),
            schema=(form.get("json_schema") or {}).get("schema"),
            pictures=tuple(_picture(address) for address in tokens.pictures(messages)),
        )

    def asks_as(self, entry: Json) -> bool:
        """Whether the user asks as in an entry, and the results of tools so far are its results."""
        results = entry.get("results", [])
        same = len(results) == len(self.results)
        same = same and all(map(_holds, self.results, results))
        return same and self.asks_but_for_results_as(entry)

    def asks_but_for_results_as(self, entry: Json) -> bool:
        """Whether the user asks as in an entry. Case, spaces and the final mark don't matter."""
        if not self.asked:
            return False
        *earlier, last = self.asked
        if [_plain(text) for text in earlier] != [_plain(text) for text in entry.get("after", [])]:
            return False
        if "holds" in entry:
            return all(part in last for part in entry["holds"])
        return _plain(last) == _plain(entry.get("ask", ""))

    def is_steered_as(self, entry: Json) -> bool:
        """Whether all but the messages of the user is as in an entry."""
        return not self.needs(entry)

    def asks_for_label(self, entry: Json) -> bool:
        """Whether this is one message, after a system prompt that begins as a classifier's does."""
        begins = (self.system or "").startswith(entry["classifier"])
        return begins and len(self.asked) == 1 and self.is_steered_as({"system": self.system})

    def needs(self, entry: Json) -> str:
        """In words, how a request must be steered for an entry, as far as it isn't."""
        needed = []
        if "sources" in entry:
            missing = [part for part in entry["sources"] if part not in (self.system or "")]
            needed += [f"a system prompt that contains {', '.join(missing)}"] if missing else []
        elif self.system != entry.get("system"):
            system = entry.get("system")
            needed.append("no system prompt" if system is None else f"the system prompt “{system}”")
        if self.prefix != (prefix := entry.get("prefix", "")):
            needed.append(f"the prefix “{prefix}”" if prefix else "no prefix")
        if self.effort != (effort := entry.get("effort", "none")):
            needed.append(f"reasoning_effort {effort}")
        if self.format not in (formats := entry.get("formats", ["text"])):
            needed.append(f"response_format {' or '.join(formats)}")
        elif self.format == "json_schema" and (problem := _misfit(entry, self.schema)):
            needed.append(f"a schema that it fits ({problem})")
        if tools := self._needs_of_tools(entry):
            needed.append(tools)
        if self.pictures != _hashes(entry.get("picture")):
            picture = entry.get("picture")
            needed.append(f"the picture data/{picture}" if picture else "no picture")
        return " and ".join(needed)

    def _needs_of_tools(self, entry: Json) -> str:
        wanted = entry.get("tools", [call["name"] for call in _calls(entry)])
        if not wanted and self.must_call:
            return "a tool_choice that leaves the choice to the model"
        if not wanted:
            return "no tools" if self.tools else ""
        if not set(wanted) <= set(self.tools):
            return f"the tools {', '.join(dict.fromkeys(wanted))}"
        if self.must_call and not _calls(entry):
            return "a tool_choice that leaves the choice to the model"
        if entry.get("choice") == "any" and not self.must_call:
            return "a tool_choice that demands a call"
        return ""


def _holds(text: str, part: str) -> bool:
    """Whether a text holds this part, which is not a part of a longer word or number."""
    return bool(re.search(rf"(?<![\w.-]){re.escape(part)}(?![\w.])", text))


def find(entries: Iterable[Json], body: Json) -> Json:
    """The entry that answers a request. Raises `NotWritten`."""
    question = Question.of(body)
    for entry in entries:
        if "pattern" in entry:
            factors = question.asked and re.fullmatch(entry["pattern"], question.asked[-1].strip())
            if factors and len(question.asked) == 1 and question.is_steered_as(entry):
                return {**entry, "answer": str(int(factors[1]) * int(factors[2]))}
        elif "classifier" not in entry:
            if question.asks_as(entry) and question.is_steered_as(entry):
                return entry
        elif question.asks_for_label(entry):
            label = labels.label_of(question.asked[0], question.system or "", body["model"])
            if label:
                return {**entry, "answer": label}
    asked = question.asked[-1] if question.asked else ""
    raise NotWritten(f"No answer is written for {asked!r} (system: {question.system!r}).")


def choose(
    entry: Json, request: ChatRequest, default_temperature: float, rng: random.Random
) -> Answer:
    """The answer of an entry: its one `answer`, its calls, or one drawn from its `candidates`."""
    if calls := _calls(entry):
        calls = calls if request.parallel_tool_calls else calls[:1]
        wire = [
            {
                "id": "".join(rng.choices(LETTERS, k=9)),
                "type": "function",
                "function": {"name": call["name"], "arguments": call["arguments"]},
                "index": index,
            }
            for index, call in enumerate(calls)
        ]
        return Answer(calls=wire, finish=tokens.cut_calls(wire, request.max_tokens))
    text = entry.get("answer", "").strip()
    if candidates := entry.get("candidates"):
        temperature = default_temperature if request.temperature is None else request.temperature
        weights = soften([candidate["weight"] for candidate in candidates], temperature)
        kept = nucleus(weights, 1.0 if request.top_p is None else request.top_p)
        text = rng.choices([candidate["text"] for candidate in candidates], kept)[0]
    for stop in [request.stop] if isinstance(request.stop, str) else request.stop or []:
        text = text.partition(stop)[0] if stop else text
    thinking, most = entry.get("thinking", "").strip(), request.max_tokens
    if thinking and most is not None:
        left = most - tokens.count_completion("", thinking, finish="length")
        if left <= 0:
            begun = tokens.encode(thinking)[: max(1, most - 1)]
            return Answer("", tokens.decode(begun), finish="length", spent=most)
        most = left
    text, finish = tokens.cut(text, most)
    return Answer(text, thinking, finish=finish)


def soften(weights: list[float], temperature: float) -> list[float]:
    """Softmax of the logarithms of the weights at a temperature; at 0 the heaviest takes all."""
    best = max(weights)
    powers = [math.log(weight / best) for weight in weights]
    # Below this, the second would not be drawn once in a lifetime, and the division overflows.
    if temperature < 1e-3:
        first = weights.index(best)
        return [float(index == first) for index in range(len(weights))]
    powers = [math.exp(power / temperature) for power in powers]
    return [power / sum(powers) for power in powers]


def nucleus(probabilities: list[float], top_p: float) -> list[float]:
    """The most likely ones that together reach `top_p`; the others become 0."""
    kept, total = [0.0] * len(probabilities), 0.0
    for i in sorted(range(len(probabilities)), key=lambda i: -probabilities[i]):
        kept[i] = probabilities[i]
        total += probabilities[i]
        if total >= top_p:
            break
    return kept


def _picture(address: str) -> str:
    content = tokens.read_picture(address)
    return hashlib.sha256(content).hexdigest() if content else address


def _hashes(name: str | None) -> tuple[str, ...]:
    return (hashlib.sha256((DATA / name).read_bytes()).hexdigest(),) if name else ()


def _calls(entry: Json) -> list[Json]:
    """The tool calls of an entry."""
    one = [entry["tool_call"]] if "tool_call" in entry else []
    return [*one, *entry.get("tool_calls", [])]


def _offered(tools: list[Json], choice: Any) -> tuple[str, ...]:
    """The names of the tools that a request lets the model call."""
    names = tuple((tool.get("function") or {}).get("name", "") for tool in tools)
    if isinstance(choice, dict):
        return tuple(name for name in names if name == choice["function"]["name"])
    return () if choice == "none" else names


def _misfit(entry: Json, schema: Json | None) -> str:
    """Why an answer is not one that a schema allows; "" where it is."""
    import jsonschema  # type: ignore[import-untyped]

    try:
        jsonschema.validate(json.loads(entry["answer"]), schema or {})
    except jsonschema.ValidationError as error:
        return str(error.message)
    except (jsonschema.SchemaError, ValueError, KeyError) as error:
        return type(error).__name__
    return ""


def _text(message: Json) -> str:
    """The text of a message, whose content is a string or a list of parts."""
    content: Any = message.get("content")
    if isinstance(content, list):
        if any(part.get("type", "text") not in ("text", "image_url") for part in content):
            raise NotWritten("Nothing is written for sounds and documents.")
        return "".join(part["text"] for part in content if part.get("type", "text") == "text")
    return str(content or "")


def _plain(text: str) -> str:
    return " ".join(text.split()).rstrip(" ?!.").casefold()
