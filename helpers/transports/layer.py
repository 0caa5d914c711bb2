"""What transports around other transports have in common."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx


class Layer(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """An httpx transport around another one: sync around a sync one, async around an async one."""

    def __init__(self, transport: httpx.BaseTransport | httpx.AsyncBaseTransport) -> None:
        if not isinstance(transport, httpx.BaseTransport | httpx.AsyncBaseTransport):
            raise TypeError(
                f"{type(self).__name__} goes around a transport, such as httpx.HTTPTransport(), "
                f"not around {transport!r}."
            )
        self.transport: Any = transport

    def send(self, request: httpx.Request) -> httpx.Response:
        """Pass a request on to the transport inside."""
        if not isinstance(self.transport, httpx.BaseTransport):
            raise TypeError("httpx.Client needs a sync transport inside: httpx.HTTPTransport().")
        return self.transport.handle_request(request)

    async def asend(self, request: httpx.Request) -> httpx.Response:
        """The same, async."""
        if not isinstance(self.transport, httpx.AsyncBaseTransport):
            raise TypeError(
                "httpx.AsyncClient needs an async transport inside: httpx.AsyncHTTPTransport()."
            )
        return await self.transport.handle_async_request(request)

    def close(self) -> None:
        if isinstance(self.transport, httpx.BaseTransport):
            self.transport.close()

    async def aclose(self) -> None:
        if isinstance(self.transport, httpx.AsyncBaseTransport):
            await self.transport.aclose()


def is_stream(response: httpx.Response) -> bool:
    """Whether the answer is a stream of events, which nobody may hold back."""
    kind = response.headers.get("content-type", "")
    return response.is_success and "text/event-stream" in kind


def read(response: httpx.Response) -> bytes:
    """All bytes of an answer as they came over the wire; it can be read once more afterwards."""
    try:
        content = b"".join(response.stream)  # type: ignore[arg-type]
    finally:
        response.stream.close()  # type: ignore[union-attr]
    response.stream = httpx.ByteStream(content)
    return content


async def aread(response: httpx.Response) -> bytes:
    """The same, async."""
    try:
        content = b"".join([piece async for piece in response.stream])  # type: ignore[union-attr]
    finally:
        await response.stream.aclose()  # type: ignore[union-attr]
    response.stream = httpx.ByteStream(content)
    return content


class Wrapped(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A stream with another iterator over its pieces; closing it closes the stream inside."""

    def __init__(
        self,
        inside: Any,
        pieces: Iterator[bytes] | None = None,
        apieces: AsyncIterator[bytes] | None = None,
    ) -> None:
        self.inside, self.pieces, self.apieces = inside, pieces, apieces

    def __iter__(self) -> Iterator[bytes]:
        assert self.pieces is not None
        return self.pieces

    def __aiter__(self) -> AsyncIterator[bytes]:
        assert self.apieces is not None
        return self.apieces

    def close(self) -> None:
        self.inside.close()

    async def aclose(self) -> None:
        await self.inside.aclose()
