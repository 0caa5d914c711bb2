"""Observe a response as it is read, without holding it back."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from ..reply import Json
from .wire import to_body, to_events

# Seconds for which a recorder goes on reading a stream that was closed early.
DRAIN = 60
# The most bytes kept of an answer: an endless one must not fill the memory.
MAX_BYTES = 64 * 2**20


def listen(
    lib: Any,
    response: Any,
    elapsed: Callable[[], float],
    done: Callable[[Json | None], None],
    drain: bool = False,
) -> Any:
    """Return the response of `httpx` or `httpx2`; call `done` with its body once it is closed.

    elapsed: the seconds since the request, for the events of streams.
    done: called once, with the answer's body as recorded: {"events"} and perhaps {"cut"}, or {"body"},
    {"text"} or {"base64"}; or with None if the body is incomplete or larger than 64 MiB.
    drain: read a stream to its end even if the caller stops early.
    """
    pieces: list[tuple[float, bytes]] = []
    size = 0

    def note(piece: bytes) -> None:
        nonlocal size
        size += len(piece)
        if size > MAX_BYTES:
            pieces.clear()
        else:
            pieces.append((elapsed(), piece))

    def end(complete: bool) -> None:
        done(None if size > MAX_BYTES else _recorded(lib, response, pieces, complete))

    if response.is_closed:
        # The body is complete already, as from httpx.MockTransport: nobody reads its stream.
        for piece in response.stream:
            note(piece)
        end(True)
    else:
        response.stream = _tape_type(lib)(response.stream, note, end, drain)
    return response


def _recorded(
    lib: Any, response: Any, pieces: list[tuple[float, bytes]], complete: bool
) -> Json | None:
    kind = response.headers.get("content-type", "application/json")
    encoding = response.headers.get("content-encoding", "identity")
    if encoding != "identity" or "text/event-stream" not in kind:
        if not complete:
            return None
        content = b"".join(piece for _, piece in pieces)
        body = lib.Response(200, headers={"content-encoding": encoding}, content=content).content
        if "text/event-stream" not in kind:
            return to_body(body, kind)
        pieces = [(pieces[-1][0], body)] if pieces else []
    answer: Json = {"events": to_events(pieces)}
    return answer if complete else {**answer, "cut": True}


@functools.cache
def _tape_type(lib: Any) -> Any:
    class Tape(lib.SyncByteStream, lib.AsyncByteStream):  # type: ignore[misc]
        """A response's stream, observed; with `drain`, to its end even if the caller stops early."""

        def __init__(
            self,
            stream: Any,
            note: Callable[[bytes], None],
            done: Callable[[bool], None],
            drain: bool,
        ) -> None:
            self.stream, self.note, self.done, self.drain = stream, note, done, drain
            # Set by the first read.
            self.pieces: Any = None
            self.complete = self.broken = self.closed = False

        def __iter__(self) -> Iterator[bytes]:
            self.pieces = self.pieces or iter(self.stream)
            with self._reading():
                for piece in self.pieces:
                    self.note(piece)
                    yield piece

        async def __aiter__(self) -> AsyncIterator[bytes]:
            self.pieces = self.pieces or aiter(self.stream)
            with self._reading():
                async for piece in self.pieces:
                    self.note(piece)
                    yield piece

        @contextlib.contextmanager
        def _reading(self) -> Iterator[None]:
            try:
                yield
                self.complete = True
            except GeneratorExit:
                raise
            except BaseException:
                # The stream failed or its task was cancelled: there is nothing to go on with.
                self.broken = True
                raise

        def close(self) -> None:
            # Whatever happens, such as a task that is cancelled while it closes.
            with contextlib.ExitStack() as last:
                last.callback(self._once)
                last.callback(self.stream.close)
                if self._left_early():
                    with contextlib.suppress(lib.TransportError):
                        until = time.monotonic() + DRAIN
                        for _ in self:
                            if time.monotonic() > until:
                                break

        async def aclose(self) -> None:
            async with contextlib.AsyncExitStack() as last:
                last.callback(self._once)
                last.push_async_callback(self.stream.aclose)
                if self._left_early():
                    with contextlib.suppress(lib.TransportError):
                        until = time.monotonic() + DRAIN
                        async for _ in self:
                            if time.monotonic() > until:
                                break

        def _left_early(self) -> bool:
            begun = self.drain and self.pieces is not None
            return begun and not (self.complete or self.broken or self.closed)

        def _once(self) -> None:
            if not self.closed:
                self.closed = True
                self.done(self.complete)

    return Tape
