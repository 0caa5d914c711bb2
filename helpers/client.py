"""Three calls: `chat`, `stream` and `embed`. Each sends HTTP requests and reads the answers."""

from __future__ import annotations

import os
import threading
from array import array
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from typing import Any

import httpx

from .errors import APIError, StreamCut, parse_json, read_json
from .keys import VARIABLE, api_key, hide, is_mistral
from .reply import Json, Reply, ReplyBuilder

API = "https://api.mistral.ai/v1"
CHAT_MODEL = "mistral-small-latest"
EMBED_MODEL = "mistral-embed"
# Answers take seconds, not milliseconds: of 854 recorded, a tenth took over 2.4 s, and one 50 s.
TIMEOUT = httpx.Timeout(60, connect=10)

# The httpx errors that end a stream midway.
CUTS = (httpx.RemoteProtocolError, httpx.ReadError, httpx.ReadTimeout, httpx.DecodingError)
MOST_TEXTS, MOST_CHARACTERS = 128, 16_000

Messages = str | Sequence[Mapping[str, Any]]


def chat(
    messages: Messages,
    model: str = CHAT_MODEL,
    client: httpx.Client | None = None,
    **params: Any,
) -> Reply:
    """Ask a chat model and wait for the whole answer.

    messages: a string (one user message) or a list of `{"role", "content"}` dicts.
    client: your own `httpx.Client`, with its own timeouts and transport. By default, all calls
    share one client, which keeps its connections open.
    params: any other fields of the request, such as `temperature=0` or `max_tokens=100`.

    Raises `APIError` when the API refuses, `MissingKey` without a key, and httpx's own errors
    when the network fails.
    """
    if params.get("stream"):
        raise TypeError("chat waits for the whole answer: call helpers.stream to stream it.")
    response = _post("chat/completions", chat_body(messages, model, params), client)
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
    if not params.get("stream", True):
        raise TypeError("stream reads piece by piece: call helpers.chat for the whole answer.")
    return Stream(chat_body(messages, model, {**params, "stream": True}), client)


class Stream(Iterator[str]):
    """An iterator over the pieces of the answer's text. Like a file, it can be read once.

    Reading the first piece sends the request. `.reply` is the `Reply` so far, complete after the
    last piece. To stop early, call `close()` or use a `with` block: both close the connection.

    Raises `APIError` when the API refuses or reports an error midway, and `StreamCut` when the
    answer is cut off; their `.reply` holds what had arrived.
    """

    def __init__(self, body: Json, client: httpx.Client | None = None) -> None:
        self._built = ReplyBuilder()
        self._pieces = _read_stream(body, client, self._built)

    def __next__(self) -> str:
        return next(self._pieces)

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop reading; what has arrived stays in `.reply`."""
        self._pieces.close()

    @property
    def reply(self) -> Reply:
        """What has arrived so far; `finish_reason` is None until the answer is complete."""
        return self._built.reply()


def _read_stream(
    body: Json, client: httpx.Client | None, built: ReplyBuilder
) -> Generator[str, None, None]:
    """Yield the pieces of text and add every chunk to `built`."""
    # Only streams need it.
    from httpx_sse import EventSource

    session = client or shared_client()
    url, auth = _url(session, "chat/completions"), _auth(session)
    with session.stream("POST", url, json=body, auth=auth) as response:
        kind = response.headers.setdefault("content-type", "text/event-stream")
        if not response.is_success or "text/event-stream" not in kind:
            response.read()
            raise APIError(response)
        # Events are UTF-8 whatever the header says, and may begin with a byte order mark.
        response.encoding = "utf-8-sig"
        try:
            for event in EventSource(response).iter_sse():
                if event.data == "[DONE]":
                    break
                if event.data and (text := _read_event(event.data, response, built)):
                    yield text
        except StreamCut:
            raise
        except CUTS as error:
            raise StreamCut(built.reply(), type(error).__name__, response.request) from error
        if built.finish_reason is None:
            raise StreamCut(built.reply(), "it has no finish_reason", response.request)


def _read_event(data: str, response: httpx.Response, built: ReplyBuilder) -> str:
    """Return the text of one event. An event without choices is an error reported midway."""
    try:
        chunk = parse_json(data)
        if "choices" not in chunk:
            raise APIError(response, chunk, built.reply())
        return built.add(chunk)
    except (ValueError, KeyError, TypeError, AttributeError):
        reason = f"unreadable: {hide(data)[:80]!r}"
        raise StreamCut(built.reply(), reason, response.request) from None


def embed(
    texts: str | Sequence[str],
    model: str = EMBED_MODEL,
    client: httpx.Client | None = None,
    **params: Any,
) -> Any:
    """Turn texts into vectors: a float64 array of shape (texts, dimensions), in the order of the texts.

    `mistral-embed` returns vectors of 1024 dimensions and unit length, `codestral-embed` of 1536
    and not of unit length. Many texts are sent in several requests, each within the limits. Errors
    as for `chat`.
    """
    import numpy as np

    texts = [texts] if isinstance(texts, str) else list(texts)
    if not texts or not all(isinstance(text, str) and text for text in texts):
        raise ValueError("embed needs a text or a list of texts, none of them empty.")
    if params.get("encoding_format", "float") != "float":
        raise ValueError("embed returns vectors of floats: leave encoding_format out.")
    return np.concatenate([_embed(model, batch, client, params) for batch in batches(texts)])


def batches(texts: Sequence[str]) -> Iterator[list[str]]:
    """Split the texts into lists that fit into one embeddings request each.

    The API refused 257 texts (recorded 2026-08) and more than 16,384 tokens (reported since 2024).
    In European languages a token has at least two characters, so 16,000 characters stay below that.
    """
    batch: list[str] = []
    size = 0
    for text in texts:
        if batch and (len(batch) == MOST_TEXTS or size + len(text) > MOST_CHARACTERS):
            yield batch
            batch, size = [], 0
        batch.append(text)
        size += len(text)
    yield batch


def _embed(model: str, texts: list[str], client: httpx.Client | None, params: Json) -> Any:
    import numpy as np

    response = _post("embeddings", {"model": model, "input": texts, **params}, client)
    try:
        rows = sorted(read_json(response, "data")["data"], key=lambda row: row["index"])
        # An array refuses what is no number, such as null, and numpy reads it faster than a list.
        vectors = np.array([array("d", row["embedding"]) for row in rows])
    except (KeyError, TypeError, ValueError):
        raise APIError(response) from None
    if vectors.ndim != 2 or len(vectors) != len(texts):
        raise APIError(response, {"message": f"{len(vectors)} vectors for {len(texts)} texts"})
    return vectors


def chat_body(messages: Messages, model: str, params: Json) -> Json:
    """The JSON of a chat request. Raises TypeError or ValueError if `messages` isn't valid."""
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    several = isinstance(messages, Iterable) and not isinstance(messages, Mapping)
    messages = list(messages) if several else []
    if not (several and all(isinstance(m, Mapping) for m in messages)):
        raise TypeError("messages must be a string or a list of {'role': …, 'content': …} dicts.")
    if not messages:
        raise ValueError("messages is empty; the API needs at least one.")
    return {"model": model, "messages": messages, **params}


def _post(path: str, body: Json, client: httpx.Client | None) -> httpx.Response:
    session = client or shared_client()
    return session.post(_url(session, path), json=body, auth=_auth(session))


_lock = threading.Lock()
_shared: httpx.Client | None = None


def shared_client() -> httpx.Client:
    """The client of all calls that don't pass their own. It is safe to share between threads."""
    global _shared
    with _lock:
        if _shared is None:
            _shared = httpx.Client(base_url=API, timeout=TIMEOUT)
        return _shared


def _forget_shared_client() -> None:
    global _shared
    _shared = None


# A forked process must not write into its parent's connections.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_shared_client)


def _url(client: httpx.Client, path: str) -> str:
    return path if client.base_url.host else f"{API}/{path}"


def _auth(client: httpx.Client) -> Any:
    """Send the key to Mistral's hosts only; a client's own header or auth takes precedence."""
    if client is _shared:
        return _Bearer()
    url = client.base_url if client.base_url.host else httpx.URL(API)
    safe = url.scheme == "https" and is_mistral(url.host)
    if "authorization" in client.headers or client.auth or not safe:
        return httpx.USE_CLIENT_DEFAULT
    # Without a key, the transport may sign requests; if it doesn't, the API answers 401.
    return _Bearer() if VARIABLE in os.environ else httpx.USE_CLIENT_DEFAULT


class _Bearer(httpx.Auth):
    """Puts the key into the request and nowhere else: no variable that a traceback could print."""

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"Bearer {api_key()}"
        yield request
