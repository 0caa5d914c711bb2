"""Right and wrong answers to lesson 07's exercises."""

import random
import time
from fractions import Fraction

import httpx
import numpy as np
import pandas as pd
from mistralai.client.utils import BackoffStrategy, RetryConfig

import helpers
from tests.lessons.solutions import Answers

PASSES = {429, 500, 502, 503, 504, 520}


def looped(send, sleep):
    for attempt in range(1, 5):
        response = send()
        if response.status_code not in PASSES or attempt == 4:
            return response
        sleep(random.uniform(0, 2 ** (attempt - 1)))


def nested(send, sleep, attempt=1):
    """The same without a loop."""
    response = send()
    if attempt == 4 or response.status_code not in PASSES:
        return response
    sleep(random.random() * 2 ** (attempt - 1))
    return nested(send, sleep, attempt + 1)


def as_in_the_question(send, sleep):
    for attempt in range(1, 5):
        response = send()
        if response.status_code == 200:
            return response
        sleep(2 ** (attempt - 1))
    return response


def waits_at_the_end(send, sleep):
    for attempt in range(1, 5):
        response = send()
        if response.status_code not in PASSES:
            return response
        sleep(random.uniform(0, 2 ** (attempt - 1)))
    return response


def without_jitter(send, sleep):
    return looped(send, lambda seconds: sleep(1))


def only_503(send, sleep):
    for attempt in range(1, 5):
        response = send()
        if response.status_code != 503 or attempt == 4:
            return response
        sleep(random.uniform(0, 2 ** (attempt - 1)))


def gives_nothing_back(send, sleep):
    for attempt in range(1, 5):
        response = send()
        if response.status_code not in PASSES:
            return response
        if attempt < 4:
            sleep(random.uniform(0, 2 ** (attempt - 1)))


def all_of_5xx(send, sleep):
    for attempt in range(1, 5):
        response = send()
        if not (response.status_code == 429 or response.is_server_error) or attempt == 4:
            return response
        sleep(random.uniform(0, 2 ** (attempt - 1)))


def sleeps_itself(send, sleep):
    return looped(send, lambda seconds: time.sleep(0))


def half_jitter(send, sleep):
    waited = []

    def wait(seconds):
        longest = 2 ** len(waited)
        waited.append(seconds)
        sleep(longest / 2 + seconds / 2)

    return looped(send, wait)


def whole_seconds(send, sleep):
    for attempt in range(4):
        response = send()
        if response.status_code not in (429, 500, 502, 503, 504, 520) or attempt == 3:
            return response
        sleep(random.randint(0, 2**attempt))


def equal(attempt, last, chance):
    half = min(60, 2.0 ** (attempt - 1)) / 2
    return half + chance.uniform(0, half)


def equal_too(attempt, last, chance):
    whole = min(60, 2.0 ** (attempt - 1))
    return chance.uniform(whole / 2, whole)


def full(attempt, last, chance):
    return chance.uniform(0, min(60, 2.0 ** (attempt - 1)))


def uncapped(attempt, last, chance):
    return chance.uniform(0.5, 1) * 2.0 ** (attempt - 1)


def fixed_half(attempt, last, chance):
    return min(60, 2.0 ** (attempt - 1)) / 2


def on_top(attempt, last, chance):
    return min(60, 2.0 ** (attempt - 1)) + chance.uniform(0, 1)


def chance_of_its_own(attempt, last, chance):
    return equal(attempt, last, random)


class Breaker(httpx.BaseTransport):
    def __init__(self, inside, limit=3):
        self.inside, self.limit, self.failures = inside, limit, 0

    def handle_request(self, request):
        if self.failures >= self.limit:
            raise httpx.ConnectError("the circuit is open", request=request)
        response = self.inside.handle_request(request)
        self.failures = self.failures + 1 if self.counts(response) else 0
        return response

    def counts(self, response):
        return response.status_code >= 500


class Named(Breaker):
    """A right one whose transport has another name."""

    def __init__(self, transport):
        super().__init__(transport)


class NeverOpens(Breaker):
    def __init__(self, inside):
        super().__init__(inside, 10**6)


class OpensEarly(Breaker):
    def __init__(self, inside):
        super().__init__(inside, 2)


class CountsAll(Breaker):
    def counts(self, response):
        return response.is_error


class OpensLate(httpx.BaseTransport):
    def __init__(self, inside):
        self.inside, self.failures = inside, 0

    def handle_request(self, request):
        if self.failures > 3:
            raise httpx.ConnectError("open")
        response = self.inside.handle_request(request)
        self.failures = self.failures + 1 if response.status_code >= 500 else 0
        return response


class HasNoCount(OpensLate):
    def __init__(self, inside):
        self.inside = inside


class NeverForgets(Breaker):
    def handle_request(self, request):
        before = self.failures
        response = super().handle_request(request)
        self.failures = max(before, self.failures)
        return response


class RaisesAnother(Breaker):
    def handle_request(self, request):
        if self.failures >= self.limit:
            raise RuntimeError("the circuit is open")
        return super().handle_request(request)


class AsksAnyway(Breaker):
    def handle_request(self, request):
        response = self.inside.handle_request(request)
        if self.failures >= self.limit:
            raise httpx.ConnectError("the circuit is open")
        self.failures = self.failures + 1 if self.counts(response) else 0
        return response


class ReturnsNothing(Breaker):
    def handle_request(self, request):
        super().handle_request(request)


class SharesItsCount(httpx.BaseTransport):
    failures = 0

    def __init__(self, inside):
        self.inside = inside

    def handle_request(self, request):
        if SharesItsCount.failures >= 3:
            raise httpx.ConnectError("the circuit is open")
        response = self.inside.handle_request(request)
        SharesItsCount.failures = SharesItsCount.failures + 1 if response.is_server_error else 0
        return response


def patient(**settings):
    return helpers.Retry(httpx.HTTPTransport(), **settings)


def rules(*waits, connection=True, strategy="backoff"):
    return RetryConfig(strategy, BackoffStrategy(*waits), connection)


def inside(transport, clock):
    limited = helpers.RateLimit(transport, requests_per_minute=60, clock=clock)
    return helpers.Retry(limited, clock=clock)


def with_settings(transport, clock):
    limited = helpers.RateLimit(transport, requests_per_minute=60, clock=clock)
    return helpers.Retry(limited, clock=clock, attempts=3, total=600)


def outside(transport, clock):
    retry = helpers.Retry(transport, clock=clock)
    return helpers.RateLimit(retry, requests_per_minute=60, clock=clock)


def no_limit(transport, clock):
    return helpers.Retry(helpers.RateLimit(transport, clock=clock), clock=clock)


def no_retry(transport, clock):
    return helpers.RateLimit(transport, requests_per_minute=60, clock=clock)


def only_retry(transport, clock):
    return helpers.Retry(transport, clock=clock)


def without_the_clock(transport, clock):
    limited = helpers.RateLimit(transport, requests_per_minute=60, clock=clock)
    return helpers.Retry(limited)


def another_transport(transport, clock):
    return inside(httpx.MockTransport(lambda request: httpx.Response(200)), clock)


def too_slow(transport, clock):
    limited = helpers.RateLimit(transport, requests_per_minute=30, clock=clock)
    return helpers.Retry(limited, clock=clock)


LEAKS = {"headers", "messages", "answer", "user"}

ANSWERS = {
    "waves": Answers(
        right=[
            ([300, 280, 260, 240],),
            (tuple(range(300, 220, -20)),),
            (range(300, 220, -20),),
            (np.arange(300.0, 220, -20),),
            (pd.Series([300, 280, 260, 240]),),
        ],
        wrong=[
            (([20, 20, 20, 20],), "admitted"),
            (([300, 20, 20, 20],), "Not 20 in second 1"),
            (([300, 290, 280, 270],), "Not 290 in second 1: of the 300 before, 20 have an answer"),
            ((300,), "A list of 4 numbers"),
        ],
    ),
    "loop": Answers(
        right=[(looped,), (nested,)],
        wrong=[
            ((as_in_the_question,), "answers [422, 200], it asked 2 times, not once"),
            (
                (waits_at_the_end,),
                "calls `sleep` 4 times for 4 attempts, not 3 times: only between attempts",
            ),
            ((without_jitter,), "always 1 seconds: all clients come back together"),
            ((gives_nothing_back,), "did not return the last response"),
            ((all_of_5xx,), "again after a 501"),
            ((sleeps_itself,), "calls `sleep` 0 times for 4 attempts"),
            ((only_503,), "When the status 429 stays, it asked once, not 4 times"),
            ((whole_seconds,), "Wait 1 has only 2 values"),
            ((half_jitter,), "full jitter begins at 0"),
            ((lambda send, sleep: send() and None,), "did not return the last response"),
            ((time.sleep,), "TypeError"),
        ],
    ),
    "patience": Answers(
        right=[(patient(total=20), 30), (patient(total=20.0, attempts=10, cap=5), 30 + 1e-9)],
        wrong=[
            ((patient(), 30), "With a total of 300 seconds"),
            ((patient(cap=20), 30), "With a total of 300 seconds"),
            ((patient(total=10), 30), "gives up before"),
            ((patient(total=20), 20), "when the last attempt begins"),
            ((patient(total=20), 60), "Not 60: the last attempt begins after 20 seconds"),
            ((20, 30), "a `helpers.Retry`"),
            ((helpers.Retry, 30), "This is the class Retry."),
        ],
    ),
    "layers": Answers(
        right=[(inside,), (with_settings,)],
        wrong=[
            ((outside,), "the retries pass the limit uncounted"),
            ((no_limit,), "not 60 at most: a stream reports no limits"),
            ((without_the_clock,), "Both layers take the clock"),
            ((another_transport,), "No request reached the transport"),
            ((no_retry,), "end with a 503, which nothing repeats"),
            ((only_retry,), "no layer limits them"),
            ((too_slow,), "the limit is too low"),
        ],
    ),
    "shares": Answers(
        right=[(8, 2), (8 + 1e-9, np.float64(2)), (np.int64(8), Fraction(2))],
        wrong=[
            ((9, 3), "the number of windows"),
            ((2, 2), "can't be used by this one"),
            ((8, 3), "`one_window`: that is the number of windows"),
            ((8, 8), "`one_window`: not 8 minutes. 180 requests go out, 60 in each window"),
            ((8.5, 2.5), "`fixed_share`: not 8.5 minutes. 90 requests"),
            (("8", 2), "a number of minutes"),
        ],
    ),
    "leaks": Answers(
        right=[
            (LEAKS,),
            (sorted(LEAKS),),
            f"check.leaks(iter({sorted(LEAKS)!r}))",
            (np.array(sorted(LEAKS)),),
            (dict.fromkeys(LEAKS).keys(),),
        ],
        wrong=[
            ((LEAKS - {"headers"},), "'headers' has to go: it holds the key"),
            ((LEAKS - {"answer"},), "'answer' has to go"),
            ((LEAKS | {"correlation_id"},), "'correlation_id' holds neither"),
            ((LEAKS | {"password"},), "no field 'password'"),
            ((LEAKS - {"headers"} | {"authorization"},), "is inside a field"),
            (("headers",), "A list of names"),
        ],
    ),
    "equal": Answers(
        right=[(equal,), (equal_too,)],
        wrong=[
            ((full,), "less than half of"),
            ((uncapped,), "more than 60"),
            ((fixed_half,), "no jitter"),
            ((on_top,), "more than 1"),
            ((chance_of_its_own,), "Draw from `chance`"),
        ],
    ),
    "breaker": Answers(
        right=[(Breaker,), (Named,)],
        wrong=[
            ((NeverOpens,), "the server sees 6, not 3"),
            ((OpensEarly,), "the server sees 2, not 3"),
            ((CountsAll,), "If the answers are [503, 503, 422, 503, 503, 200]"),
            ((NeverForgets,), "If the answers are [503, 503, 200, 503, 503, 200]"),
            ((RaisesAnother,), "no httpx.ConnectError, but RuntimeError: the circuit is open"),
            ((OpensLate,), "the server sees 4, not 3"),
            ((HasNoCount,), "but AttributeError: 'HasNoCount' object has no attribute 'failures'"),
            ((AsksAnyway,), "asks the transport inside even when it is open"),
            ((ReturnsNothing,), "returns the response of the transport inside"),
            ((SharesItsCount,), "in `self`, not in the class"),
            ((Breaker(httpx.MockTransport(len)),), "the class itself"),
        ],
    ),
}
