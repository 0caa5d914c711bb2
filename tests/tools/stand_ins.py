"""Stands where the network would, below the recorder, so that a lesson's stand-ins can be recorded."""

from __future__ import annotations

import collections
import functools
import json
import os
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import httpx2

from helpers.keys import is_mistral
from helpers.offline import answers, api, bodies, vectors
from helpers.replay import seam
from helpers.replay.wire import read_request, to_pieces

# 32 letters and digits, as a real one.
KEY = "StandInKey0123456789abcdefghijkl"
NOTES = {
    "embeddings": "vectors of the open model all-MiniLM-L6-v2, turned from 384 into 1024 dimensions",
    "past": api.PAST,
    "batch": "a job that is done at the second look",
}


def install(lesson: str) -> None:
    """Let every httpx and httpx2 client of this process reach the stand-in instead of Mistral's hosts."""
    stand_in = StandIn(lesson)
    seam.clock = lambda: stand_in.now
    for lib in (httpx, httpx2):
        network = lib.HTTPTransport.handle_request
        async_network = lib.AsyncHTTPTransport.handle_async_request
        lib.HTTPTransport.handle_request = _below(lib, stand_in, network)
        lib.AsyncHTTPTransport.handle_async_request = _async_below(lib, stand_in, async_network)


def _below(lib: Any, stand_in: StandIn, network: Any) -> Any:
    def handle(transport: Any, request: Any) -> Any:
        if not is_mistral(request.url.host):
            return network(transport, request)
        request.read()
        return stand_in.respond(lib, request)

    return handle


def _async_below(lib: Any, stand_in: StandIn, network: Any) -> Any:
    async def handle(transport: Any, request: Any) -> Any:
        if not is_mistral(request.url.host):
            return await network(transport, request)
        await request.aread()
        return stand_in.respond(lib, request)

    return handle


class StandIn:
    """The API as one lesson needs it: the same requests in the same order get the same answers.

    now: the recorder's time. Streams set it, so that a recording has exact times at once.
    """

    def __init__(self, lesson: str) -> None:
        self.api = api.Api([lesson])
        self.written = answers.script(lesson).written
        self.now = 0.0
        self._calls: collections.Counter[str] = collections.Counter()

    def respond(self, lib: Any, request: Any) -> Any:
        """The `lib` response to a request of `lib`, with the date of writing in its extensions.

        Raises LookupError: a question without an answer is a problem of the lesson, and must not pass
        for something that a model said.
        """
        asked = read_request(request)
        if request.headers.get("authorization") != f"Bearer {KEY}":
            asked.setdefault("key", "other")
        if asked["path"] == "/v1/embeddings" and os.environ.get("MINILM"):
            vectors.learn(asked["body"]["input"])
        key = json.dumps(asked, sort_keys=True)
        self._calls[key] += 1
        call = bodies.Call.recorded(asked, self._calls[key], self.written)
        found, answered = api.respond(self.api, asked, call, request.content)
        kind = "embeddings" if asked["path"] == "/v1/embeddings" else answered and answered.by
        return lib.Response(
            found["status"],
            headers=found["headers"],
            stream=_stream_type(lib)(self, list(to_pieces(found))),
            request=request,
            extensions={"stand_in": self.written.isoformat(), "note": NOTES.get(kind or "")},
        )


@functools.cache
def _stream_type(lib: Any) -> Any:
    class Stream(lib.SyncByteStream, lib.AsyncByteStream):  # type: ignore[misc]
        """Bytes that set the time to their second."""

        def __init__(self, stand_in: StandIn, pieces: list[tuple[float, bytes]]) -> None:
            self.stand_in, self.began, self.pieces = stand_in, stand_in.now, pieces

        def __iter__(self) -> Iterator[bytes]:
            for at, piece in self.pieces:
                self.stand_in.now = self.began + at
                yield piece

        async def __aiter__(self) -> AsyncIterator[bytes]:
            for piece in self:
                yield piece

    return Stream
