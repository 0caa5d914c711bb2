"""Errors of the API, in whatever shape they come, with a hint on what to do."""

from __future__ import annotations

import re
from typing import Any

import httpx

from .keys import hide
from .models import find_model
from .reply import Reply

RETRYABLE = {408, 429, 500, 502, 503, 504, 520}  # 520: Cloudflare got no usable answer from the API

# OpenAI's names for fields that Mistral calls otherwise; the API refuses the former with a 422.
MISTRAL_NAMES = {"max_completion_tokens": "max_tokens", "seed": "random_seed"}

# Status (0: any), a clue in the error's type, code or message, and what a beginner can do about it.
HINTS = [
    (
        400,
        "message_order",
        "The order is: system, then user and assistant in turn; the last is user or tool.",
    ),
    (
        400,
        "role",
        "The order is: system, then user and assistant in turn; the last is user or tool.",
    ),
    (
        400,
        "too large for model",
        "Prompt and max_tokens must fit the model's context: shorten the messages.",
    ),
    (400, "split into more batches", "Send fewer or shorter texts in one embeddings request."),
    (400, "too many tokens in batch", "Send fewer or shorter texts in one embeddings request."),
    (400, "", "The API understood the request but refuses a value in it: its words say which."),
    (
        401,
        "",
        "The key is missing, mistyped, expired or revoked: compare MISTRAL_API_KEY with your console.",
    ),
    (
        403,
        "labs_not_enabled",
        "Labs models are off by default: an administrator of your account can allow them.",
    ),
    (
        403,
        "",
        "The key is right, but your plan or workspace does not include this: try another model.",
    ),
    (404, "", "No such address or object: check the path, which starts with /v1/."),
    (413, "", "The upload is too large: a file may have 512 MB."),
    (
        422,
        "extra inputs",
        "The API refuses fields that it doesn't know: check the spelling or leave it out.",
    ),
    (422, "", "A field is missing or of the wrong type: the words above say which."),
    (
        429,
        "capacity",
        "The model is busy for everybody, not only for you: wait and retry, or try another model.",
    ),
    (429, "", "Too many requests or tokens for this minute: wait, then retry with growing pauses."),
    (
        500,
        "",
        "The fault is on the server's side: retry a little later. If it stays, shorten the prompt.",
    ),
    (502, "", "The API could not be reached behind its gateway: retry a little later."),
    (503, "", "The API is overloaded or down: retry a little later."),
    (504, "", "The API took too long: retry a little later, or ask for a shorter answer."),
    (520, "", "The API gave its gateway no usable answer: retry a little later."),
    (200, "", "Not the API answered but something in between, such as a proxy or a login page."),
    (0, "", "The words above are all that the API said."),
]


def is_retryable(response: httpx.Response) -> bool:
    """Whether the same request may succeed later."""
    return response.status_code in RETRYABLE and not has_no_allowance(response)


def has_no_allowance(response: httpx.Response) -> bool:
    """A 429 with a limit of zero requests a minute: a plan without this model. It never clears.

    Reported by many since 2026-09, in no recorded traffic.
    """
    limit = response.headers.get("x-ratelimit-limit-req-minute")
    return response.status_code == 429 and limit == "0"


class APIError(httpx.HTTPStatusError):
    """The API refused a request, or what came back was no answer.

    status: the HTTP status (of an error inside a stream: the one that it names).
    code: the API's own code, a string of digits, or None.
    kind: the API's own error type, such as "invalid_model", or None.
    message: the API's words, all of them, or what was there instead.
    retryable: whether the same request may succeed later.
    hint: what to do about it.
    reply: what a stream had brought before the error, else None.

    It is an `httpx.HTTPStatusError`, so `except httpx.HTTPStatusError` catches it, too; the
    request and the response are in `.request` and `.response`.
    """

    def __init__(
        self, response: httpx.Response, body: Any = None, reply: Reply | None = None
    ) -> None:
        body = _json(response) if body is None else body
        fields = body if isinstance(body, dict) else {}
        code = fields.get("code")
        self.status: int = response.status_code
        if response.is_success and reply is not None:  # inside a stream, which began with a 200
            named = fields.get("raw_status_code")
            self.status = named if type(named) is int else 500
        self._body = body
        self.code: str | None = None if code is None else str(code)
        self.kind: str | None = fields.get("type")
        self.message: str = hide(_words(fields) or _no_words(response, body))
        self.reply = reply
        self.retryable: bool = self.status in RETRYABLE and not has_no_allowance(response)
        self.hint: str = self._hint(response)
        text = f"{self.status} {self.code or ''}".rstrip() + f": {self.message}\nHint: {self.hint}"
        if retried := response.extensions.get("retried"):  # by a `Retry` below
            text += f"\nRetry: {retried}"
        super().__init__(text, request=response.request, response=response)

    def __repr__(self) -> str:
        return f"APIError(status={self.status}, code={self.code!r}, message={self.message!r})"

    def __reduce__(self) -> Any:  # an exception that can't be pickled breaks a pool of processes
        return type(self), (self.response, self._body, self.reply)

    def _hint(self, response: httpx.Response) -> str:
        if has_no_allowance(response):
            return "Your plan allows no requests to this model: waiting never helps, another model may."
        if self.kind == "invalid_model":
            return _model_hint(self.message)
        for field, name in MISTRAL_NAMES.items():
            if self.status == 422 and re.search(rf"\b{field}\b", self.message):
                return f"Mistral's name for {field} is {name}."
        said = f"{self.kind} {self.code} {self.message}".lower()
        return next(
            hint for status, clue, hint in HINTS if status in (self.status, 0) and clue in said
        )


class StreamCut(httpx.RemoteProtocolError):
    """A stream ended before its answer was complete. `.reply` holds all that had come."""

    def __init__(self, reply: Reply, reason: str, request: httpx.Request | None = None) -> None:
        super().__init__(
            f"The stream was cut after {len(reply.text)} characters of the answer ({reason}). "
            "What had come is in .reply; to get the rest, ask again.",
            request=request,
        )
        self.reply = reply
        self.reason = reason

    def __reduce__(self) -> Any:
        return type(self), (self.reply, self.reason, self._request)


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None


def _words(body: dict[str, Any]) -> str:
    """All that the body says in words; `message` and `detail` may be a string, object or list."""
    found = dict.fromkeys(  # each only once: some bodies say the same thing in both places
        words for key in ("message", "detail", "error") for words in _flat(body.get(key))
    )
    return "; ".join(found)


def _flat(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value] if value.strip() else []
    if isinstance(value, list):
        return [words for item in value for words in _flat(item)]
    if isinstance(value, dict) and "msg" in value:  # one rule that the request broke
        place = value.get("loc") or []
        where = ".".join(map(str, place)) if isinstance(place, list) else str(place)
        return [f"{where}: {value['msg']}" if where else str(value["msg"])]
    if isinstance(value, dict):
        return [words for key in ("message", "detail") for words in _flat(value.get(key))]
    return []


def _no_words(response: httpx.Response, body: Any) -> str:
    text = response.text.strip() if body is None else str(body)
    if not text:
        return f"an empty answer ({response.reason_phrase or 'no reason given'})"
    if title := re.search(r"<title>\s*(.*?)\s*</title>", text, re.IGNORECASE | re.DOTALL):
        return f"not JSON but a web page: {title[1]}"
    return f"not an answer of the API: {hide(text)[:200]}"  # half of a key could not be found


def _model_hint(message: str) -> str:
    name = message.rpartition(":")[2].strip()
    row = find_model(name)
    if row is None:
        return "There is no model of this name: compare with GET /v1/models or data/models.csv."
    if row["stage"] == "retired":
        return (
            f"{row['model']} was retired on {row['retires']}. Its successor: {row['replacement']}."
        )
    return f"{name} is known ({row['model']}): your account may not have it, or it was renamed."


def read_json(response: httpx.Response, *keys: str) -> dict[str, Any]:
    """The body of a good answer that has these keys; raises `APIError` for anything else."""
    if not response.is_success:
        raise APIError(response)
    body = _json(response)
    if not isinstance(body, dict) or not all(body.get(key) is not None for key in keys):
        raise APIError(response)
    return body
