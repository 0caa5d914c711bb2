"""A lesson's recorded answers: the file, which request each belongs to, and what to say on a miss."""

from __future__ import annotations

import collections
import difflib
import itertools
import json
import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .wire import Json

STAND_IN = "stand-in"
ABSENT = object()
KEYS = {None: "the key of the environment", "other": "another key", "none": "no key"}
PASSING = {  # what differs between two equal answers, by the `object` that they say they are
    "chat.completion": ("id", "created"),
    "chat.completion.chunk": ("id", "created", "p"),
    "list": ("id",),
    "model": ("created",),
}
BODY_KINDS = ("body", "events", "text", "base64")


class RecordingNotFound(LookupError):
    """No recording answers this request. The message names the nearest one and the difference."""


class Recordings:
    """The recordings of one lesson, in the order in which they were made.

    A recording is a dict of four: `origin` ("stand-in", or the host that answered), `recorded`
    (its date), `request` {method, path, body} and `response` {status, headers, and one of body
    (JSON), events (a stream's, with seconds since the request), text, base64}. A `note` may say more.
    """

    def __init__(self, path: Path, items: list[Json] | None = None) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._answers: dict[str, list[Json]] = {}
        for item in items or []:
            self._answers.setdefault(key_of(item["request"]), []).append(item)
        self._texts: dict[int, str] = {}
        self._turn: collections.Counter[str] = collections.Counter()
        self._fresh: set[str] = set()  # requests that were recorded anew since the file was read

    @classmethod
    def load(cls, path: Path) -> Recordings:
        """Read a file. Raises FileNotFoundError, or ValueError saying what is wrong in it."""
        if not path.exists():
            names = ", ".join(sorted(p.stem for p in path.parent.glob("*.json"))) or "none"
            raise FileNotFoundError(
                f"No recordings in {short(path)}. Lessons that have some: {names}."
            )
        try:
            items = json.loads(path.read_text("utf-8"))["recordings"]
            for number, item in enumerate(items, 1):
                if fault := _fault(item):
                    raise ValueError(f"recording {number}: {fault}")
        except (ValueError, KeyError, TypeError) as error:
            reason = 'no list "recordings"' if isinstance(error, KeyError | TypeError) else error
            raise ValueError(
                f"{short(path)} is not a file of recordings ({reason}). "
                f"Get it back with: git checkout -- {short(path)}"
            ) from None
        return cls(path, items)

    def __iter__(self) -> Iterator[Json]:
        return (item for items in self._answers.values() for item in items)

    def __len__(self) -> int:
        return sum(map(len, self._answers.values()))

    def answer(self, request: Json) -> Json:
        """The response recorded for this request.

        Several recordings of one request answer in turn (429, 429, 200) and then start over, so
        that a cell can be run again. Raises `RecordingNotFound`.
        """
        key = key_of(request)
        if key not in self._answers:  # most recordings answer whatever the key
            key = key_of({name: part for name, part in request.items() if name != "key"})
        if key not in self._answers:
            raise RecordingNotFound(self._miss(request))
        with self._lock:
            turn = self._turn[key]
            self._turn[key] += 1
        items = self._answers[key]
        response: Json = items[turn % len(items)]["response"]
        return response

    def begin(self) -> None:
        """From now on, the first new answer to a request replaces its old ones.

        Raises OSError where the file can't be written: before anything is asked, and billed.
        """
        self._fresh.clear()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=self.path.parent).close()

    def add(self, item: Json) -> None:
        """Put in a new recording and write the file.

        The first new answer to a request replaces its old ones; the next ones follow it.
        """
        key = key_of(item["request"])
        with self._lock:
            old = self._answers[key] if key in self._fresh else []
            answers = {**self._answers, key: [*old, item]}
            self._save(answers)
            self._answers = answers
            self._fresh.add(key)

    def origins(self) -> str:
        """How many recordings came from where and when, in words."""
        counts = collections.Counter((item["origin"], item["recorded"]) for item in self)
        words = []
        for (origin, date), count in sorted(counts.items()):
            if origin == STAND_IN:
                plural = "s" * (count != 1)
                words.append(
                    f"{count} stand-in{plural} written for this course ({date}), not by a model"
                )
            else:
                words.append(f"{count} from {origin} ({date})")
        return "; ".join(words) or "none"

    def _save(self, answers: dict[str, list[Json]]) -> None:
        """Write all or nothing: a crash leaves the file as it was."""
        items = [item for same in answers.values() for item in _collapsed(same)]
        rows = ",\n".join("  " + self._text(item) for item in items)
        text = f'{{\n "lesson": {json.dumps(self.path.stem)},\n "recordings": [\n{rows}\n ]\n}}\n'
        handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.stem}-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
            os.chmod(name, 0o644)
            os.replace(name, self.path)
        except BaseException:
            os.unlink(name)
            raise

    def _text(self, item: Json) -> str:
        """An item as it stands in the file, made once: vectors take their time."""
        if id(item) not in self._texts:
            self._texts[id(item)] = pretty(item, 2)
        return self._texts[id(item)]

    def _miss(self, request: Json) -> str:
        asked = f"{request['method']} {request['path']}"
        lines = [f"No recording answers this request: {asked}, in {short(self.path)}."]
        if nearest := self._nearest(request):
            lines.append("The nearest recorded request differs here:")
            lines += [f"  {line}" for line in differences(request, nearest)[:8]]
        lines += [
            "Offline, only recorded requests have answers. Change the cell back, or ask the API itself:",
            f'set MISTRAL_API_KEY to your key and run helpers.start("{self.path.stem}", mode="live").',
        ]
        return "\n".join(lines)

    def _nearest(self, request: Json) -> Json | None:
        def likeness(other: Json) -> tuple[bool, float]:
            same_place = (other["method"], other["path"]) == (request["method"], request["path"])
            texts = key_of(other)[:2000], key_of(request)[:2000]  # enough, and never slow
            return same_place, difflib.SequenceMatcher(None, *texts).ratio()

        return max((item["request"] for item in self), key=likeness, default=None)


def key_of(request: Json) -> str:
    """Equal for requests that ask for the same.

    The order of fields does not matter, nor 0 or 0.0, `"stream": false` or none, and inside messages
    null or none. At the top null does: the API refuses a field that it doesn't know, null or not.
    """
    body = request["body"]
    if isinstance(body, dict):
        body = {n: _plain(v) for n, v in body.items() if not (n == "stream" and v is False)}
    else:
        body = _plain(body)
    return json.dumps({**request, "body": body}, sort_keys=True, ensure_ascii=False)


def differences(sent: Json, recorded: Json) -> list[str]:
    """The fields in which two requests differ, a line each, values cut to where they differ."""
    a, b = (dict(_leaves(json.loads(key_of(request)))) for request in (sent, recorded))
    lines = []
    for name in sorted({*a, *b}):
        if a.get(name, ABSENT) != b.get(name, ABSENT):
            left, right = _excerpts(a.get(name, ABSENT), b.get(name, ABSENT))
            if name == "key":
                left, right = KEYS[a.get(name)], KEYS[b.get(name)]
            lines.append(f"{name.removeprefix('body.')}: you sent {left}, recorded: {right}")
    return lines


def pretty(value: Any, indent: int = 0, width: int = 110) -> str:
    """JSON text that people can read: what fits on a line stays on a line."""
    flat = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or not value or len(flat) + indent <= width:
        return flat
    pad = " " * (indent + 1)
    if isinstance(value, list):
        rows = [pad + pretty(item, indent + 1, width) for item in value]
        return "[\n" + ",\n".join(rows) + "\n" + " " * indent + "]"
    rows = [
        f"{pad}{json.dumps(name, ensure_ascii=False)}: {pretty(item, indent + 1, width)}"
        for name, item in value.items()
    ]
    return "{\n" + ",\n".join(rows) + "\n" + " " * indent + "}"


def short(path: Path) -> str:
    """A path as people say it, from the project's folder on."""
    root = Path(__file__).parent.parent
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _fault(item: Any) -> str | None:
    """Why this is not a recording, or None."""
    for place, names in {
        "": ("origin", "recorded", "request", "response"),
        "request": ("method", "path", "body"),
        "response": ("status", "headers"),
    }.items():
        part = item[place] if place else item
        if not isinstance(part, dict):
            return f"{place or 'it'} is not an object"
        for name in names:
            if name not in part:
                return f"{place} has no {name}".strip()
    if sum(kind in item["response"] for kind in BODY_KINDS) != 1:
        return f"response needs one of {', '.join(BODY_KINDS)}"
    if not isinstance(item["response"]["status"], int):
        return "status is not a number"
    return None


def _plain(value: Any) -> Any:
    """1.0 as 1, and objects without their nulls: clients differ in how they write these."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items() if item is not None}
    return value


def _collapsed(items: list[Json]) -> list[Json]:
    """One recording where all answers to a request say the same, else all of them in turn."""
    return items[:1] if len({_said(item["response"]) for item in items}) == 1 else items


def _said(response: Json) -> str:
    """A response without what changes at each call: its id and time, padding, headers, pace."""

    def steady(value: Any) -> Any:
        if isinstance(value, list):
            return [steady(item) for item in value]
        if isinstance(value, dict):
            passing = PASSING.get(str(value.get("object")), ())
            return {name: steady(item) for name, item in value.items() if name not in passing}
        return value

    told = {name: steady(value) for name, value in response.items() if name != "headers"}
    if "events" in told:
        told["events"] = [{**event, "at": 0} for event in told["events"]]
    return json.dumps(told, sort_keys=True)


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Each single value of a request with its name: `temperature`, `messages[0].content`."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _leaves(item, f"{name}.{key}" if name else key)
    elif isinstance(value, list) and value:
        for number, item in enumerate(value):
            yield from _leaves(item, f"{name}[{number}]")
    else:
        yield name, value


def _excerpts(a: Any, b: Any, width: int = 40) -> tuple[str, str]:
    """Both values in short; long texts from shortly before the place where they part."""
    start = 0
    if isinstance(a, str) and isinstance(b, str) and max(len(a), len(b)) > width:
        same = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(a, b, strict=False))
        start = max(0, len(list(same)) - 12)
    return _excerpt(a, start, width), _excerpt(b, start, width)


def _excerpt(value: Any, start: int, width: int) -> str:
    if value is ABSENT:
        return "none"
    if isinstance(value, str):
        end = start + width
        value = "…" * bool(start) + value[start:end] + "…" * (len(value) > end)
    return json.dumps(value, ensure_ascii=False)
