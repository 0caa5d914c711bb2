"""The API's errors, whatever their shape, each with a hint about what to do."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx

from .data import read_table
from .keys import hide, hide_all
from .reply import Json, Reply

try:
    from pydantic_core import from_json as from_json
except ImportError:
    # It comes with the SDK and with pydantic, not with httpx.
    def from_json(data: str | bytes | bytearray) -> Any:  # type: ignore[misc]
        """As pydantic-core's, but slower."""
        try:
            return json.loads(data)
        except RecursionError:
            raise ValueError("nested too deeply") from None


# 520: Cloudflare got no usable answer from the API.
RETRYABLE = {408, 429, 500, 502, 503, 504, 520}

# OpenAI's names for fields that Mistral names differently; the API refuses them with a 422.
MISTRAL_NAMES = {"max_completion_tokens": "max_tokens", "seed": "random_seed"}


def is_retryable(response: httpx.Response) -> bool:
    """Whether the same request may succeed later."""
    return response.status_code in RETRYABLE and not has_no_allowance(response)


def has_no_allowance(response: httpx.Response) -> bool:
    """Whether a 429 reports a limit of zero requests a minute: waiting won't help.

    The plan does not include the model. Many have reported this since 2026-09; no recorded
    traffic shows it.
    """
    limit = response.headers.get("x-ratelimit-limit-req-minute")
    return response.status_code == 429 and limit == "0"


class APIError(httpx.HTTPStatusError):
    """The API refused a request, or the response was not a valid answer.

    status: the HTTP status (of an error inside a stream: the one that it names).
    code: the API's own code, a string of digits, or None.
    kind: the API's own error type, such as "invalid_model", or None.
    message: the API's full message, or a description of what came instead.
    retryable: whether the same request may succeed later.
    hint: what to do about it.
    reply: what had arrived of a stream before the error, otherwise None.

    `except httpx.HTTPStatusError` also catches it; `.request` and `.response` hold the request
    and the response.
    """

    def __init__(
        self, response: httpx.Response, body: Any = None, reply: Reply | None = None
    ) -> None:
        body = _body(response) if body is None else body
        fields = body if isinstance(body, dict) else {}
        code = fields.get("code")
        self.status: int = response.status_code
        # An error inside a stream, which began with a 200.
        if response.is_success and reply is not None:
            named = fields.get("raw_status_code")
            self.status = named if type(named) is int else 500
        self._body = body
        self.code: str | None = None if code is None else str(code)
        self.kind: str | None = fields.get("type")
        self.message: str = hide(_message(fields) or _describe(response, body))
        self.reply = reply
        self.retryable: bool = self.status in RETRYABLE and not has_no_allowance(response)
        self.hint: str = self._hint(response)
        text = f"{self.status} {self.code or ''}".rstrip() + f": {self.message}\nHint: {self.hint}"
        # Left by a `Retry` transport.
        if retried := response.extensions.get("retried"):
            text += f"\nRetry: {retried}"
        super().__init__(text, request=response.request, response=response)

    def __repr__(self) -> str:
        return f"APIError(status={self.status}, code={self.code!r}, message={self.message!r})"

    def __reduce__(self) -> Any:
        """Make the error picklable, as process pools require, without the key."""
        return type(self), (_without_key(self.response), hide_all(self._body), self.reply)

    def _hint(self, response: httpx.Response) -> str:
        if has_no_allowance(response):
            return (
                "Your plan allows no requests to this model. Waiting won't help; try another model."
            )
        if self.kind == "invalid_model":
            return _model_hint(self.message, response.request.url.path)
        for field, name in MISTRAL_NAMES.items():
            if self.status == 422 and re.search(rf"\b{field}\b", self.message):
                return f"Mistral's name for {field} is {name}."
        text = f"{self.kind} {self.code} {self.message}".lower()
        # In the table, the status 0 stands for any, and the clue is in the error's text.
        return next(
            row["hint"]
            for row in read_table("error_hints.csv")
            if row["status"] in (str(self.status), "0") and row["clue"] in text
        )


class StreamCut(httpx.RemoteProtocolError):
    """A stream ended before its answer was complete. `.reply` holds what arrived."""

    def __init__(self, reply: Reply, reason: str, request: httpx.Request | None = None) -> None:
        super().__init__(
            f"The stream was cut after {len(reply.text)} characters of the answer ({reason}). "
            "What arrived is in .reply; to get the rest, ask again.",
            request=request,
        )
        self.reply = reply
        self.reason = reason

    def __reduce__(self) -> Any:
        request = None if self._request is None else _bare(self._request)
        return type(self), (self.reply, self.reason, request)


def _without_key(response: httpx.Response) -> httpx.Response:
    """A copy that is safe to pickle: no request headers, no key in the text."""
    text = hide(response.text) if hasattr(response, "_content") else ""
    headers = {name: hide(value) for name, value in response.headers.items()}
    headers.pop("content-encoding", None)
    return httpx.Response(
        response.status_code,
        headers=headers,
        content=text.encode(),
        request=_bare(response.request),
        extensions={"retried": response.extensions.get("retried")},
    )


def _bare(request: httpx.Request) -> httpx.Request:
    return httpx.Request(request.method, hide(str(request.url)))


def parse_json(text: str | bytes) -> Any:
    """Parse JSON. Raises ValueError, also for JSON that is nested too deeply.

    pydantic-core's parser is faster; Python's also accepts half of a surrogate pair.
    """
    try:
        return from_json(text)
    except ValueError:
        try:
            return json.loads(text)
        except RecursionError:
            raise ValueError("nested too deeply") from None


def _body(response: httpx.Response) -> Any:
    try:
        return parse_json(response.content)
    except ValueError:
        return None


def _message(body: Json) -> str:
    """All texts of an error; `message` and `detail` may be a string, an object or a list."""
    fields = ("message", "detail", "error")
    found = [text for name in fields for text in _flat(body.get(name))]
    # Some bodies contain the same text twice.
    return "; ".join(dict.fromkeys(found))


def _flat(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value] if value.strip() else []
    if isinstance(value, list):
        return [text for item in value for text in _flat(item)]
    # A validation error: one rule that the request broke.
    if isinstance(value, dict) and "msg" in value:
        place = value.get("loc") or []
        where = ".".join(map(str, place)) if isinstance(place, list) else str(place)
        return [f"{where}: {value['msg']}" if where else str(value["msg"])]
    if isinstance(value, dict):
        return [text for key in ("message", "detail") for text in _flat(value.get(key))]
    return []


def _describe(response: httpx.Response, body: Any) -> str:
    """What came instead of an error message."""
    text = response.text.strip() if body is None else str(body)
    if not text:
        return f"an empty answer ({response.reason_phrase or 'no reason given'})"
    if title := re.search(r"<title>\s*(.*?)\s*</title>", text, re.IGNORECASE | re.DOTALL):
        return f"not JSON but a web page: {title[1]}"
    # Hide the key before cutting the text: half a key would not be found.
    return f"not a valid API response: {hide(text)[:200]}"


def _model_hint(message: str, path: str) -> str:
    name, table = message.rpartition(":")[2].strip(), read_table("models.csv")
    rows = [row for row in table if name in (row["id"], *row["aliases"].split())]
    if not rows:
        return "No model has this name: see GET /v1/models or data/models.csv."
    row = next((row for row in rows if row["stage"] != "retired"), rows[0])
    if row["stage"] == "retired":
        hint = f"{name} ({row['model']}) was retired on {row['retires']}."
        for other in table:
            if other["model"] == row["replacement"] and other["stage"] != "retired":
                hint += f" Its successor: {other['id']} ({other['model']})."
        return hint
    task = "embedding" if path.endswith("/embeddings") else "chat"
    if ("embed" in row["id"]) != (task == "embedding"):
        return f"{name} exists ({row['model']}), but it is no {task} model."
    return f"{name} exists ({row['model']}): your account may not have access, or it was renamed."


def read_json(response: httpx.Response, *names: str) -> Json:
    """The JSON of a successful response with these fields; raises `APIError` for anything else."""
    if not response.is_success:
        raise APIError(response)
    body = _body(response)
    if not isinstance(body, dict) or not all(body.get(name) is not None for name in names):
        raise APIError(response)
    return body
