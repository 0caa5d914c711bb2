"""What comes from outside, and is trusted in nothing: origin, size, form and sender of a question."""

from __future__ import annotations

import hashlib
import ipaddress
import json
from typing import Any
from urllib.parse import urlsplit

import anyio
from settings import Settings
from starlette.requests import ClientDisconnect, Request
from upstream import Problem

BODY_SECONDS = 10


def check_origin(request: Request, settings: Settings) -> None:
    """Raise Problem for a request that another site's page makes a browser send.

    JSON makes such a page ask for permission first, which this server never gives. Programs that are
    no browsers send no Origin; they pass, and meet all other limits.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise Problem("bad_request", "not JSON")
    host, origin = request.headers.get("host", ""), request.headers.get("origin")
    # A name of another site may lead to this machine's address: "DNS rebinding".
    if urlsplit(f"//{host}").hostname not in settings.host_names:
        raise Problem("bad_request", "host")
    if origin is not None and urlsplit(origin).netloc != host:
        raise Problem("wrong_origin")


async def read_messages(request: Request, settings: Settings) -> list[dict[str, str]]:
    """The conversation in a body, checked. Raises Problem for one that is too large or has another form."""
    body = bytearray()
    try:
        with anyio.fail_after(BODY_SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > settings.body_bytes:
                    raise Problem("too_large", "body")
        found = json.loads(body)
    except (ValueError, RecursionError, TimeoutError, ClientDisconnect) as error:
        raise Problem("bad_request", type(error).__name__) from None
    return _checked(found, settings)


def _checked(found: Any, settings: Settings) -> list[dict[str, str]]:
    if not isinstance(found, dict) or set(found) != {"messages"}:
        raise Problem("bad_request", "fields")
    messages = found["messages"]
    if not isinstance(messages, list) or not messages:
        raise Problem("bad_request", "messages")
    if len(messages) > settings.messages:
        raise Problem("too_large", "messages")
    for number, message in enumerate(messages):
        # A system prompt, a model or a limit is never taken from a browser.
        role = "assistant" if number % 2 else "user"
        if not isinstance(message, dict) or set(message) != {"role", "content"}:
            raise Problem("bad_request", "message")
        content = message["content"]
        if message["role"] != role or not isinstance(content, str) or not content.strip():
            raise Problem("bad_request", "role or content")
        if any("\ud800" <= character <= "\udfff" for character in content):
            raise Problem("bad_request", "half a character")
    if len(messages) % 2 == 0:
        raise Problem("bad_request", "no question")
    if size_of(messages) > settings.bytes_in:
        raise Problem("too_large", "bytes")
    return messages


def size_of(messages: list[dict[str, str]]) -> int:
    """The bytes that are booked: no text has more tokens. 16 are for what stands around each message."""
    return sum(len(message["content"].encode()) + 16 for message in messages)


def user_of(request: Request, settings: Settings) -> str:
    """Who asks, as a hash of the address that can't be turned back without the key."""
    address = address_of(request, settings.hops)
    secret = hashlib.sha256(settings.key.encode()).digest()
    return hashlib.blake2b(address.encode(), key=secret, digest_size=8).hexdigest()


def address_of(request: Request, hops: int) -> str:
    """The address from which a request came to the first of your own proxies.

    Each proxy adds to the end of X-Forwarded-For whom it got the request from. What stands further
    left was sent by the client, who can write anything there.
    """
    peer = request.client.host if request.client else "unknown"
    sent = ",".join(request.headers.getlist("x-forwarded-for")).split(",")
    chain = [part.strip() for part in sent if part.strip()] + [peer]
    text = chain[-1 - hops] if hops < len(chain) else peer
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return peer
    # A household has 2**64 addresses of version 6, so they count as one.
    return str(
        ipaddress.ip_network(f"{address}/64", strict=False) if address.version == 6 else address
    )
