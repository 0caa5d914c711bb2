"""`Budget`: a transport that stops before a sum of money is spent."""

from __future__ import annotations

import functools
import threading
import time
from typing import Any

import httpx

from ..replay.tape import listen
from ..replay.wire import read_request
from ..reply import Json, Usage, read_usage
from ..transports.layer import Flow, Layer, Transport
from .prices import money, price, region
from .tokens import count_tokens

COUNTED = ("/chat/completions", "/embeddings")  # billed by the tokens that their answers report
FREE = ("/files",)  # uploads
COUNTS = ("tools", "response_format", "reasoning_effort")  # what else of a request is input


class BudgetExceeded(RuntimeError):
    """A request was not sent, since it might have cost more than is left of the budget.

    `spent`, `reserved` (for requests that are under way), `limit` and `estimate` are in US dollars.
    """

    def __init__(self, spent: float, reserved: float, limit: float, estimate: float) -> None:
        super().__init__(spent, reserved, limit, estimate)  # so that it can be pickled
        self.spent, self.reserved, self.limit, self.estimate = spent, reserved, limit, estimate

    def __str__(self) -> str:
        held = f" and ${money(self.reserved)} held for others" if self.reserved > 1e-9 else ""
        return (
            f"Not sent: it may cost ${money(self.estimate)}, and of ${money(self.limit)} "
            f"${money(self.spent)} are spent{held}. "
            "Ask for less (max_tokens), or begin with a higher limit."
        )


class Budget(Layer):
    """An httpx transport that refuses a request which might cross a limit, before it is sent.

    limit_usd: the most that the requests through it may cost together, in US dollars.
    transport: the transport inside, sync or async, of httpx (not httpx2, so not of the official SDK);
    by default httpx.HTTPTransport(). httpx.AsyncClient needs an async one.
    max_tokens: the output that is assumed for a request without `max_tokens`. An answer may be
    longer, and then the limit is crossed by this one answer at most per request under way.

        with httpx.Client(transport=Budget(0.50), timeout=60) as client:
            helpers.chat("Hello", client=client)

    It limits what goes through its client, and nothing else: `with Budget(0.50):` alone limits nothing.
    With retries, write `Retry(Budget(…))`: each attempt is counted then. In `Budget(…, Retry(…))`, an
    attempt that timed out inside may be billed and is not counted.

    A request holds its estimate: its counted input, and its output at full length. When the answer
    is there, its usage takes the place of the estimate. A stream that was left or cut has none, and
    neither has an answer that failed on the way: they may be billed, so the estimate stays. A refused
    request (status 400 and above) and a connection that failed cost nothing.

    spent: what the answers have cost, in US dollars; replayed ones count as they would live.
    paid: what of it was not replayed. Both may be read at any time, from any thread.

    Prices and their errors are those of `helpers.price`. Raises `BudgetExceeded`; ValueError for a
    limit that is no sum of money, for a request whose price can't be known before (OCR, audio, code
    completion, batch jobs, agents, ...), and for one that can't be counted.
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
            raise ValueError(f"limit_usd is {limit_usd!r}; it is a sum of US dollars above 0.")
        if max_tokens < 1:
            raise ValueError(f"max_tokens is {max_tokens!r}; it is 1 or more.")
        self.limit, self.max_tokens = limit_usd, max_tokens
        self.spent = self.paid = self.reserved = 0.0
        self._lock = threading.Lock()

    def flow(self, request: httpx.Request) -> Flow:
        held = self._reserve(request)
        try:
            response: httpx.Response = yield request
        except BaseException as error:
            self._settle(held, _after(error, held))
            raise
        return self._watch(request, response, held)

    def estimate(self, request: httpx.Request) -> float:
        """The most that a request is assumed to cost, in US dollars."""
        path, body = request.url.path, read_request(request)["body"]
        if request.method in ("GET", "HEAD", "DELETE") or path.endswith(FREE):
            return 0.0
        if not path.endswith(COUNTED) or not isinstance(body, dict) or "model" not in body:
            raise ValueError(
                f"What {path} costs can't be known before, so a Budget does not let it through."
            )
        try:
            return self._cost(_most(body, self.max_tokens), body, request)
        except (KeyError, TypeError) as error:
            raise ValueError(f"A Budget can't count this request: {error!r}") from error

    def _reserve(self, request: httpx.Request) -> float:
        estimate = self.estimate(request)
        with self._lock:
            if estimate and self.spent + self.reserved + estimate > self.limit:
                raise BudgetExceeded(self.spent, self.reserved, self.limit, estimate)
            self.reserved += estimate
        return estimate

    def _settle(self, held: float, cost: float, replayed: bool = False) -> None:
        with self._lock:
            self.reserved -= held
            self.spent += cost
            self.paid += 0.0 if replayed else cost

    def _watch(
        self, request: httpx.Request, response: httpx.Response, held: float
    ) -> httpx.Response:
        """The response, whose usage takes the place of the estimate."""
        done = functools.partial(self._end, request, response, held)
        listen(httpx, response, time.monotonic, done)
        return response

    def _end(self, request: Any, response: Any, held: float, answer: Json | None) -> None:
        cost = held if response.is_success else 0.0
        if (usage := read_usage(answer)).reported:
            cost = self._cost(usage, read_request(request)["body"], request)
        self._settle(held, cost, response.extensions.get("replayed", False))

    def _cost(self, usage: Usage, body: Json, request: httpx.Request) -> float:
        priority = body.get("service_tier") == "auto"  # may be served, and billed, as priority
        found = price(usage, body["model"], region=region(request.url.host), priority=priority)
        if found.usd is None:
            raise ValueError(f"{body['model']} has no price in US dollars.")
        return found.usd


def _most(body: Json, max_tokens: int) -> Usage:
    """The counted input of a request and its output at full length."""
    if "input" in body:
        return Usage(prompt_tokens=int(count_tokens(body["input"], body["model"])))
    fields = {name: body[name] for name in COUNTS if name in body}
    count = count_tokens(body["messages"], body["model"], **fields)
    out = (body.get("max_tokens") or max_tokens) * (body.get("n") or 1)
    return Usage(prompt_tokens=count.tokens + (count.error or 0), completion_tokens=out)


def _after(error: BaseException, held: float) -> float:
    """What a request costs that failed with this: nothing where it can't have been sent."""
    never = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, LookupError)
    return 0.0 if isinstance(error, never) else held
