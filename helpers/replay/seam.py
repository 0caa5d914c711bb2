"""The seam between clients and the network, where the player and the recorder are installed.

Every `httpx` and `httpx2` client sends through `HTTPTransport.handle_request` or its async twin, so
`install` patches these four methods to consult a source of answers first.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import importlib.util
import inspect
import os
import ssl
import sys
import time
from typing import Any, Protocol

from ..keys import is_mistral

clock = time.monotonic


class Source(Protocol):
    """What `install` puts between the clients and the network."""

    # Whether it answers every request itself, so that no Mistral host may be looked up.
    closed: bool
    # Whether file uploads bypass it.
    leaves_uploads: bool

    def answer(self, lib: Any, request: Any) -> Any:
        """A response of `lib` (httpx or httpx2), or None to let the network answer."""

    def listen(self, lib: Any, request: Any, response: Any, began: float) -> Any:
        """The network's response, perhaps observed. `began`: the clock's time of the request."""


class ReplayIsOffline(RuntimeError):
    """A client that replay does not reach tried to call a Mistral host."""

    def __init__(self, host: str) -> None:
        super().__init__(
            f"Replay answers clients built on httpx or httpx2 only, so this call to {host} was stopped. "
            'Use httpx, the helpers or the official SDK, or go live: helpers.start(…, mode="live").'
        )


_source: Source | None = None


def install(source: Source) -> None:
    """From now on, pass this process's requests to Mistral hosts to `source` first."""
    global _source
    _source = source
    _hook()
    # litellm's async calls bypass httpx by default.
    os.environ["DISABLE_AIOHTTP_TRANSPORT"] = "True"
    for lib in libraries():
        for transport, name, wrap in (
            (lib.HTTPTransport, "handle_request", _seam),
            (lib.AsyncHTTPTransport, "handle_async_request", _async_seam),
        ):
            method = getattr(transport, name)
            network = getattr(method, "network", method)
            setattr(transport, name, wrap(lib, source, network))


def libraries() -> list[Any]:
    """httpx, and httpx2 if it is installed: the official SDK uses the latter."""
    names = ["httpx"] + ["httpx2"] * bool(importlib.util.find_spec("httpx2"))
    return [importlib.import_module(name) for name in names]


def _seam(lib: Any, source: Source, network: Any) -> Any:
    @functools.wraps(network)
    def handle_request(transport: Any, request: Any) -> Any:
        if not _concerns(lib, source, request):
            return network(transport, request)
        request.read()
        if response := source.answer(lib, request):
            return response
        began = clock()
        return source.listen(lib, request, network(transport, request), began)

    handle_request.network = network  # type: ignore[attr-defined]
    return handle_request


def _async_seam(lib: Any, source: Source, network: Any) -> Any:
    @functools.wraps(network)
    async def handle_async_request(transport: Any, request: Any) -> Any:
        if not _concerns(lib, source, request):
            return await network(transport, request)
        await request.aread()
        if response := source.answer(lib, request):
            return response
        began = clock()
        return source.listen(lib, request, await network(transport, request), began)

    handle_async_request.network = network  # type: ignore[attr-defined]
    return handle_async_request


def _concerns(lib: Any, source: Source, request: Any) -> bool:
    """Whether a request goes through the source.

    In replay, a mistyped Mistral host is one that can't be reached: a stranger may own the name.
    """
    host = request.url.host
    if not is_mistral(host):
        if source.closed and difflib.get_close_matches(host, ["api.mistral.ai"], cutoff=0.8):
            problem = (
                f"{host} is not a Mistral host, so nothing was sent. Did you mean api.mistral.ai?"
            )
            raise lib.ConnectError(problem, request=request)
        return False
    upload = "json" not in request.headers.get("content-type", "json")
    return not (upload and source.leaves_uploads)


@functools.cache
def _hook() -> None:
    """Watch every name lookup of this process. Cached, because an audit hook can't be removed.

    Clients with a resolver of their own, such as aiohttp with aiodns, still name the host for TLS.
    """
    sys.addaudithook(_keep_closed)
    for name in ("wrap_socket", "wrap_bio"):
        setattr(ssl.SSLContext, name, _checked(getattr(ssl.SSLContext, name)))


def _checked(wrap: Any) -> Any:
    signature = inspect.signature(wrap)

    @functools.wraps(wrap)
    def checked(*args: Any, **options: Any) -> Any:
        _stop(signature.bind(*args, **options).arguments.get("server_hostname"))
        return wrap(*args, **options)

    return checked


def _keep_closed(event: str, args: tuple[Any, ...]) -> None:
    """Stop clients that bypass httpx from looking up a Mistral host in replay mode."""
    if event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = args[0]
    elif event == "http.client.send":
        # Behind a proxy, only the proxy's name is looked up.
        host = getattr(args[0], "_tunnel_host", None) or args[0].host
    else:
        return
    _stop(host)


def _stop(host: Any) -> None:
    """Raise `ReplayIsOffline` for a Mistral host in replay mode."""
    host = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    if _source and _source.closed and isinstance(host, str) and is_mistral(host):
        raise ReplayIsOffline(host)
