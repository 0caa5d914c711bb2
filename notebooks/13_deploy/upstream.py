"""The call to the API: it opens a stream and reads it. What goes wrong becomes a `Problem`."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
from settings import Settings

# What a browser gets: a status, and a sentence that names nothing behind the server.
PROBLEMS = {
    "bad_request": (400, "This request can't be read."),
    "wrong_origin": (403, "This page may not use the chat."),
    "too_large": (413, "The conversation is too long. Start a new one."),
    "too_many": (429, "You have asked often in the last minute. Wait a little."),
    "internal": (500, "Something went wrong here. Try again."),
    "upstream": (502, "The model can't answer now. Try again later."),
    "busy": (503, "Many people are asking now. Try again shortly."),
    "budget": (503, "The chat has used up what it may spend today. Come back tomorrow."),
    "stopping": (503, "The server restarts. Ask again in a moment."),
    "slow": (504, "The answer took too long. Ask for less."),
}


class Problem(Exception):
    """Why there is no answer, or no whole one.

    detail: for the log only. wait: seconds after which to ask again. free: the API wrote nothing.
    """

    def __init__(self, code: str, detail: str = "", wait: float = 0, free: bool = False) -> None:
        super().__init__(code)
        self.code, self.detail, self.wait, self.free = code, detail, wait, free
        self.status, self.message = PROBLEMS[code]


@dataclasses.dataclass
class Answer:
    """What is known of an answer so far."""

    finish: str | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    correlation_id: str = ""


def new_client(settings: Settings) -> httpx.AsyncClient:
    """The only object that sends the key."""
    return httpx.AsyncClient(
        base_url=settings.base_url,
        headers={"Authorization": f"Bearer {settings.key}"},
        timeout=httpx.Timeout(settings.piece_seconds, connect=settings.connect_seconds),
        # The default is 100: the next stream would wait for a connection and time out.
        limits=httpx.Limits(max_connections=settings.streams, max_keepalive_connections=20),
    )


@contextlib.asynccontextmanager
async def ask(
    client: httpx.AsyncClient, body: dict[str, Any], answer: Answer
) -> AsyncIterator[AsyncIterator[str]]:
    """Open a stream and give its pieces of text. Leaving the block closes the connection.

    Raises Problem, also while the pieces are read.
    """
    try:
        async with client.stream("POST", "/chat/completions", json=body) as response:
            answer.correlation_id = response.headers.get("mistral-correlation-id", "")
            if response.status_code != 200:
                raise _refusal(response)
            yield _pieces(response, answer)
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        raise Problem("upstream", type(error).__name__, free=True) from error
    except httpx.TimeoutException as error:
        raise Problem("slow", type(error).__name__) from error
    except httpx.HTTPError as error:
        raise Problem("upstream", type(error).__name__) from error


def _refusal(response: httpx.Response) -> Problem:
    status = response.status_code
    if status == 429 or status == 503:
        given = response.headers.get("retry-after", "")
        return Problem(
            "busy", f"API: {status}", min(float(given), 60) if given.isdigit() else 5, True
        )
    return Problem("upstream", f"API: {status}", free=True)


async def _pieces(response: httpx.Response, answer: Answer) -> AsyncIterator[str]:
    try:
        async for chunk in _chunks(response):
            if "choices" not in chunk:
                raise Problem("upstream", "error in the stream")
            if usage := chunk.get("usage"):
                answer.tokens_in = usage["prompt_tokens"]
                answer.tokens_out = usage["completion_tokens"]
            for choice in chunk["choices"]:
                answer.finish = choice.get("finish_reason") or answer.finish
                if text := _text(choice["delta"].get("content")):
                    yield text
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Problem("upstream", f"stream: {type(error).__name__}") from error
    if answer.finish is None:
        raise Problem("upstream", "cut stream")


async def _chunks(response: httpx.Response) -> AsyncIterator[Any]:
    """The JSON of each event. Split as bytes: httpx would also end a line at U+2028."""
    rest = b""
    async for received in response.aiter_bytes():
        *lines, rest = (rest + received).split(b"\n")
        for line in lines:
            data = line.removeprefix(b"data:").strip()
            if line.startswith(b"data:") and data != b"[DONE]":
                yield json.loads(data)


def _text(content: Any) -> str:
    """The text of a delta, whose content is a string, or parts of which some are thinking."""
    if isinstance(content, list):
        return "".join(part["text"] for part in content if part.get("type") == "text")
    return content or ""
