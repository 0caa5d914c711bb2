"""`RateLimit`: stay under the limits per minute, so that the server never has to say no."""

from __future__ import annotations

import functools
import json
import math
import re
import threading
from dataclasses import dataclass
from typing import Any

import httpx

from ..replay.tape import listen
from ..reply import Json, read_usage
from .clock import Clock
from .layer import Flow, Layer, Transport, is_stream

MINUTE = 60.0
POLL = 0.05  # seconds between looks at whether the first answer has come
LOOK = 1.0  # and between looks at whether answers were shorter than expected
FIRST_GUESS = 256.0  # tokens of an answer, as long as none has come


class RateLimit(Layer):
    """An httpx transport that holds a request back until the limits of its model admit it.

    transport: the transport inside, sync or async.
    requests_per_minute, tokens_per_minute: limits for each model. Without them, and where the server's
    are lower, it learns them from the headers `x-ratelimit-limit-req-minute` and
    `x-ratelimit-limit-tokens-minute` of each answer; until one has come, requests to a model go one by
    one. An error without these headers tells nothing.
    From the headers with `remaining` it learns what others use on the same account. Streams carry no
    such headers (none of 199 recorded since mid-2025 did): if you only stream, name the limits.
    clock: where time comes from.

    A request counts from its start until 60 seconds after its answer began, since nobody knows when in
    between the server counts it. Its tokens are estimated before it goes (a quarter of its bytes, and
    `max_tokens` or else the mean of the answers so far) and corrected afterwards, by the header
    `x-ratelimit-tokens-query-cost` or by the usage at the end of a stream.

    One object shares its budget among all clients, threads and tasks that use it. How long it held a
    request back is in `response.extensions["held_back"]`, in seconds.

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
        self._lock = threading.Lock()  # never held while waiting, so tasks can share it, too
        self._models: dict[str, _Model] = {}

    @property
    def limits(self) -> dict[str, tuple[float | None, float | None]]:
        """For each model asked so far: (requests, tokens) per minute, None where not known."""
        with self._lock:
            return {name: (m.requests.limit, m.tokens.limit) for name, m in self._models.items()}

    def flow(self, request: httpx.Request) -> Flow:
        turn = _Turn(self._model(request), request, self.clock.now())
        while wait := self._admit(turn):
            yield wait
        try:
            response: httpx.Response = yield request
        except BaseException:
            self._give_up(turn)
            raise
        self._learn(turn, response)
        return response

    def _model(self, request: httpx.Request) -> _Model:
        name = str(_body(request).get("model", request.url.path))
        with self._lock:
            return self._models.setdefault(name, _Model(*self._own))

    def _admit(self, turn: _Turn) -> float:
        """0 when the request may go now, and is counted; else the seconds to wait before asking again."""
        with self._lock:
            model, now = turn.model, self.clock.now()
            if model.asked and not model.known:
                return POLL
            wait = max(model.requests.wait(now, 1), min(model.tokens.wait(now, turn.tokens), LOOK))
            if wait == 0:
                model.asked = True
                turn.uses = model.requests.add(1), model.tokens.add(turn.tokens)
                turn.held_back = now - turn.arrived
            return wait

    def _give_up(self, turn: _Turn) -> None:
        with self._lock:
            turn.model.asked = False  # if this was the first request, the next one finds out
            turn.ended(self.clock.now())

    def _learn(self, turn: _Turn, response: httpx.Response) -> None:
        response.extensions = {**response.extensions, "held_back": turn.held_back}
        cost = _number(response, "x-ratelimit-tokens-query-cost")
        if not response.is_success:
            cost = 0.0
        with self._lock:
            turn.ended(self.clock.now())
            if cost is not None:
                turn.correct(cost)
            for window, what in ((turn.model.requests, "req"), (turn.model.tokens, "tokens")):
                limit = _number(response, f"x-ratelimit-limit-{what}-minute")
                left = _number(response, f"x-ratelimit-remaining-{what}-minute")
                window.learn(self.clock.now(), limit, left)
                turn.model.known |= response.is_success or limit is not None
            turn.model.asked = turn.model.known  # an error may tell nothing: the next one finds out
        if is_stream(response):
            listen(httpx, response, self.clock.now, functools.partial(self._correct, turn))

    def _correct(self, turn: _Turn, answer: Json | None) -> None:
        """Count the usage of a stream that was closed, whether it was read to its end or not."""
        if (usage := read_usage(answer)).reported:
            with self._lock:
                turn.correct(max(0, usage.total_tokens - usage.cached_tokens))


@dataclass
class _Use:
    """A part of a limit that is used up, until a minute after `ended`."""

    amount: float
    ended: float = math.inf  # as long as the answer has not begun


class _Window:
    """What was used of one limit in the last minute."""

    def __init__(self, own: float | None) -> None:
        self.own = self.limit = own
        self.uses: list[_Use] = []

    def wait(self, now: float, amount: float) -> float:
        """Seconds until this much more may fit. What is larger than the limit goes when all is over."""
        self.forget(now)
        wait, total = 0.0, amount + self.total()
        for use in sorted(self.uses, key=lambda use: use.ended):
            if self.limit is None or total <= self.limit:
                break
            wait = max(min(use.ended, now) + MINUTE - now, 0.001)
            total -= use.amount
        return wait

    def forget(self, now: float) -> None:
        self.uses = [use for use in self.uses if use.ended > now - MINUTE]

    def total(self) -> float:
        return sum(use.amount for use in self.uses)

    def add(self, amount: float) -> _Use:
        self.uses.append(_Use(amount))
        return self.uses[-1]

    def learn(self, now: float, limit: float | None, left: float | None) -> None:
        if not limit:  # no header; or no allowance at all, and then holding back does not help
            return
        self.limit = min(limit, self.own or limit)
        self.forget(now)  # what is over by now is not in `left`, either
        if left is not None and (others := limit - left - self.total()) > 0:
            self.uses.append(_Use(others, now))


class _Model:
    """What is known of one model."""

    def __init__(self, requests: float | None, tokens: float | None) -> None:
        self.requests, self.tokens = _Window(requests), _Window(tokens)
        self.asked = False  # a request has gone
        self.known = requests is not None and tokens is not None  # or an answer has told
        self.answers, self.answered = 0, 0.0  # how many, and their tokens beyond the questions


class _Turn:
    """One request on its way."""

    def __init__(self, model: _Model, request: httpx.Request, now: float) -> None:
        self.model, self.arrived, self.held_back = model, now, 0.0
        self.question = len(request.content) / 4
        body = _body(request)
        answer = body.get("max_tokens")
        if not isinstance(answer, int | float):
            answer = FIRST_GUESS if "messages" in body else 0.0
            if model.answers:
                answer = model.answered / model.answers
        self.tokens = self.question + answer
        self.uses: tuple[_Use, _Use] | None = None  # of requests and tokens, once it is admitted

    def ended(self, now: float) -> None:
        for use in self.uses or ():
            use.ended = now

    def correct(self, cost: float) -> None:
        """Count what it cost instead of what it was expected to."""
        if self.uses:
            self.uses[1].amount = cost
        if cost:
            self.model.answers += 1
            self.model.answered += max(0.0, cost - self.question)


def _body(request: httpx.Request) -> dict[str, Any]:
    try:
        body = json.loads(request.content)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _number(response: httpx.Response, header: str) -> float | None:
    value = response.headers.get(header, "")
    return float(value) if re.fullmatch(r"\d{1,15}", value, re.ASCII) else None
