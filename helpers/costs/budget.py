"""`Budget`: a transport that stops before a limit in US dollars is exceeded."""

from __future__ import annotations

import functools
import operator
import threading
import time
from typing import Any

import httpx

from ..replay.tape import listen
from ..replay.wire import read_request
from ..reply import Json, Usage, read_usage
from ..transports.layer import Flow, Layer, Transport
from .prices import money, price, region
from .tokens import TokenCount, count_tokens, is_attachment, parts_of

# Billed by the tokens that the answers report.
COUNTED = ("/chat/completions", "/embeddings")
# Uploads are free.
FREE = ("/files",)
# Fields of a request that change the count of its input, besides its messages.
COUNTS = ("tools", "tool_choice", "response_format", "reasoning_effort")
# Fields that add input which can't be counted.
UNCOUNTED = ("documents", "prediction", "safe_prompt", "prompt_mode")
# Tokens: no call has that many.
IMPOSSIBLE = 10**9


class BudgetExceeded(RuntimeError):
    """A request was not sent, since it might have cost more than is left of the budget.

    `spent`, `reserved` (for requests that are under way), `limit` and `estimate` are in US dollars.
    """

    def __init__(self, spent: float, reserved: float, limit: float, estimate: float) -> None:
        # All arguments, so that it can be pickled.
        super().__init__(spent, reserved, limit, estimate)
        self.spent, self.reserved, self.limit, self.estimate = spent, reserved, limit, estimate

    def __str__(self) -> str:
        held = f" and ${money(self.reserved)} held for others" if self.reserved > 1e-9 else ""
        return (
            f"Not sent: it may cost ${money(self.estimate)}, and ${money(self.spent)} "
            f"of ${money(self.limit)} is spent{held}. "
            "Ask for less (max_tokens), or start with a higher limit."
        )


class Budget(Layer):
    """An httpx transport that refuses a request that might exceed a limit, before it is sent.

    limit_usd: the most that all requests through it may cost together, in US dollars.
    transport: the wrapped transport, sync or async, of httpx (not httpx2, so not of the official SDK);
    by default httpx.HTTPTransport(). httpx.AsyncClient needs an async one.
    max_tokens: the output that is assumed for a request without `max_tokens`. An answer may be
    longer, and then the limit is exceeded, by at most one answer for each request under way.

        with httpx.Client(transport=Budget(0.50), timeout=60) as client:
            helpers.chat("Hello", client=client)

    It limits only what goes through its client: `with Budget(0.50):` alone limits nothing.
    With retries, write `Retry(Budget(…))`, so that each attempt is counted. In `Budget(…, Retry(…))`, an
    attempt that timed out inside may be billed and is not counted.

    A request reserves its estimate: its counted input, and its output at full length. If no
    recorded call shows how accurate the count is, its size in bytes replaces the count. Once the
    answer has arrived, its usage replaces the estimate. A stream that was closed early or cut, a
    failed answer and one with an implausible usage may all be billed, so there the estimate
    stays. A refused request (status 400 and above) and a failed connection cost nothing.

    spent: the cost of the answers, in US dollars; replayed ones count as if they were live.
    paid: the part of it that was not replayed. Both can be read at any time, from any thread.

    Prices and their errors are those of `helpers.price`. Raises `BudgetExceeded`; ValueError for a
    limit that is not an amount of money, for a request whose price can't be known in advance (OCR, audio, code
    completion, batch jobs, agents, ...), and for one that can't be counted: with pictures, documents,
    audio or a prediction.
    """

    def __init__(
        self,
        limit_usd: float,
        transport: Transport | None = None,
        *,
        max_tokens: int = 4096,
    ) -> None:
        super().__init__(httpx.HTTPTransport() if transport is None else transport)
        if not 0 < limit_usd < float("inf"):
            raise ValueError(
                f"limit_usd is {limit_usd!r}; it must be an amount of US dollars above 0."
            )
        if max_tokens < 1:
            raise ValueError(f"max_tokens is {max_tokens!r}; it must be 1 or more.")
        self.limit, self.max_tokens = limit_usd, max_tokens
        self.spent = self.paid = self.reserved = 0.0
        self._lock = threading.Lock()

    def flow(self, request: httpx.Request) -> Flow:
        # Counting loads a tokenizer, which takes seconds.
        estimate: float = yield functools.partial(self.estimate, request)
        self._reserve(estimate)
        try:
            response: httpx.Response = yield request
        except BaseException as error:
            self._settle(estimate, _after(error, estimate))
            raise
        done = functools.partial(self._end, request, response, estimate)
        listen(httpx, response, time.monotonic, done)
        return response

    def estimate(self, request: httpx.Request) -> float:
        """The most that a request is expected to cost, in US dollars."""
        path, body = request.url.path, read_request(request)["body"]
        if request.method in ("GET", "HEAD", "DELETE") or path.endswith(FREE):
            return 0.0
        if not path.endswith(COUNTED) or not isinstance(body, dict) or "model" not in body:
            raise ValueError(f"The cost of {path} can't be known in advance: a Budget refuses it.")
        try:
            return _cost(self._most(body, len(request.content)), body, request)
        except (KeyError, TypeError, AttributeError, OverflowError) as error:
            raise ValueError(f"A Budget can't count this request: {error!r}") from error

    def _most(self, body: Json, size: int) -> Usage:
        """The counted input of a request of `size` bytes, and its output at full length."""
        if "input" in body:
            count = count_tokens(body["input"], body["model"])
            return Usage(prompt_tokens=_at_most(count, size))
        attached = any(map(is_attachment, parts_of(body["messages"])))
        if attached or any(body.get(name) for name in UNCOUNTED):
            raise ValueError(
                "A Budget can't count pictures, documents, audio or predictions: "
                "send this with another client."
            )
        fields = {name: body[name] for name in COUNTS if name in body}
        count = count_tokens(body["messages"], body["model"], **fields)
        longest = operator.index(body.get("max_tokens") or self.max_tokens)
        return Usage(_at_most(count, size), longest * operator.index(body.get("n") or 1))

    def _reserve(self, estimate: float) -> None:
        with self._lock:
            if estimate and self.spent + self.reserved + estimate > self.limit:
                raise BudgetExceeded(self.spent, self.reserved, self.limit, estimate)
            self.reserved += estimate

    def _settle(self, held: float, cost: float, replayed: bool = False) -> None:
        with self._lock:
            self.reserved -= held
            self.spent += cost
            self.paid += 0.0 if replayed else cost

    def _end(self, request: Any, response: Any, held: float, answer: Json | None) -> None:
        """Replace the estimate with the answer's usage."""
        cost = held if response.is_success else 0.0
        body = read_request(request)["body"]
        if _is_sane(usage := read_usage(answer), body):
            cost = _cost(usage, body, request)
        self._settle(held, cost, response.extensions.get("replayed", False))


def _is_sane(usage: Usage, body: Any) -> bool:
    """Whether a usage is plausible: every answer has input, and every chat has output."""
    used, out = usage.prompt_tokens, usage.completion_tokens
    return 0 < used < IMPOSSIBLE and out < IMPOSSIBLE and (out > 0 or "input" in body)


def _cost(usage: Usage, body: Json, request: httpx.Request) -> float:
    # With "auto" it may be served, and billed, as priority.
    priority = body.get("service_tier") == "auto"
    found = price(usage, body["model"], region=region(request.url.host), priority=priority)
    if found.usd is None:
        raise ValueError(f"{body['model']} has no price in US dollars.")
    return found.usd


def _at_most(count: TokenCount, size: int) -> int:
    """An upper bound of a request's tokens: its bytes, if the count was never compared with calls.

    A token has at least one byte, and the JSON around a message has more bytes than special tokens.
    """
    return count.tokens + count.error if count.error is not None else max(size, count.tokens)


def _after(error: BaseException, held: float) -> float:
    """The cost of a request that failed with this error: 0 if it can't have been sent."""
    never = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, LookupError)
    return 0.0 if isinstance(error, never) else held
