"""A lesson's recorded answers: the file, answers in turn, and the error for a miss."""

from __future__ import annotations

import collections
import functools
import json
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..atomic import replacing
from ..data import DATA
from ..reply import Json
from .matching import differences, distance, fields_of, key_of
from .wire import to_pieces

STAND_IN = "stand-in"
BODY_KINDS = ("body", "events", "text", "base64")
# Fields that change with each call, by the answer's `object`.
VOLATILE_FIELDS = {
    "chat.completion": ("id", "created"),
    "chat.completion.chunk": ("id", "created", "p"),
    "list": ("id",),
    "model": ("created",),
}


class RecordingNotFound(LookupError):
    """No recording answers this request. The message shows the nearest one and the difference."""

    def _render_traceback_(self) -> list[str]:
        """What IPython shows: the message alone, since no frame of the traceback helps."""
        return [f"RecordingNotFound: {self}"]


class Recording:
    """One recording, and values computed from it once.

    item: a dict of `origin` ("stand-in", or the host that answered), `recorded` (the date),
    `request` {method, path, body} and `response` {status, headers, and one of body (JSON), events (of
    a stream, with seconds since the request), text, base64}, and optionally a `note`.
    """

    def __init__(self, item: Json) -> None:
        self.item = item
        self.response: Json = item["response"]
        # Seconds until a whole answer arrives.
        self.takes = 0.0

    @functools.cached_property
    def pieces(self) -> list[tuple[float, bytes]]:
        """The response's bytes, each piece with its time in seconds."""
        return [(at or self.takes, piece) for at, piece in to_pieces(self.response)]

    @functools.cached_property
    def fields(self) -> dict[str, Any]:
        return fields_of(self.item["request"])

    @functools.cached_property
    def text(self) -> str:
        """The recording as it is in the file. Cached, because vectors are slow to format."""
        return pretty(self.item, 2)

    @functools.cached_property
    def stable(self) -> str:
        """The response without what changes with each call: id and time, padding, headers, pace."""
        found = {name: _stable(value) for name, value in self.response.items() if name != "headers"}
        if "events" in found:
            found["events"] = [{**event, "at": 0} for event in found["events"]]
        return json.dumps(found, sort_keys=True)


class Recordings:
    """The recordings of one lesson, in the order in which they were made."""

    def __init__(self, path: Path, items: list[Json] | None = None) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._answers: dict[str, list[Recording]] = {}
        for item in items or []:
            self._answers.setdefault(key_of(item["request"]), []).append(Recording(item))
        self._let_whole_answers_take_their_time()
        self._turn: collections.Counter[str] = collections.Counter()
        # Requests that have been recorded again since the file was read.
        self._fresh: set[str] = set()

    @classmethod
    def load(cls, path: Path) -> Recordings:
        """Read a file. Raises FileNotFoundError, or ValueError with the problem in the file."""
        if not path.exists():
            names = ", ".join(sorted(p.stem for p in path.parent.glob("*.json"))) or "none"
            raise FileNotFoundError(
                f"No recordings in {short(path)}. Lessons that have some: {names}."
            )
        try:
            items = json.loads(path.read_text("utf-8"))["recordings"]
            for number, item in enumerate(items, 1):
                if problem := _problem(item):
                    raise ValueError(f"recording {number}: {problem}")
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            reason = 'no list "recordings"' if isinstance(error, KeyError | TypeError) else error
            raise ValueError(
                f"{short(path)} is not a file of recordings ({reason}). "
                f"Get it back with: git checkout -- {short(path)}"
            ) from None
        return cls(path, items)

    def __iter__(self) -> Iterator[Json]:
        return (found.item for same in self._answers.values() for found in same)

    def find(self, request: Json) -> Recording | None:
        """The recording that answers this request now, or None.

        Several recordings of one request answer in turn (429, 429, 200) and then start over, so
        that a cell can be run again.
        """
        key = key_of(request)
        if (same := self._answers.get(key)) is None:
            return None
        with self._lock:
            turn = self._turn[key]
            self._turn[key] += 1
        return same[turn % len(same)]

    def _let_whole_answers_take_their_time(self) -> None:
        """Let a whole answer take as long as its stream, if the same request was also streamed.

        Others arrive at once: how long they took is not recorded, and nobody learns from waiting.
        """
        for same in list(self._answers.values()):
            events, request = same[0].response.get("events"), same[0].item["request"]
            if events and isinstance(request["body"], dict):
                unstreamed = {**request["body"], "stream": False}
                for whole in self._answers.get(key_of({**request, "body": unstreamed}), []):
                    whole.takes = events[-1]["at"]

    def begin(self) -> None:
        """From now on, the first new answer to a request replaces its old ones.

        Before any request is sent and billed, raises OSError if the file can't be written, and
        RuntimeError if another process is recording the same lesson.
        """
        self._fresh.clear()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=self.path.parent).close()
        lock_recording(self.path)

    def add(self, item: Json) -> None:
        """Add a recording and write the file.

        The first new answer to a request replaces the old ones; later ones are appended.
        """
        key = key_of(item["request"])
        with self._lock:
            old = self._answers.get(key, []) if key in self._fresh else []
            answers = {**self._answers, key: [*old, Recording(item)]}
            self._save(answers)
            self._answers = answers
            self._fresh.add(key)

    def origins(self) -> str:
        """How many recordings there are of each origin and date, as text."""
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

    def miss(self, request: Json, menu: list[str]) -> RecordingNotFound:
        """The error for a request without an answer: what differs, what is recorded, how to go live."""
        sent = fields_of(request)
        lines = [
            f"No recording answers {request['method']} {request['path']} in {short(self.path)}."
        ]
        if nearest := self._nearest(request, sent):
            found = differences(sent, nearest.fields)
            more = [f"and {len(found) - 2} more"] * (len(found) > 3)
            shown = found[: 2 if more else 3]
            lines += [f"The nearest recorded request differs in {'; '.join([*shown, *more])}."]
        lines += menu
        lines.append(
            "To ask the API itself, set MISTRAL_API_KEY to your key and run "
            f'helpers.start("{self.path.stem}", mode="live").'
        )
        return RecordingNotFound("\n".join(lines))

    def _nearest(self, request: Json, sent: dict[str, Any]) -> Recording | None:
        """The most similar request to the same path that got an answer, not an error."""
        place = request["method"], request["path"]
        same_place = [
            same[0]
            for same in self._answers.values()
            if (same[0].item["request"]["method"], same[0].item["request"]["path"]) == place
        ]
        good = [found for found in same_place if found.response["status"] < 400]
        return min(good or same_place, key=lambda found: distance(sent, found.fields), default=None)

    def _save(self, answers: dict[str, list[Recording]]) -> None:
        rows = [found.text for same in answers.values() for found in _collapsed(same)]
        text = f'{{\n "lesson": {json.dumps(self.path.stem)},\n "recordings": [\n'
        text += ",\n".join(f"  {row}" for row in rows) + "\n ]\n}\n"
        with replacing(self.path) as file:
            file.write(text.encode())


@functools.cache
def lock_recording(path: Path) -> Any:
    """Keep other processes from recording a lesson while this one runs.

    Raises RuntimeError if another one is already recording it.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path.parent / f".{path.stem}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise RuntimeError(
            f"Another process is recording {path.stem}: wait for it, or shut down its kernel."
        ) from None
    return lock


def pretty(value: Any, indent: int = 0, width: int = 110) -> str:
    """Readable JSON: whatever fits on one line stays on one line."""
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
    """A path relative to the project's folder, if it is inside."""
    root = DATA.parent
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _problem(item: Any) -> str | None:
    """Why this is not a valid recording, or None."""
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


def _collapsed(same: list[Recording]) -> list[Recording]:
    """Keep one recording if all answers to a request are equal, otherwise all of them."""
    return same[:1] if len({found.stable for found in same}) == 1 else same


def _stable(value: Any) -> Any:
    if isinstance(value, list):
        return [_stable(item) for item in value]
    if isinstance(value, dict):
        volatile = VOLATILE_FIELDS.get(str(value.get("object")), ())
        return {name: _stable(item) for name, item in value.items() if name not in volatile}
    return value
