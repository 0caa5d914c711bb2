"""Right and wrong answers to lesson 07's exercises."""

import random
import time

import httpx
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


def half_jitter(send, sleep):
    waited = []

    def wait(seconds):
        longest = 2 ** len(waited)
        waited.append(seconds)
        sleep(longest / 2 + seconds / 2)

    return looped(send, wait)


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


class NeverForgets(Breaker):
    def handle_request(self, request):
        before = self.failures
        response = super().handle_request(request)
        self.failures = max(before, self.failures)
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


def too_slow(transport, clock):
    limited = helpers.RateLimit(transport, requests_per_minute=30, clock=clock)
    return helpers.Retry(limited, clock=clock)


LEAKS = {"headers", "messages", "answer", "user"}

ANSWERS = {
    "waves": Answers(
        right=[([300, 280, 260, 240],), (tuple(range(300, 220, -20)),)],
        wrong=[
            (([20, 20, 20, 20],), "admitted"),
            (([300, 20, 20, 20],), "In second 1, 20 requests"),
            (([300, 300, 300, 300],), "In second 1, 300 requests"),
            ((300,), "A list of 4 numbers"),
        ],
    ),
    "loop": Answers(
        right=[(looped,), (nested,)],
        wrong=[
            ((as_in_the_question,), "answers [422, 200], it asked 2 times, not 1"),
            ((waits_at_the_end,), "waits 4 times for 4 attempts"),
            ((without_jitter,), "always 1 seconds: all clients come back together"),
            ((only_503,), "When the status 429 stays, it asked 1 times, not 4"),
            ((half_jitter,), "full jitter begins at 0"),
            ((lambda send, sleep: send() and None,), "did not return the last response"),
            ((time.sleep,), "TypeError"),
        ],
    ),
    "patience": Answers(
        right=[(patient(total=20), 30), (patient(total=20.0, attempts=10, cap=5), 30.0)],
        wrong=[
            ((patient(), 30), "With a total of 300 seconds"),
            ((patient(cap=20), 30), "With a total of 300 seconds"),
            ((patient(total=10), 30), "gives up before"),
            ((patient(total=20), 20), "when the last attempt begins"),
            ((patient(total=20), 60), "not 60 seconds"),
            ((20, 30), "a `helpers.Retry`"),
        ],
    ),
    "layers": Answers(
        right=[(inside,), (with_settings,)],
        wrong=[
            ((outside,), "the retries pass the limit uncounted"),
            ((no_limit,), "requests were sent in one minute, and not 60"),
            ((no_retry,), "end with a 503, which nothing repeats"),
            ((too_slow,), "the limit is too low"),
        ],
    ),
    "shares": Answers(
        right=[(8, 2), (8.0, 2.0)],
        wrong=[
            ((9, 3), "the number of windows"),
            ((2, 2), "can't be used by this one"),
            ((8, 3), "`shared`: that is the number of windows"),
            ((8, 8), "`shared`: not 8 minutes"),
            (("8", 2), "a number of minutes"),
        ],
    ),
    "leaks": Answers(
        right=[(LEAKS,), (sorted(LEAKS),)],
        wrong=[
            ((LEAKS - {"headers"},), "'headers' has to go: it holds the key"),
            ((LEAKS - {"answer"},), "'answer' has to go"),
            ((LEAKS | {"correlation_id"},), "'correlation_id' holds neither"),
            ((LEAKS | {"password"},), "no field 'password'"),
            (("headers",), "A set of names"),
        ],
    ),
    "equal": Answers(
        right=[(equal,), (equal_too,)],
        wrong=[
            ((full,), "less than half of"),
            ((uncapped,), "more than 60"),
            ((fixed_half,), "no jitter"),
            ((on_top,), "more than 1"),
        ],
    ),
    "breaker": Answers(
        right=[(Breaker,), (Named,)],
        wrong=[
            ((NeverOpens,), "the server sees 6, not 3"),
            ((OpensEarly,), "the server sees 2, not 3"),
            ((CountsAll,), "If the answers are [503, 503, 422, 503, 503, 200]"),
            ((NeverForgets,), "If the answers are [503, 503, 200, 503, 503, 200]"),
            ((Breaker(httpx.MockTransport(len)),), "the class itself"),
        ],
    ),
}
