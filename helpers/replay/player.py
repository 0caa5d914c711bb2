"""Answers requests from recordings, at the pace at which they were recorded."""

from __future__ import annotations

import functools
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Protocol

import anyio

from ..reply import Json
from .recordings import Recordings
from .wire import read_request, to_pieces

# (request, status, answer or None if it is incomplete, host)
OnAnswer = Callable[[Json, int, Json | None, str], None]


class Fallback(Protocol):
    """A source of answers to requests that are not recorded."""

    def answer(self, request: Json) -> Json | None:
        """A response as in a recording, or None."""

    def menu(self, request: Json) -> list[str]:
        """Lines for the error message: the requests that have an answer here."""


class Player:
    """A source that answers every request itself; see `seam.Source`.

    pace: 1 for the recorded pace, 0 for no waiting. fallback: answers requests that are not
    recorded. on_answer: called with each answer.
    """

    closed = True
    leaves_uploads = False

    def __init__(
        self,
        recordings: Recordings,
        pace: float = 1,
        fallback: Fallback | None = None,
        on_answer: OnAnswer | None = None,
    ) -> None:
        self.recordings, self.pace = recordings, pace
        self.fallback, self.on_answer = fallback, on_answer

    def answer(self, lib: Any, request: Any) -> Any:
        """An `httpx` or `httpx2` response to a request whose body has been read.

        Raises `RecordingNotFound` if there is no answer.
        """
        sent = read_request(request)
        answer, pieces = self._find(sent)
        if self.on_answer:
            self.on_answer(sent, answer["status"], answer, request.url.host)
        return lib.Response(
            answer["status"],
            headers=answer["headers"],
            stream=_stream_type(lib)(pieces, bool(answer.get("cut")), self.pace),
            request=request,
            extensions={"replayed": True},
        )

    def _find(self, sent: Json) -> tuple[Json, list[tuple[float, bytes]]]:
        if found := self.recordings.find(sent):
            return found.response, found.pieces
        if self.fallback is None:
            raise self.recordings.miss(sent, [])
        if answer := self.fallback.answer(sent):
            return answer, list(to_pieces(answer))
        raise self.recordings.miss(sent, self.fallback.menu(sent))

    def listen(self, lib: Any, request: Any, response: Any, began: float) -> Any:
        """Never called: nothing comes from the network."""
        raise NotImplementedError


@functools.cache
def _stream_type(lib: Any) -> Any:
    class Stream(lib.SyncByteStream, lib.AsyncByteStream):  # type: ignore[misc]
        """A recorded answer's bytes: `pieces` are (seconds since the request, bytes)."""

        def __init__(self, pieces: list[tuple[float, bytes]], cut: bool, pace: float) -> None:
            self.pieces, self.cut, self.pace = pieces, cut, pace

        def __iter__(self) -> Iterator[bytes]:
            began = time.monotonic()
            for at, piece in self.pieces:
                if (wait := began + at * self.pace - time.monotonic()) > 0:
                    time.sleep(wait)
                yield piece
            self._end()

        async def __aiter__(self) -> AsyncIterator[bytes]:
            began = time.monotonic()
            for at, piece in self.pieces:
                await anyio.sleep(max(0.0, began + at * self.pace - time.monotonic()))
                yield piece
            self._end()

        def _end(self) -> None:
            if self.cut:
                raise lib.RemoteProtocolError(
                    "peer closed connection without sending complete message body (recorded so)"
                )

    return Stream
