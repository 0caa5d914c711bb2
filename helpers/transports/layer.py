"""One driver for transports that wrap others: a policy is a generator, for sync and async alike.

A policy such as `Retry` subclasses `Layer` and implements `flow`, in the manner of httpx's
`auth_flow`. Only this module has everything twice, sync and async.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import anyio.to_thread
import httpx

from .clock import Clock

Transport = httpx.BaseTransport | httpx.AsyncBaseTransport


@dataclass
class Read:
    """A step of a flow: read a response here, so that an interrupted one raises its error here.

    response: the wrapped transport's response. It can be read again afterwards.
    first_piece: read only the first non-empty piece, and leave the rest a stream.

    The result of the step is the bytes that were read, as they came over the wire.
    """

    response: httpx.Response
    first_piece: bool = False


# What a flow may yield: a request, which is sent and whose response comes back; a number of seconds
# to wait; a `Read`; or a slow function to call, which runs in a worker thread under async.
Step = httpx.Request | float | Read | Callable[[], Any]
Flow = Generator[Step, Any, httpx.Response]


class Layer(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """An httpx transport that wraps another one: sync around a sync one, async around an async one.

    transport: the wrapped transport.
    clock: the clock for pauses; real time by default.

    Raises TypeError for anything that is not a transport.
    """

    def __init__(self, transport: Transport, clock: Clock | None = None) -> None:
        if not isinstance(transport, Transport):
            raise TypeError(
                f"{type(self).__name__} wraps a transport, such as httpx.HTTPTransport(), "
                f"not {transport!r}."
            )
        self.transport, self.clock = transport, clock or Clock()

    def flow(self, request: httpx.Request) -> Flow:
        """Yield steps and return the response; a step that fails raises its error at the `yield`.

            response = yield request        # send it
            yield 2.5                       # wait for 2.5 seconds
            content = yield Read(response)  # read the whole answer
            tokens = yield count            # call count(), off the event loop

        The request's body has been read, so the request can be sent more than once. Cancelling the
        task also raises at the current step: release what is held in `except BaseException`.
        """
        response: httpx.Response = yield request
        return response

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        with contextlib.closing(self.flow(request)) as flow:
            try:
                step = next(flow)
                while True:
                    try:
                        result = self._take(step)
                    except BaseException as error:
                        step = flow.throw(error)
                    else:
                        step = flow.send(result)
            except StopIteration as end:
                response: httpx.Response = end.value
                return response

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        with contextlib.closing(self.flow(request)) as flow:
            try:
                step = next(flow)
                while True:
                    try:
                        result = await self._atake(step)
                    except BaseException as error:
                        step = flow.throw(error)
                    else:
                        step = flow.send(result)
            except StopIteration as end:
                response: httpx.Response = end.value
                return response

    def _take(self, step: Step) -> Any:
        if callable(step):
            return step()
        if isinstance(step, Read):
            return _read(step)
        if not isinstance(step, httpx.Request):
            self.clock.sleep(step)
            return None
        if not isinstance(self.transport, httpx.BaseTransport):
            raise TypeError("httpx.Client needs a sync transport, such as httpx.HTTPTransport().")
        return self.transport.handle_request(step)

    async def _atake(self, step: Step) -> Any:
        if callable(step):
            return await anyio.to_thread.run_sync(step)
        if isinstance(step, Read):
            return await _aread(step)
        if not isinstance(step, httpx.Request):
            await self.clock.asleep(step)
            return None
        if not isinstance(self.transport, httpx.AsyncBaseTransport):
            raise TypeError(
                "httpx.AsyncClient needs an async transport, such as httpx.AsyncHTTPTransport()."
            )
        return await self.transport.handle_async_request(step)

    def close(self) -> None:
        if isinstance(self.transport, httpx.BaseTransport):
            self.transport.close()

    async def aclose(self) -> None:
        if isinstance(self.transport, httpx.AsyncBaseTransport):
            await self.transport.aclose()


class Pieces(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A stream whose first pieces have been read already.

    here: the pieces that have been read.
    rest: an iterator over the others, sync or async. inside: the stream that they come from.
    """

    def __init__(self, here: Iterable[bytes], rest: Any = (), inside: Any = None) -> None:
        self.here, self.rest, self.inside = here, rest, inside

    def __iter__(self) -> Iterator[bytes]:
        yield from self.here
        yield from self.rest

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.here:
            yield piece
        if self.inside:
            async for piece in self.rest:
                yield piece

    def close(self) -> None:
        if self.inside:
            self.inside.close()

    async def aclose(self) -> None:
        if self.inside:
            await self.inside.aclose()


def is_stream(response: httpx.Response) -> bool:
    """Whether the answer is a stream of events, which must not be held back."""
    kind = response.headers.get("content-type", "")
    return response.is_success and "text/event-stream" in kind


def _read(step: Read) -> bytes:
    stream, here = step.response.stream, []
    assert isinstance(stream, httpx.SyncByteStream)
    pieces = iter(stream)
    try:
        for piece in pieces:
            here.append(piece)
            if piece and step.first_piece:
                step.response.stream = Pieces(here, pieces, stream)
                return piece
    except BaseException:
        stream.close()
        raise
    stream.close()
    step.response.stream = httpx.ByteStream(b"".join(here))
    return b"".join(here)


async def _aread(step: Read) -> bytes:
    stream, here = step.response.stream, []
    assert isinstance(stream, httpx.AsyncByteStream)
    pieces = aiter(stream)
    try:
        async for piece in pieces:
            here.append(piece)
            if piece and step.first_piece:
                step.response.stream = Pieces(here, pieces, stream)
                return piece
    except BaseException:
        await stream.aclose()
        raise
    await stream.aclose()
    step.response.stream = httpx.ByteStream(b"".join(here))
    return b"".join(here)
