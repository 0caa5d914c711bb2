"""Records the API's answers, but nothing that must stay private."""

from __future__ import annotations

import datetime
import functools
from typing import Any

from ..keys import hide, hide_all
from ..reply import Json
from . import seam
from .player import OnAnswer
from .recordings import STAND_IN, Recordings, short
from .tape import listen
from .wire import read_request

KEPT_HEADERS = (
    "content-type",
    "retry-after",
    "mistral-correlation-id",
    "x-model-deprecation-timestamp",
)
KEPT_PREFIXES = ("x-ratelimit-", "ratelimitbysize-", "x-ratelimitbysize-")
ACCOUNT_FIELDS = {
    "account_id",
    "organization_id",
    "org_id",
    "workspace_id",
    "user_id",
    "owner_id",
    "created_by",
    "email",
    "api_key",
}


class Live:
    """A source that counts the calls that go over the network; see `seam.Source`.

    base_url: a server of your own, such as "http://127.0.0.1:8080/v1". Requests to Mistral hosts go
    there instead, without the key. By default, requests are not changed.
    """

    closed = False

    def __init__(self, on_answer: OnAnswer, base_url: str | None = None) -> None:
        self.on_answer, self.base_url = on_answer, base_url
        # Counting one would read a large file into memory.
        self.leaves_uploads = base_url is None

    def answer(self, lib: Any, request: Any) -> None:
        """None: the network answers."""
        if self.base_url:
            target = request.url.raw_path.decode("ascii").removeprefix("/v1")
            request.url = lib.URL(self.base_url.rstrip("/") + target)
            request.headers["host"] = request.url.netloc.decode("ascii")
            request.headers.pop("authorization", None)

    def listen(self, lib: Any, request: Any, response: Any, began: float) -> Any:
        """Return the same response; count it once it is closed."""
        sent, status, host = read_request(request), response.status_code, request.url.host
        return listen(
            lib, response, seam.clock, lambda answer: self.on_answer(sent, status, answer, host)
        )


class Recorder:
    """A source that records the network's answers, without request headers, keys or account ids."""

    closed = False
    leaves_uploads = False

    def __init__(self, recordings: Recordings, on_answer: OnAnswer) -> None:
        self.recordings, self.on_answer = recordings, on_answer

    def answer(self, lib: Any, request: Any) -> None:
        """None: the network answers, uncompressed, to get the time of each event of a stream."""
        request.headers["accept-encoding"] = "identity"

    def listen(self, lib: Any, request: Any, response: Any, began: float) -> Any:
        """Return the same response; record it once it is closed."""
        done = functools.partial(self._write, request, response)
        return listen(lib, response, lambda: seam.clock() - began, done, drain=True)

    def _write(self, request: Any, response: Any, answer: Json | None) -> None:
        sent = read_request(request)
        self.on_answer(sent, response.status_code, answer, request.url.host)
        if answer is None:
            # An incomplete body is not an answer.
            return
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        # The date on which a stand-in was written.
        written = response.extensions.get("stand_in")
        authorization = request.headers.get("authorization", "")
        _hide_across_events(answer.get("events", []), authorization)
        item = {
            "origin": STAND_IN if written else request.url.host,
            "recorded": written or today,
            "request": sent,
            "response": {
                "status": response.status_code,
                "headers": {k: v for k, v in response.headers.items() if is_kept(k)},
                **without_account(answer),
            },
        }
        if note := response.extensions.get("note"):
            item["note"] = note
        try:
            self.recordings.add(hide_all(item, authorization))
        except OSError as error:
            # The answer has been paid for: pass it on, and report that it is not in the file.
            print(f"Not recorded: {short(self.recordings.path)} can't be written ({error}).")


def is_kept(header: str) -> bool:
    """Whether recordings keep this response header."""
    return header.lower() in KEPT_HEADERS or header.lower().startswith(KEPT_PREFIXES)


def without_account(value: Any) -> Any:
    """The same JSON without account ids and without the account's fine-tuned models."""
    if isinstance(value, list):
        kept = [v for v in value if not (isinstance(v, dict) and v.get("type") == "fine-tuned")]
        return [without_account(item) for item in kept]
    if isinstance(value, dict):
        return {
            name: "removed"
            if name in ACCOUNT_FIELDS and isinstance(item, str)
            else without_account(item)
            for name, item in value.items()
        }
    return value


def _hide_across_events(events: list[Json], authorization: str) -> None:
    """Hide a key that is split across events; the whole text then moves into the first event."""
    deltas = [
        choice["delta"]
        for event in events
        if isinstance(event.get("data"), dict)
        for choice in event["data"].get("choices") or []
        if isinstance(choice.get("delta"), dict) and isinstance(choice["delta"].get("content"), str)
    ]
    whole = "".join(delta["content"] for delta in deltas)
    hidden = hide(whole, authorization)
    if hidden != whole:
        for delta in deltas:
            delta["content"] = ""
        deltas[0]["content"] = hidden
