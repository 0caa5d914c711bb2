"""One driver for transports around other transports: a policy is a generator, sync and async alike.

A policy such as `Retry` subclasses `Layer` and writes `flow`, as httpx's own `auth_flow` is written.
Here, and only here, everything stands twice: once sync, once async.
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
    """A step of a flow: read an answer, so that what breaks off raises its error here.

    response: what the transport inside has answered. It can be read once more afterwards.
    first_piece: read only until the first piece that is not empty, to leave the rest a stream.

    The result of the step is the bytes that were read, as they came over the wire.
    """

    response: httpx.Response
    first_piece: bool = False


# What a flow may yield. A request is sent to the transport inside, and its response comes back;
# a number is a pause in seconds; a function that takes long is called, async in a worker thread.
Step = httpx.Request | float | Read | Callable[[], Any]
Flow = Generator[Step, Any, httpx.Response]


class Layer(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """An httpx transport around another one: sync around a sync one, async around an async one.

    transport: the transport inside.
    clock: what pauses are measured with; real time by default.

    Raises TypeError for anything that is not a transport.
    """

    def __init__(self, transport: Transport, clock: Clock | None = None) -> None:
        if not isinstance(transport, Transport):
            raise TypeError(
                f"{type(self).__name__} goes around a transport, such as httpx.HTTPTransport(), "
                f"not around {transport!r}."
            )
        self.transport, self.clock = transport, clock or Clock()

    def flow(self, request: httpx.Request) -> Flow:
        """Yield steps and return the response; a step that fails raises its error at the `yield`.

            response = yield request        # send it
            yield 2.5                       # wait for 2.5 seconds
            content = yield Read(response)  # read the whole answer
            tokens = yield count            # call count(), off the event loop

        The request's body has been read, so the request can be sent more than once. A task that is
        cancelled at a step raises there as well: give back in `except BaseException` what is held.
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
            raise TypeError("httpx.Client needs a sync transport inside: httpx.HTTPTransport().")
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
                "httpx.AsyncClient needs an async transport inside: httpx.AsyncHTTPTransport()."
            )
        return await self.transport.handle_async_request(step)

    def close(self) -> None:
        if isinstance(self.transport, httpx.BaseTransport):
            self.transport.close()

    async def aclose(self) -> None:
        if isinstance(self.transport, httpx.AsyncBaseTransport):
            await self.transport.aclose()


class Pieces(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A stream whose first pieces are here already.

    here: the pieces that are here.
    rest: an iterator over those to come, sync or async, and `inside`, the stream that they are from.
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
    """Whether the answer is a stream of events, which nobody may hold back."""
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
