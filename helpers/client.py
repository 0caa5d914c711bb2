"""Three calls: `chat`, `stream` and `embed`. Each is one HTTP request and its reading."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import ssl
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any

import httpx
import numpy as np

from .errors import APIError, StreamCut, read_json
from .keys import VARIABLE, api_key, hide, is_mistral
from .reply import Json, Reply, first_choices, split_content
from .sse import events

API = "https://api.mistral.ai/v1"
CHAT_MODEL = "mistral-small-latest"
EMBED_MODEL = "mistral-embed"
# Answers take seconds, not milliseconds: of 854 recorded ones a tenth took over 2.4 s, one 50 s.
TIMEOUT = httpx.Timeout(60, connect=10)

# What ends a stream in the middle, by httpx's names.
CUTS = (httpx.RemoteProtocolError, httpx.ReadError, httpx.ReadTimeout, httpx.DecodingError)
MOST_TEXTS, MOST_CHARACTERS = 128, 16_000

Vectors = np.ndarray[tuple[int, int], np.dtype[np.float64]]
Messages = str | Sequence[Mapping[str, Any]]


def chat(
    messages: Messages,
    model: str = CHAT_MODEL,
    client: httpx.Client | None = None,
    **params: Any,
) -> Reply:
    """Ask a chat model and wait for the whole answer.

    messages: a string (one user message) or a list of `{"role", "content"}` dicts.
    client: your own `httpx.Client`, with its own time-outs and transport; by default a new one.
    params: any other field of the request, such as `temperature=0` or `max_tokens=100`.

    Raises `APIError` when the API refuses, `MissingKey` without a key, and httpx's own errors
    when the network fails.
    """
    if params.get("stream"):
        raise TypeError("chat waits for the whole answer: call helpers.stream to stream it.")
    body = _chat_body(messages, model, params)
    with _session(client) as session:
        response = session.post(_url(session, "chat/completions"), json=body, auth=_auth(session))
    try:
        return Reply.from_json(read_json(response, "choices"))
    except (KeyError, IndexError, TypeError, AttributeError):
        raise APIError(response) from None


def stream(
    messages: Messages,
    model: str = CHAT_MODEL,
    client: httpx.Client | None = None,
    **params: Any,
) -> Stream:
    """Ask a chat model and get the answer piece by piece; arguments and errors as for `chat`.

    answer = helpers.stream("Tell me a story.")
    for piece in answer:
        print(piece, end="", flush=True)
    answer.reply.usage
    """
    return Stream(_chat_body(messages, model, {**params, "stream": True}), client)


class Stream(Iterator[str]):
    """Iterates the pieces of the answer's text. It can be read once, like a file.

    The request is sent with the first piece. `.reply` is the `Reply` so far, complete after the
    last piece. Leave early with `close()` or a `with` block, and the connection is closed.

    Raises `APIError` when the API refuses or reports an error midway, and `StreamCut` when the
    answer ends too early; what had come is in their `.reply`.
    """

    def __init__(self, body: Json, client: httpx.Client | None = None) -> None:
        self._chunks: list[Json] = []
        self._pieces = _read_stream(body, client, self._chunks)

    def __next__(self) -> str:
        return next(self._pieces)

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop reading; what had come stays in `.reply`."""
        self._pieces.close()

    @property
    def reply(self) -> Reply:
        """All that has come so far; `finish_reason` is None until the answer is complete."""
        return Reply.from_chunks(self._chunks)


def _read_stream(
    body: Json, client: httpx.Client | None, chunks: list[Json]
) -> Generator[str, None, None]:
    """The pieces of text; all chunks go into `chunks`, for the reply."""
    with _session(client) as session:
        url, auth = _url(session, "chat/completions"), _auth(session)
        with session.stream("POST", url, json=body, auth=auth) as response:
            kind = response.headers.get("content-type", "text/event-stream")
            if not response.is_success or "text/event-stream" not in kind:
                response.read()
                raise APIError(response)
            try:
                for data in events(response.iter_bytes()):
                    if data == "[DONE]":
                        break
                    yield from _read_event(data, response, chunks)
            except StreamCut:
                raise
            except CUTS as error:
                reply = Reply.from_chunks(chunks)
                raise StreamCut(reply, type(error).__name__, response.request) from error
            reply = Reply.from_chunks(chunks)
            if reply.finish_reason is None:
                raise StreamCut(reply, "it has no finish_reason", response.request)


def _read_event(data: str, response: httpx.Response, chunks: list[Json]) -> Iterator[str]:
    try:
        chunk = json.loads(data)
        if "choices" not in chunk:  # no chunk, so an error that came midway
            raise APIError(response, chunk, Reply.from_chunks(chunks))
        Reply.from_chunks([chunk])  # raises for a chunk of the wrong form
    except (ValueError, KeyError, TypeError, AttributeError):
        reason = f"unreadable: {hide(data)[:80]!r}"
        raise StreamCut(Reply.from_chunks(chunks), reason, response.request) from None
    chunks.append(chunk)
    for choice in first_choices(chunk):
        if text := split_content(choice["delta"].get("content"))[0]:
            yield text


def embed(
    texts: str | Sequence[str],
    model: str = EMBED_MODEL,
    client: httpx.Client | None = None,
    **params: Any,
) -> Vectors:
    """Turn texts into vectors: an array of shape (number of texts, dimensions), in their order.

    `mistral-embed` gives 1024 dimensions of unit length; `codestral-embed` 1536, not of unit
    length. Many texts go in several requests, each below the API's limits. Errors as for `chat`.
    """
    texts = [texts] if isinstance(texts, str) else list(texts)
    if not texts or not all(isinstance(text, str) and text for text in texts):
        raise ValueError("embed needs a text or a list of texts, at least one and none empty.")
    if params.get("encoding_format", "float") != "float":
        raise ValueError("embed reads vectors as floats: leave encoding_format out.")
    with _session(client) as session:
        parts = [_embed(session, model, batch, params) for batch in batches(texts)]
    return np.concatenate(parts)


def batches(texts: Sequence[str]) -> Iterator[list[str]]:
    """The texts in lists that one embeddings request takes.

    The API refused 257 texts (recorded 2026-08) and more than 16,384 tokens (reported since 2024).
    A token of European languages has two characters or more, so half of that is on the safe side.
    """
    batch: list[str] = []
    for text in texts:
        if batch and (
            len(batch) == MOST_TEXTS or sum(map(len, batch)) + len(text) > MOST_CHARACTERS
        ):
            yield batch
            batch = []
        batch.append(text)
    yield batch


def _embed(session: httpx.Client, model: str, texts: list[str], params: Json) -> Vectors:
    body = {"model": model, "input": texts, **params}
    response = session.post(_url(session, "embeddings"), json=body, auth=_auth(session))
    try:
        rows = sorted(read_json(response, "data")["data"], key=lambda row: row["index"])
        vectors = np.array([row["embedding"] for row in rows], dtype=np.float64)
    except (KeyError, TypeError, ValueError):
        raise APIError(response) from None
    if vectors.ndim != 2 or len(vectors) != len(texts):
        raise APIError(response, {"message": f"{len(vectors)} vectors for {len(texts)} texts"})
    return vectors


def _chat_body(messages: Messages, model: str, params: Json) -> Json:
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    messages = messages if isinstance(messages, Mapping) else list(messages)
    if isinstance(messages, Mapping) or not all(isinstance(m, Mapping) for m in messages):
        raise TypeError("messages is a string or a list of {'role': …, 'content': …} dicts.")
    if not messages:
        raise ValueError("messages is empty: the API needs at least one.")
    return {"model": model, "messages": messages, **params}


@contextlib.contextmanager
def _session(client: httpx.Client | None) -> Generator[httpx.Client, None, None]:
    """The caller's client, left open; or a new one with a key, closed afterwards."""
    if client is not None:
        yield client
        return
    api_key()  # fail before anything is sent
    with httpx.Client(base_url=API, timeout=TIMEOUT, verify=_certificates()) as own:
        yield own


@functools.cache
def _certificates() -> ssl.SSLContext:
    """Made once: it takes 40 ms, more than all the rest of a client."""
    return httpx.create_ssl_context()


def _url(client: httpx.Client, path: str) -> str:
    return path if client.base_url.host else f"{API}/{path}"


def _auth(client: httpx.Client) -> Any:
    """The key goes to Mistral's hosts only; a client's own header or auth wins over it."""
    url = client.base_url if client.base_url.host else httpx.URL(API)
    safe = url.scheme == "https" and is_mistral(url.host)
    if "authorization" in client.headers or client.auth or not safe:
        return httpx.USE_CLIENT_DEFAULT
    if VARIABLE not in os.environ:
        return httpx.USE_CLIENT_DEFAULT  # the transport may sign requests; if not, a 401 says so
    return _Bearer()


class _Bearer(httpx.Auth):
    """Puts the key into the request and nowhere else: no variable that a traceback could print."""

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"Bearer {api_key()}"
        yield request
