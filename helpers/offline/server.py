"""`Server`: the API on this machine over HTTP, for curl, other languages and tests of your own.

It answers as replay does: the lessons' recordings, the API's refusals, written answers, vectors. On top
it has limits per minute with their headers, faults on demand, streams at their pace, keys that are
checked, and a strict mode. What is not recorded and not written gets a 501, a status that the API doesn't
have, which says what can be asked.

Two headers of a request are for this server alone: `x-fault: overloaded` plays a fault of
`data/faults.toml`, and `x-strict: 1` lets only recordings answer. `x-answered-by` in an answer says who
answered: recording, refused, written, vectors, computed, models, batch, past, fault, limit or nobody.

Left out: HTTPS and HTTP/2, CORS preflights, most of batches and files (see `batches.py`), agents, OCR, audio,
limits per month, a search for drift (record with a key: git shows what has changed), and answers about
anything that nobody wrote.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import functools
import http.server
import math
import socket
import struct
import sys
import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import httpx

from ..data import DATA
from ..replay.recordings import Recordings
from ..replay.wire import compact, read_request, to_pieces
from ..reply import Json
from ..transports.clock import Clock
from ..transports.faults import FaultSpec, make_fault
from . import answers, bodies
from .api import respond
from .fallback import Offline

MINUTE = 60.0
RECORDINGS = DATA / "recordings"
LIMITED = ("/v1/chat/completions", "/v1/embeddings")


@dataclasses.dataclass
class Response:
    """What goes over the wire: pieces of bytes, each with its second, perhaps broken off.

    The pieces of a stream may come from a generator, which is asked for each when the one before is sent.
    """

    status: int
    headers: dict[str, str]
    pieces: Iterable[tuple[float, bytes]]
    by: str
    # The part of the bytes after which the connection breaks off.
    cut: float | None = None
    streams: bool = False
    # Nothing is ever answered: the client gives up, or the server stops.
    silent: bool = False


class Server:
    """Serves the API on 127.0.0.1, in threads of its own, while its `with` block runs.

    requests_per_minute, tokens_per_minute: what each model admits in any 60 seconds; more is refused with
    the API's 429. None: no limit. Refused requests don't count.
    lessons: whose recordings and written answers it has; by default all.
    faults: names or statuses of `transports.Faults`, one for each request, then none.
    pace: 1 for streams as recorded, 0 for at once.
    strict: only recordings answer, and the API's refusal of a key.
    key: the only key that is taken; None takes any, "" also none at all.
    clock: its seconds; with `Clock(speed=60)`, a minute takes one real second.
    port: where it listens; 0 finds a free one.

    url: the base address, "http://127.0.0.1:…/v1". answered, refused: how many requests got a 200, and
    how many a 429 for a limit. open: how many requests are being answered now. left: how many clients
    went before their answer was complete; one that leaves is noticed when the next piece is due.

    with Server(40) as server:
        httpx.post(f"{server.url}/chat/completions", headers=…, json={"model": …, "messages": …})
    """

    def __init__(
        self,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        *,
        lessons: Sequence[str] | None = None,
        faults: Iterable[str | int | FaultSpec | None] = (),
        pace: float = 1,
        strict: bool = False,
        key: str | None = None,
        clock: Clock | None = None,
        port: int = 0,
    ) -> None:
        self.limits = (requests_per_minute, tokens_per_minute)
        self.pace, self.strict, self.key, self.clock = pace, strict, key, clock or Clock()
        self.answered = self.refused = self.open = self.left = 0
        self.recordings = [
            Recordings.load(path)
            for lesson in lessons or answers.lessons()
            if (path := RECORDINGS / f"{lesson}.json").exists()
        ]
        self.offline = Offline((lessons or answers.lessons())[0])
        self._faults = iter(faults)
        # For each model the (second, tokens) of what it answered.
        self._seen: dict[str, collections.deque[tuple[float, int]]] = collections.defaultdict(
            collections.deque
        )
        self._lock = threading.Lock()
        self._http = _Http(("127.0.0.1", port), _Handler)
        self._http.owner = self
        # A program that forgets to close it still ends.
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self.url = f"http://127.0.0.1:{self._http.server_port}/v1"

    def __enter__(self) -> Server:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.stopping.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def respond(self, method: str, path: str, headers: Json, content: bytes) -> Response:
        """The response to a request that arrives now."""
        with self._lock:
            entry = next(self._faults, None)
        if name := headers.get("x-fault"):
            entry = int(name) if name.isdigit() else name
        try:
            played = None if entry is None else make_fault(entry)
        except ValueError as error:
            return _problem(400, "unknown_fault", str(error))
        if played and (broken := self._broken(played)):
            return broken
        request = self._read(method, path, headers, content)
        strict = bool(headers.get("x-strict")) or self.strict
        response = self._answer(request, strict, content)
        if response.status == 200 and request["path"] in LIMITED:
            response = self._admit(request["body"]["model"], response)
        if played:
            response.cut = played.cut
        return response

    def _broken(self, played: FaultSpec) -> Response | None:
        """The answer of a fault, or None where the request goes through."""
        if played.delay == math.inf:
            return Response(0, {}, [], "fault", silent=True)
        if played.delay:
            self.clock.sleep(played.delay)
        if played.error:
            return Response(0, {}, [], "fault", cut=0)
        if played.status is None:
            return None
        headers = {"content-type": "application/json", **played.headers}
        return Response(played.status, headers, [(0, played.body.encode())], "fault")

    def _read(self, method: str, path: str, headers: Json, content: bytes) -> Json:
        # A body of no named kind is read as JSON, as FastAPI does it.
        kind = {"content-type": headers.get("content-type", "application/json")}
        request = read_request(httpx.Request(method, _url(path), headers=kind, content=content))
        request.pop("key", None)
        scheme, _, sent = headers.get("authorization", "").partition(" ")
        if self.key != "" and not (scheme.lower() == "bearer" and sent.strip()):
            request["key"] = "none"
        elif self.key and sent.strip() != self.key:
            request["key"] = "other"
        return request

    def _answer(self, request: Json, strict: bool, content: bytes) -> Response:
        for recordings in self.recordings:
            if found := recordings.find(request):
                return _response(found.response, found.pieces, "recording")
        if not strict or "key" in request:
            with contextlib.suppress(LookupError):
                found_now, answered = respond(self.offline.api, request, bodies.Call.now(), content)
                by = answered.by if answered else "refused"
                return _response(found_now, list(to_pieces(found_now)), by)
        menu = [] if strict else self.offline.menu(request)
        return _problem(501, "not_recorded", " ".join(["No answer is recorded.", *menu]))

    def _admit(self, model: str, response: Response) -> Response:
        """The same response with the model's limits, or a 429 where it admits no more."""
        most_requests, most_tokens = self.limits
        cost = int(response.headers.get("x-ratelimit-tokens-query-cost", "0"))
        with self._lock:
            now, seen = self.clock.now(), self._seen[model]
            while seen and seen[0][0] <= now - MINUTE:
                seen.popleft()
            used = sum(tokens for _, tokens in seen)
            too_many = most_requests is not None and len(seen) + 1 > most_requests
            too_long = most_tokens is not None and used + cost > most_tokens
            if too_many or too_long:
                self.refused += 1
            else:
                self.answered += 1
                seen.append((now, cost))
                used += cost
            left = _counted("req", most_requests, len(seen)) | _counted("tokens", most_tokens, used)
        if too_many or too_long:
            refusal = make_fault("request_limit" if too_many else "token_limit")
            which = "req" if too_many else "tokens"
            kept = {name: value for name, value in left.items() if f"-{which}-" in name}
            headers = {"content-type": "application/json", **kept}
            return Response(429, headers, [(0, refusal.body.encode())], "limit")
        # Streams have no such headers.
        if not response.streams:
            response.headers.update(left)
        return response


@functools.lru_cache(maxsize=256)
def _url(path: str) -> httpx.URL:
    return httpx.URL(f"https://api.mistral.ai{path}")


def _counted(what: str, most: int | None, used: int) -> dict[str, str]:
    if most is None:
        return {}
    names = (f"x-ratelimit-{part}-{what}-minute" for part in ("limit", "remaining"))
    return dict(zip(names, (str(most), str(max(0, most - used))), strict=True))


def _response(found: Json, pieces: list[tuple[float, bytes]], by: str) -> Response:
    cut = 1.0 if found.get("cut") else None
    return Response(found["status"], dict(found["headers"]), pieces, by, cut, "events" in found)


def _size(response: Response) -> int:
    return sum(len(piece) for _, piece in response.pieces)


def _problem(status: int, kind: str, message: str) -> Response:
    """An error of this server's own, in the API's form."""
    body = {"object": "error", "message": message, "type": kind, "param": None, "code": None}
    return Response(status, {"content-type": "application/json"}, [(0, compact(body))], "nobody")


class _Http(http.server.ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True
    # An open connection of a client must not keep the server from stopping.
    block_on_close = False
    owner: Server

    def __init__(self, *args: Any) -> None:
        self.stopping = threading.Event()
        super().__init__(*args)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves early is no error."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "helpers.offline"
    # One packet for headers and body.
    wbufsize = -1
    server: _Http

    def _any(self) -> None:
        owner = self.server.owner
        headers = {name.lower(): value for name, value in self.headers.items()}
        content = self._content()
        with self._counted():
            self._answer(owner.respond(self.command, self.path, headers, content))

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        owner = self.server.owner
        with owner._lock:
            owner.open += 1
        left = 0
        try:
            yield
        except ConnectionError:
            left = 1
            raise
        finally:
            with owner._lock:
                owner.open -= 1
                owner.left += left

    def _answer(self, response: Response) -> None:
        if response.silent:
            self._wait_until_gone()
        if not response.status:
            self._reset()
            return
        self.send_response(response.status)
        own = {
            "access-control-allow-origin": "*",
            "mistral-correlation-id": str(uuid.uuid4()),
            **response.headers,
            "x-answered-by": response.by,
        }
        if response.streams:
            own["transfer-encoding"] = "chunked"
        else:
            own["content-length"] = str(_size(response))
        for name, value in own.items():
            self.send_header(name, value)
        self.end_headers()
        self._write(response)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _any

    def _content(self) -> bytes:
        """The request's body, sent whole or in chunks."""
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        pieces = []
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(pieces)

    def _write(self, response: Response) -> None:
        owner = self.server.owner
        left = None if response.cut is None else int(_size(response) * response.cut)
        began = owner.clock.now()
        for at, piece in response.pieces:
            if response.streams and (wait := began + at * owner.pace - owner.clock.now()) > 0:
                owner.clock.sleep(wait)
            part = piece[:left]
            left = None if left is None else left - len(part)
            if part:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part) if response.streams else part)
                self.wfile.flush()
        if response.cut is not None:
            self.close_connection = True
        elif response.streams:
            self.wfile.write(b"0\r\n\r\n")

    def _wait_until_gone(self) -> None:
        """Raise ConnectionError when the client leaves; return when the server stops."""
        self.connection.settimeout(0.05)
        while not self.server.stopping.is_set():
            with contextlib.suppress(TimeoutError):
                if not self.connection.recv(1, socket.MSG_PEEK):
                    raise ConnectionResetError("The client has left.")
                time.sleep(0.05)

    def _reset(self) -> None:
        """Break the connection off without an answer."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def log_message(self, *_: Any) -> None:
        """Nothing: a notebook's outputs are for the lesson."""
