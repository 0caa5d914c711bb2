"""Where answers come from: `start` puts recordings, or a recorder, under every httpx client."""

from __future__ import annotations

import datetime
import functools
import importlib
import importlib.util
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio

from .keys import PLACEHOLDER, VARIABLE, find_key, hide_all, is_mistral
from .meter import begin_count, count_call
from .prices import reminder
from .recordings import STAND_IN, Recordings, short
from .tape import listen
from .wire import Json, read_request, to_pieces

MODES = ("replay", "live", "record")
ROOT = Path(__file__).parent.parent
FOLDER, ENV_FILE = ROOT / "data" / "recordings", ROOT / ".env"
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
clock = time.monotonic
_recordings: Recordings | None = None  # of the record mode


def start(lesson: str, mode: str | None = None) -> None:
    """Decide where the answers of this notebook come from, and say so in one line.

    lesson: the notebook's name without its ending, such as "02_first_call".
    mode: "replay" answers every request to a Mistral host from `data/recordings/<lesson>.json`,
    without a socket and without a key; "live" calls the API with your key; "record" does the
    same and writes what came back to that file; it reads streams to their end, also those that you
    leave early. By default the environment variable MISTRAL_MODE decides, else it is "replay". For
    the last two, the key may stand in a file `.env` at the top of the project.

    It works under `httpx` and `httpx2`, so under the official SDK, too, and for every client of
    this process, those made before included. Other hosts are left alone. MISTRAL_PACE=0 replays
    streams at full speed, MISTRAL_RECORDINGS names another folder.

    Raises ValueError for an unknown mode or a broken file, FileNotFoundError when the lesson has
    no recordings, `MissingKey` for a live call without a key.
    """
    mode = mode or os.environ.get("MISTRAL_MODE") or "replay"
    if mode not in MODES:
        raise ValueError(f"The mode (MISTRAL_MODE) is {mode!r}; it can be {', '.join(MODES)}.")
    if not lesson or Path(lesson).name != lesson:
        raise ValueError(f"{lesson!r} is not the name of a lesson, such as '02_first_call'.")
    path = Path(os.environ.get("MISTRAL_RECORDINGS") or FOLDER) / f"{lesson}.json"

    if mode == "replay":
        if not os.environ.get(VARIABLE, "").strip():
            os.environ[VARIABLE] = PLACEHOLDER
        _install(
            Replay(Recordings(path))
        )  # should the next line fail, nothing goes out all the same
        recordings = Recordings.load(path)
        _install(Replay(recordings, pace=_pace()))
        print(f"Replay, offline. Recorded answers: {recordings.origins()}.")
        return
    find_key(ENV_FILE)
    if mode == "live":
        _install(Live())
        _remind()
        print("Live: calls go to the API with your key and are billed. Nothing is recorded.")
        return
    global _recordings
    if (
        _recordings is None or _recordings.path != path
    ):  # else a stream of before may still add to it
        _recordings = Recordings.load(path) if path.exists() else Recordings(path)
    _recordings.begin()
    _install(Recorder(_recordings))
    _remind()
    print(f"Record: calls go to the API with your key and are billed; answers go to {short(path)}.")


@functools.cache
def _remind() -> None:
    """Where money is spent, say once when the prices are old; stored outputs never depend on it."""
    if said := reminder():
        print(said)


class Replay:
    """Answers requests from recordings; streams arrive event by event, at `pace` (0: at once)."""

    def __init__(self, recordings: Recordings, pace: float = 1) -> None:
        self.recordings, self.pace = recordings, pace

    def answer(self, lib: Any, request: Any) -> Any:
        """An `httpx` or `httpx2` response for a request whose body has been read."""
        sent = read_request(request)
        recorded = self.recordings.answer(sent)
        count_call(sent, recorded["status"], recorded, request.url.host)
        return lib.Response(
            recorded["status"],
            headers=recorded["headers"],
            stream=_stream_type(lib)(lib, recorded, self.pace),
            request=request,
            extensions={"replayed": True},
        )


class Recorder:
    """Writes down what comes back; never headers of a request, cookies, keys or account ids."""

    def __init__(self, recordings: Recordings) -> None:
        self.recordings = recordings

    def listen(self, lib: Any, request: Any, response: Any, began: float) -> Any:
        """The same response, which records itself when it has been read or closed."""
        done = functools.partial(self._write, request, response)
        return listen(lib, response, lambda: clock() - began, done, drain=True)

    def _write(self, request: Any, response: Any, said: Json | None) -> None:
        count_call(read_request(request), response.status_code, said, request.url.host)
        if said is None:
            return  # half of a body is no answer
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        stand_in = response.extensions.get("stand_in")  # the date on which it was written
        item = {
            "origin": STAND_IN if stand_in else request.url.host,
            "recorded": stand_in or today,
            "request": read_request(request),
            "response": {
                "status": response.status_code,
                "headers": {k: v for k, v in response.headers.items() if _is_kept(k)},
                **_without_account(said),
            },
        }
        if note := response.extensions.get("note"):
            item["note"] = note
        self.recordings.add(hide_all(item, request.headers.get("authorization", "")))


class Live:
    """Counts what goes over the network, and changes nothing."""

    def listen(self, lib: Any, request: Any, response: Any, began: float) -> Any:
        sent, host, status = read_request(request), request.url.host, response.status_code
        return listen(lib, response, clock, lambda said: count_call(sent, status, said, host))


def _install(source: Replay | Recorder | Live) -> None:
    """Put the source between the clients and the network, and begin to count anew."""
    begin_count(paid=not isinstance(source, Replay))
    # litellm's async calls pass httpx by, unless told not to
    os.environ["DISABLE_AIOHTTP_TRANSPORT"] = "True"
    for lib in _libraries():
        transport, async_transport = lib.HTTPTransport, lib.AsyncHTTPTransport
        call = transport.handle_request
        async_call = async_transport.handle_async_request
        transport.handle_request = _seam(lib, source, getattr(call, "network", call))
        async_transport.handle_async_request = _async_seam(
            lib, source, getattr(async_call, "network", async_call)
        )


def _seam(lib: Any, source: Replay | Recorder | Live, network: Callable[..., Any]) -> Any:
    @functools.wraps(network)
    def handle_request(transport: Any, request: Any) -> Any:
        if not _concerns(source, request):
            return network(transport, request)
        request.read()
        if isinstance(source, Replay):
            return source.answer(lib, request)
        if isinstance(source, Recorder):  # so that a stream's events have their times
            request.headers["accept-encoding"] = "identity"
        began = clock()
        return source.listen(lib, request, network(transport, request), began)

    handle_request.network = network  # type: ignore[attr-defined]
    return handle_request


def _async_seam(
    lib: Any, source: Replay | Recorder | Live, network: Callable[..., Awaitable[Any]]
) -> Any:
    @functools.wraps(network)
    async def handle_async_request(transport: Any, request: Any) -> Any:
        if not _concerns(source, request):
            return await network(transport, request)
        await request.aread()
        if isinstance(source, Replay):
            return source.answer(lib, request)
        if isinstance(source, Recorder):
            request.headers["accept-encoding"] = "identity"
        began = clock()
        return source.listen(lib, request, await network(transport, request), began)

    handle_async_request.network = network  # type: ignore[attr-defined]
    return handle_async_request


def _concerns(source: Replay | Recorder | Live, request: Any) -> bool:
    """Whether a request goes through the source: live, uploads of files are left alone."""
    uploads = not request.headers.get("content-type", "json").count("json")
    return is_mistral(request.url.host) and not (uploads and isinstance(source, Live))


def _libraries() -> list[Any]:
    """httpx, and httpx2 where it is installed: the official SDK calls through the latter."""
    found = [importlib.import_module("httpx")]
    if importlib.util.find_spec("httpx2"):
        found.append(importlib.import_module("httpx2"))
    return found


@functools.cache
def _stream_type(lib: Any) -> Any:
    class Stream(lib.SyncByteStream, lib.AsyncByteStream):  # type: ignore[misc]
        """A recorded answer's bytes."""

        def __init__(self, lib: Any, recorded: Json, pace: float) -> None:
            self.lib, self.recorded, self.pace = lib, recorded, pace

        def __iter__(self) -> Iterator[bytes]:
            began = clock()
            for at, piece in to_pieces(self.recorded):
                time.sleep(max(0.0, began + at * self.pace - clock()))
                yield piece
            self._end()

        async def __aiter__(self) -> AsyncIterator[bytes]:
            began = clock()
            for at, piece in to_pieces(self.recorded):
                await anyio.sleep(max(0.0, began + at * self.pace - clock()))
                yield piece
            self._end()

        def _end(self) -> None:
            if self.recorded.get("cut"):
                raise self.lib.RemoteProtocolError(
                    "peer closed connection without sending complete message body (recorded so)"
                )

    return Stream


def _pace() -> float:
    pace = os.environ.get("MISTRAL_PACE") or "1"
    try:
        return min(max(0.0, float(pace)), 100.0)
    except ValueError:
        raise ValueError(
            f"MISTRAL_PACE is {pace!r}; it is a number: 1 as recorded, 0 at once."
        ) from None


def _is_kept(header: str) -> bool:
    return header.lower() in KEPT_HEADERS or header.lower().startswith(KEPT_PREFIXES)


def _without_account(value: Any) -> Any:
    """The same JSON without ids of the account and without its own fine-tuned models."""
    if isinstance(value, list):
        kept = [v for v in value if not (isinstance(v, dict) and v.get("type") == "fine-tuned")]
        return [_without_account(item) for item in kept]
    if isinstance(value, dict):
        return {
            name: "removed"
            if name in ACCOUNT_FIELDS and isinstance(item, str)
            else _without_account(item)
            for name, item in value.items()
        }
    return value
