"""Answers requests from recordings, at the pace at which they were recorded."""

from __future__ import annotations

import functools
import json
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
        # Of each chat that was streamed, by its messages.
        self._seconds_per_token: dict[str, float] = {}

    def answer(self, lib: Any, request: Any) -> Any:
        """An `httpx` or `httpx2` response to a request whose body has been read.

        Raises `RecordingNotFound` if there is no answer.
        """
        # Finding an answer takes time, which is a part of the pace.
        began = time.monotonic()
        sent = read_request(request)
        answer, pieces = self._find(sent)
        if self.on_answer:
            self.on_answer(sent, answer["status"], answer, request.url.host)
        return lib.Response(
            answer["status"],
            headers=answer["headers"],
            stream=_stream_type(lib)(pieces, bool(answer.get("cut")), self.pace, began),
            request=request,
            extensions={"replayed": True},
        )

    def _find(self, sent: Json) -> tuple[Json, list[tuple[float, bytes]]]:
        if found := self.recordings.find(sent):
            self._pace_of_chat(sent, found.response)
            return found.response, found.pieces
        if self.fallback is None:
            raise self.recordings.miss(sent, [])
        if answer := self.fallback.answer(sent):
            takes = self._pace_of_chat(sent, answer)
            return answer, [(at or takes, piece) for at, piece in to_pieces(answer)]
        raise self.recordings.miss(sent, self.fallback.menu(sent))

    def _pace_of_chat(self, sent: Json, answer: Json) -> float:
        """Seconds until a whole answer arrives: at the pace of a stream that was asked before, or 0.

        A stream's pace is kept for that. Recorded whole answers have theirs: see `Recordings`.
        """
        if not self.pace or not isinstance(sent["body"], dict) or "messages" not in sent["body"]:
            return 0
        key = json.dumps(sent["body"]["messages"])
        events = answer.get("events", [])
        data = events[-2].get("data") if len(events) > 1 else answer.get("body")
        usage = data.get("usage") if isinstance(data, dict) else None
        tokens: int = (usage or {}).get("completion_tokens") or 0
        if events and tokens:
            self._seconds_per_token[key] = events[-1]["at"] / tokens
        return 0 if events else tokens * self._seconds_per_token.get(key, 0)

    def listen(self, lib: Any, request: Any, response: Any, began: float) -> Any:
        """Never called: nothing comes from the network."""
        raise NotImplementedError


@functools.cache
def _stream_type(lib: Any) -> Any:
    class Stream(lib.SyncByteStream, lib.AsyncByteStream):  # type: ignore[misc]
        """A recorded answer's bytes: `pieces` are (seconds since the request, bytes)."""

        def __init__(
            self, pieces: list[tuple[float, bytes]], cut: bool, pace: float, began: float
        ) -> None:
            self.pieces, self.cut, self.pace, self.began = pieces, cut, pace, began

        def __iter__(self) -> Iterator[bytes]:
            for at, piece in self.pieces:
                if (wait := self.began + at * self.pace - time.monotonic()) > 0:
                    time.sleep(wait)
                yield piece
            self._end()

        async def __aiter__(self) -> AsyncIterator[bytes]:
            for at, piece in self.pieces:
                await anyio.sleep(max(0.0, self.began + at * self.pace - time.monotonic()))
                yield piece
            self._end()

        def _end(self) -> None:
            if self.cut:
                raise lib.RemoteProtocolError(
                    "peer closed connection without sending complete message body (recorded so)"
                )

    return Stream
