"""`Retry`: send a request again when that may help, after pauses that grow and vary.

Why no library: `tests/benchmarks/retry_libraries.py` plays the same failures to httpx-retries 0.6,
tenacity 9.2 and stamina 26.1 (2026-11). Each of them sends six requests for a plan that allows none,
where `Retry` sends one. When the server asks for an hour, each comes back too early: httpx-retries after
its longest wait, and the other two, which go around a function and read no headers, within seconds. Nor
can any of them leave the queue of a `RateLimit` out of its total. In a project of your own, take
httpx-retries all the same.
"""

from __future__ import annotations

import email.utils
import logging
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

from ..errors import has_no_allowance, is_retryable
from .clock import Clock
from .layer import Flow, Layer, Read, Transport, is_stream

log = logging.getLogger("helpers.retry")

# The network failed before anything of the answer had come. Not among them: a wrong address or proxy,
# and a client whose own pool is full. Time does not mend these.
TEMPORARY = (
    httpx.NetworkError,
    httpx.ConnectTimeout,
    httpx.ReadTimeout,
    httpx.WriteTimeout,
    httpx.RemoteProtocolError,
)

Outcome = httpx.Response | httpx.TransportError


@dataclass
class Retried:
    """What `Retry` did for one request.

    attempts: how often the request was sent.
    waits: the pauses in between, in seconds.
    stopped: why it was not sent again.
    held_back: seconds in the queue of a `RateLimit` inside.
    """

    attempts: int = 0
    waits: list[float] = field(default_factory=list)
    stopped: str = ""
    held_back: float = 0.0

    def __str__(self) -> str:
        times = f"{self.attempts} attempt{'s' * (self.attempts != 1)}"
        return f"{times}, {sum(self.waits):.1f} s of waiting; stopped: {self.stopped}"


class Retry(Layer):
    """An httpx transport that sends a request again when that may help.

    transport: the transport inside, sync or async.
    attempts: how often a request is sent at most, including the first time.
    base, cap: before attempt n + 1, it waits a random time between 0 and min(cap, base * 2**(n-1))
    seconds ("full jitter"). With the default values, these are at most 1, 2, 4, 8 and 16 seconds.
    total: no wait begins that would end later than this many seconds after the first attempt began. The
    queue of a `RateLimit` inside does not count.
    clock, random: where time and chance come from; `random()` returns a float in [0, 1).

    It retries the statuses 408, 429, 500, 502, 503, 504 and 520, and a network that fails before the
    answer begins. It does not retry a 429 of a plan that allows no requests at all
    (`x-ratelimit-limit-req-minute: 0`), and nothing after the first piece of a stream. A whole answer
    is read to its end before it is handed out, so one that breaks off is asked for again.

    A `Retry-After` header, in seconds or as a date, is respected: no attempt comes earlier, and the
    random time is added, as far as `cap` allows, so that not everybody comes back at once. If the
    header asks for more than `cap`, Retry stops and hands out the answer.

    What it did is in `response.extensions["retried"]`, or in `error.retried` of a failure, as a
    `Retried`. The logger `helpers.retry` gets a line for each retry (level INFO), without keys or texts.

    `total` does not end an attempt that is under way, and httpx has no total time-out either: its read
    time-out begins again with each byte. A server that sends a byte now and then can hold a call
    forever. Where that matters, put a limit around the call, such as `asyncio.timeout`.

    Beware: a request that timed out may have been answered, and billed. A retry is then billed again.

    Raises ValueError for values that make no sense, TypeError for anything that is not a transport.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        attempts: int = 6,
        base: float = 1.0,
        cap: float = 60.0,
        total: float = 300.0,
        clock: Clock | None = None,
        random: Callable[[], float] = random.random,
    ) -> None:
        super().__init__(transport, clock)
        if attempts < 1:
            raise ValueError(f"attempts is {attempts}; a request is sent at least once.")
        if not (base >= 0 and cap >= 0 and total >= 0):
            raise ValueError("base, cap and total are seconds, 0 or more.")
        self.attempts, self.base, self.cap, self.total = attempts, base, cap, total
        self.random = random

    def flow(self, request: httpx.Request) -> Flow:
        began, done = self.clock.now(), Retried()
        while True:
            done.attempts += 1
            try:
                response: httpx.Response = yield request
                yield Read(response, first_piece=is_stream(response))
                outcome: Outcome = response
            except httpx.TransportError as error:
                outcome = error
            done.held_back += request.extensions.pop("held_back", 0.0)
            wait = self._next_wait(outcome, done, began)
            if wait is None:
                return _hand_out(outcome, done)
            yield wait

    def _next_wait(self, outcome: Outcome, done: Retried, began: float) -> float | None:
        """Seconds until the next attempt, or None if there is none; `done` gets which, and why."""
        asked = None
        if isinstance(outcome, httpx.Response):
            asked = read_retry_after(outcome, self.clock)
        pause = self.random() * longest_wait(done.attempts, self.base, self.cap)
        wait = min(self.cap, (asked or 0.0) + pause)
        spent = self.clock.now() - began - done.held_back
        if reason := _why_not(outcome):
            done.stopped = reason
        elif done.attempts >= self.attempts:
            done.stopped = f"{_name(outcome)} again, and no attempts are left"
        elif asked is not None and asked > self.cap:
            done.stopped = f"the server asks for {asked:g} s, more than the cap of {self.cap:g} s"
        elif spent + wait > self.total:
            done.stopped = f"{_name(outcome)} again, and the next wait would exceed the total of {self.total:g} s"
        else:
            done.waits.append(wait)
            log.info("attempt %d: %s; next in %.1f s", done.attempts, _name(outcome), wait)
            return wait
        return None


def longest_wait(attempt: int, base: float, cap: float) -> float:
    """The longest wait after this attempt (from 1): base * 2**(attempt - 1), but at most cap."""
    return min(cap, base * 2.0 ** min(attempt - 1, 100))


def read_retry_after(response: httpx.Response, clock: Clock) -> float | None:
    """Seconds for which the `Retry-After` header asks, or None without a readable one.

    It may be a number of seconds or a date (RFC 9110, 10.2.3). A date is compared with the answer's
    own `Date`, since the clocks of the two machines may differ.
    """
    text = response.headers.get("retry-after", "")
    try:
        seconds = float(text)
    except ValueError:
        date = _read_date(text)
        if date is None:
            return None
        now = _read_date(response.headers.get("date", ""))
        seconds = date - (clock.date() if now is None else now)
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _read_date(text: str) -> float | None:
    parts = email.utils.parsedate_tz(text)
    try:
        return None if parts is None else email.utils.mktime_tz(parts)
    except (ValueError, OverflowError):
        return None


def _why_not(outcome: Outcome) -> str | None:
    """Why a retry won't help, or None where it may."""
    if isinstance(outcome, httpx.Response):
        if outcome.is_success:
            return f"a {outcome.status_code} came"
        if has_no_allowance(outcome):
            return "the plan allows no requests to this model, so waiting won't help"
        may_help = is_retryable(outcome)
    else:
        may_help = isinstance(outcome, TEMPORARY)
    return None if may_help else f"{_name(outcome)}, which a retry won't fix"


def _name(outcome: Outcome) -> str:
    if isinstance(outcome, httpx.TransportError):
        return type(outcome).__name__
    correlation_id = outcome.headers.get("mistral-correlation-id")
    return f"{outcome.status_code}" + (f" ({correlation_id})" if correlation_id else "")


def _hand_out(outcome: Outcome, done: Retried) -> httpx.Response:
    if isinstance(outcome, httpx.Response):
        outcome.extensions = {**outcome.extensions, "retried": done}
        return outcome
    outcome.retried = done  # type: ignore[attr-defined]
    outcome.add_note(str(done))
    raise outcome
