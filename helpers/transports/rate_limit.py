"""`RateLimit`: stay under the limits per minute, so that the server never refuses a request.

Why not a library: aiolimiter 1.3 and pyrate-limiter 4.5 (checked in 2026-11) keep the limits that you
pass to them. Neither learns limits from response headers, and neither corrects the estimated tokens
of a request once their real number is known.
"""

from __future__ import annotations

import collections
import functools
import json
import math
import re
import threading
from typing import Any

import httpx

from ..replay.tape import listen
from ..reply import Json, read_usage
from .clock import Clock
from .layer import Flow, Layer, Transport, is_stream

MINUTE = 60.0
# Seconds after which a queued request checks again. It may be admitted sooner than expected: the
# first answer arrives, answers use fewer tokens than estimated, or requests ahead are cancelled.
FIRST_ANSWER, TOKENS, REQUESTS = 0.05, 1.0, 10.0
# The estimated tokens of an answer until the first one has arrived.
FIRST_GUESS = 256


class RateLimit(Layer):
    """An httpx transport that holds a request back until the limits of its model admit it.

    transport: the wrapped transport, sync or async.
    requests_per_minute, tokens_per_minute: limits for each model. Without them, and where the server's
    are lower, it learns them from the headers `x-ratelimit-limit-req-minute` and
    `x-ratelimit-limit-tokens-minute` of each answer; until one has come, requests to a model are sent
    one at a time. An error without these headers teaches it nothing.
    From the `remaining` headers it learns what other clients of the account use. Streams carry no
    such headers (none of 199 recorded since mid-2025 did): if you only stream, pass the limits.
    clock: real time by default.

    A request counts from its start until 60 seconds after its answer began, since it is not known when
    in between the server counts it. Its tokens are estimated before it is sent (a quarter of its bytes,
    and `max_tokens` or else the mean of the answers so far) and corrected afterwards, by the header
    `x-ratelimit-tokens-query-cost` or by the usage at the end of a stream.

    A request leaves room for those that arrived before it and still wait, so a large one is not passed
    over forever. One that is larger than the limit is sent once the window is empty.

    All clients, threads and tasks that use one object share its limits. How long it held a request
    back is in `response.extensions["held_back"]`, in seconds.

    Raises ValueError for limits that are not positive.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(transport, clock)
        self._own = requests_per_minute, tokens_per_minute
        for limit in self._own:
            if limit is not None and not limit > 0:
                raise ValueError(f"A limit of {limit} per minute would hold back every request.")
        # Never held while a request waits, so tasks can share it as well.
        self._lock = threading.Lock()
        self._models: dict[str, _Model] = {}

    @property
    def limits(self) -> dict[str, tuple[float | None, float | None]]:
        """For each model used so far: (requests, tokens) per minute, None where not known."""
        with self._lock:
            return {name: (m.requests.limit, m.tokens.limit) for name, m in self._models.items()}

    def flow(self, request: httpx.Request) -> Flow:
        turn = self._queue(request)
        try:
            while wait := self._admit(turn):
                yield wait
            # For an outer Retry: an attempt that fails has no response to hold this.
            request.extensions["held_back"] = turn.held_back
            response: httpx.Response = yield request
        except BaseException:
            self._give_up(turn)
            raise
        self._learn(turn, response)
        return response

    def _queue(self, request: httpx.Request) -> _Turn:
        body = _body(request)
        name = str(body.get("model", request.url.path))
        with self._lock:
            if name not in self._models:
                self._models[name] = _Model(*self._own)
            return _Turn(self._models[name], body, len(request.content), self.clock.now())

    def _admit(self, turn: _Turn) -> float:
        """Admit the request and return 0, or return the seconds until it checks again."""
        with self._lock:
            model, now = turn.model, self.clock.now()
            if model.asked and not model.known:
                return min(TOKENS, FIRST_ANSWER * (1 + turn.requests.ahead()))
            wait = max(share.wait(now) for share in turn.shares)
            if not wait:
                model.asked = True
                turn.held_back = now - turn.arrived
                for share in turn.shares:
                    share.leave_queue()
                    share.start()
            return wait

    def _give_up(self, turn: _Turn) -> None:
        with self._lock:
            if turn.requests.counts:
                # If this was the first request, the next one discovers the limits.
                turn.model.asked = False
                turn.end(self.clock.now())
            else:
                for share in turn.shares:
                    share.leave_queue()

    def _learn(self, turn: _Turn, response: httpx.Response) -> None:
        response.extensions = {**response.extensions, "held_back": turn.held_back}
        cost = _number(response, "x-ratelimit-tokens-query-cost") if response.is_success else 0
        with self._lock:
            now, model = self.clock.now(), turn.model
            turn.end(now)
            if cost is not None:
                turn.correct(cost)
            for window, what in ((model.requests, "req"), (model.tokens, "tokens")):
                limit = _number(response, f"x-ratelimit-limit-{what}-minute")
                left = _number(response, f"x-ratelimit-remaining-{what}-minute")
                window.learn(now, limit, left)
                model.known |= response.is_success or limit is not None
            # An error may report no limits: then the next request discovers them.
            model.asked = model.known
        if is_stream(response):
            listen(httpx, response, self.clock.now, functools.partial(self._correct, turn))

    def _correct(self, turn: _Turn, answer: Json | None) -> None:
        """Count the usage of a closed stream, whether it was read to the end or not."""
        if (usage := read_usage(answer)).reported:
            with self._lock:
                turn.correct(max(0, usage.total_tokens - usage.cached_tokens))


class _Window:
    """One limit of a model: how much of it is in use, and how much is queued for it.

    All amounts are integers, so sums stay exact however often they change.
    """

    def __init__(self, own: float | None, look: float) -> None:
        self.own = self.limit = own
        self.look = look
        # By requests under way and those whose answer began in the last minute.
        self.used = 0
        self.ended: collections.deque[_Share] = collections.deque()
        # What has ever joined the queue, and what has left it.
        self.joined = self.left = 0

    def forget(self, now: float) -> None:
        while self.ended and self.ended[0].ended <= now - MINUTE:
            share = self.ended.popleft()
            share.counts = False
            self.used -= share.amount

    def learn(self, now: float, limit: int | None, left: int | None) -> None:
        # There is no header, or no allowance at all, and then waiting does not help.
        if not limit:
            return
        self.limit = min(limit, self.own or limit)
        # The server's `left` no longer includes expired shares either.
        self.forget(now)
        if left is not None and (others := limit - left - self.used) > 0:
            share = _Share(self, others)
            share.start()
            share.end(now)


class _Share:
    """A request's share of one limit: queued, then in use, then expired a minute later."""

    def __init__(self, window: _Window, amount: int) -> None:
        self.window, self.amount, self.before = window, amount, 0
        self.counts, self.ended = False, math.inf

    def queue(self) -> None:
        self.before = self.window.joined
        self.window.joined += self.amount

    def leave_queue(self) -> None:
        self.window.left += self.amount

    def ahead(self) -> int:
        """How much is queued ahead; an underestimate if later ones have left the queue."""
        return max(0, self.before - self.window.left)

    def wait(self, now: float) -> float:
        """Seconds until there may be room, given what is queued ahead: 0 if there is now."""
        window, limit, ahead = self.window, self.window.limit, self.ahead()
        window.forget(now)
        if limit is None:
            return 0.0
        over = window.used + ahead + min(self.amount, limit) - limit
        if over <= 0:
            return 0.0
        # The further back, the less often it checks: frequent checks by many cost more than they gain.
        longest = min(MINUTE, window.look * (1 + ahead / limit))
        # Otherwise what is queued ahead fills even an empty window.
        if over <= window.used:
            for share in window.ended:
                over -= share.amount
                wait = share.ended + MINUTE - now
                if over <= 0 or wait >= longest:
                    return min(max(wait, 0.001), longest)
        return longest

    def start(self) -> None:
        self.window.used += self.amount
        self.counts = True

    def end(self, now: float) -> None:
        """Its answer has begun, or will never come."""
        self.ended = now
        self.window.ended.append(self)

    def correct(self, amount: int) -> None:
        if self.counts:
            self.window.used += amount - self.amount
            self.amount = amount


class _Model:
    """What is known of one model."""

    def __init__(self, requests: float | None, tokens: float | None) -> None:
        self.requests, self.tokens = _Window(requests, REQUESTS), _Window(tokens, TOKENS)
        # Whether a request was sent, and whether an answer (or the caller) gave the limits.
        self.asked, self.known = False, requests is not None and tokens is not None
        # The number of answers, and their tokens without those of the questions.
        self.answers, self.answered = 0, 0


class _Turn:
    """One request on its way."""

    def __init__(self, model: _Model, body: Json, size: int, now: float) -> None:
        self.model, self.arrived, self.held_back = model, now, 0.0
        self.question = math.ceil(size / 4)
        answer = body.get("max_tokens")
        if not isinstance(answer, int) or answer < 1:
            answer = FIRST_GUESS if "messages" in body else 0
            if model.answers:
                answer = math.ceil(model.answered / model.answers)
        self.requests = _Share(model.requests, 1)
        self.tokens = _Share(model.tokens, self.question + answer)
        self.shares = self.requests, self.tokens
        for share in self.shares:
            share.queue()

    def end(self, now: float) -> None:
        for share in self.shares:
            share.end(now)

    def correct(self, cost: int) -> None:
        """Replace the estimate by the real cost."""
        self.tokens.correct(cost)
        if cost:
            self.model.answers += 1
            self.model.answered += max(0, cost - self.question)


def _body(request: httpx.Request) -> dict[str, Any]:
    try:
        body = json.loads(request.content)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _number(response: httpx.Response, header: str) -> int | None:
    value = response.headers.get(header, "")
    return int(value) if re.fullmatch(r"\d{1,15}", value, re.ASCII) else None
