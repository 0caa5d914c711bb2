"""RateLimit: nobody who stays under the limits hears a no; and the real thing, over loopback HTTP."""

import asyncio
import json
import math
import random
import threading

import anyio
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import helpers
from helpers.offline.server import LocalServer
from helpers.transports.rate_limit import FIRST_GUESS, RateLimit

URL = "https://api.mistral.ai/v1/chat/completions"


class Api:
    """A strict server in pretended time: limits over any 60 seconds, and headers that say so."""

    def __init__(self, clock, requests=None, tokens=None, cost=20, headers=True):
        self.clock, self.requests, self.tokens = clock, requests, tokens
        self.cost, self.headers = cost, headers
        self.seen, self.refused = [], 0

    def __call__(self, request):
        now = self.clock.now()
        recent = [cost for time, cost in self.seen if time > now - 60]
        full = self.requests and len(recent) + 1 > self.requests
        full = full or (self.tokens and sum(recent) + self.cost > self.tokens)
        if full:
            self.refused += 1
        else:
            self.seen.append((now, self.cost))
            recent.append(self.cost)
        said = {}
        if self.headers:
            said["x-ratelimit-tokens-query-cost"] = str(self.cost)
            if self.requests:
                said["x-ratelimit-limit-req-minute"] = str(self.requests)
                said["x-ratelimit-remaining-req-minute"] = str(self.requests - len(recent))
            if self.tokens:
                said["x-ratelimit-limit-tokens-minute"] = str(self.tokens)
                said["x-ratelimit-remaining-tokens-minute"] = str(max(0, self.tokens - sum(recent)))
        return httpx.Response(429 if full else 200, headers=said, json={})


class Slow(httpx.AsyncBaseTransport):
    """The same server, which takes a moment to answer."""

    def __init__(self, api):
        self.api = api

    async def handle_async_request(self, request):
        await asyncio.sleep(0.01)
        return self.api(request)


def ask(client, model="m", **body):
    messages = [{"role": "user", "content": "Hello"}]
    return client.post(URL, json={"model": model, "messages": messages, **body})


@settings(deadline=None, max_examples=50)
@given(
    requests=st.none() | st.integers(1, 12),
    tokens=st.none() | st.integers(20, 400),
    gaps=st.lists(st.floats(0, 30), min_size=1, max_size=40),
)
def test_it_learns_the_limits_and_hears_no_no(requests, tokens, gaps):
    clock = helpers.transports.FakeClock()
    api = Api(clock, requests, tokens)
    limiter = RateLimit(httpx.MockTransport(api), clock=clock)
    with httpx.Client(transport=limiter) as client:
        for gap in gaps:
            clock.time += gap
            assert ask(client).status_code == 200
    assert api.refused == 0
    assert len(api.seen) == len(gaps)
    assert limiter.limits == {"m": (requests, tokens)}


def test_it_waits_no_longer_than_it_must():
    clock = helpers.transports.FakeClock()
    limiter = RateLimit(httpx.MockTransport(Api(clock, requests=3)), clock=clock)
    with httpx.Client(transport=limiter) as client:
        held = [ask(client).extensions["held_back"] for _ in range(7)]
    assert held == [0, 0, 0, 60, 0, 0, 60]


def test_without_it_the_same_server_says_no():
    api = Api(helpers.transports.FakeClock(), requests=3)
    with httpx.Client(transport=httpx.MockTransport(api)) as client:
        assert [ask(client).status_code for _ in range(5)] == [200, 200, 200, 429, 429]


def test_the_queue_does_not_count_towards_the_total_of_a_retry():
    clock = helpers.transports.FakeClock()
    faults = helpers.Faults(httpx.MockTransport(Api(clock)), [None, None, 503])
    limiter = RateLimit(faults, requests_per_minute=1, clock=clock)
    retry = helpers.Retry(limiter, total=100, clock=clock)
    with httpx.Client(transport=retry) as client:
        assert [ask(client).status_code for _ in range(3)] == [200] * 3
    # The third waits 60 s in the queue, fails, and waits 60 s more for its second attempt.
    assert faults.played == ["through", "through", "overloaded", "through"]


def test_own_limits_hold_where_the_server_says_nothing():
    clock = helpers.transports.FakeClock()
    api = Api(clock, requests=None, headers=False)
    limiter = RateLimit(httpx.MockTransport(api), requests_per_minute=2, clock=clock)
    with httpx.Client(transport=limiter) as client:
        for _ in range(5):
            ask(client)
    assert [time for time, _ in api.seen] == pytest.approx([0, 0, 60, 60, 120], abs=0.01)


def test_the_lower_of_both_limits_holds():
    clock = helpers.transports.FakeClock()
    for own, theirs, held in ((2, 5, 2), (5, 2, 2)):
        limiter = RateLimit(
            httpx.MockTransport(Api(clock, requests=theirs)), requests_per_minute=own, clock=clock
        )
        with httpx.Client(transport=limiter) as client:
            ask(client)
        assert limiter.limits["m"][0] == held


def test_what_others_use_on_the_account_counts():
    clock = helpers.transports.FakeClock()
    api = Api(clock, requests=10)
    api.seen = [(0.0, 20)] * 8
    limiter = RateLimit(httpx.MockTransport(api), clock=clock)
    with httpx.Client(transport=limiter) as client:
        held = [ask(client).extensions["held_back"] for _ in range(3)]
    assert held == [0, 0, 60]
    assert api.refused == 0


def test_what_others_use_is_not_hidden_by_what_is_over():
    """At 0 s 8 requests; at 50 s one that takes 20 s; meanwhile others sent 6: 3 of 10 are left."""
    clock = helpers.transports.FakeClock()
    lefts, took = iter([9, 8, 7, 6, 5, 4, 3, 2, 3]), iter([0] * 8 + [20])

    def answer(request):
        clock.time += next(took)
        headers = {
            "x-ratelimit-limit-req-minute": "10",
            "x-ratelimit-remaining-req-minute": str(next(lefts)),
        }
        return httpx.Response(200, headers=headers, json={})

    limiter = RateLimit(httpx.MockTransport(answer), clock=clock)
    with httpx.Client(transport=limiter) as client:
        for _ in range(8):
            ask(client)
        clock.time = 50
        ask(client)
    assert limiter._models["m"].requests.used == 7


def test_each_model_has_its_own_budget():
    clock = helpers.transports.FakeClock()
    limiter = RateLimit(httpx.MockTransport(Api(clock)), requests_per_minute=1, clock=clock)
    with httpx.Client(transport=limiter) as client:
        held = [ask(client, model).extensions["held_back"] for model in ("a", "b", "a")]
    assert held == [0, 0, 60]


def test_no_allowance_is_not_waited_for():
    clock = helpers.transports.FakeClock()
    no = httpx.Response(429, headers={"x-ratelimit-limit-req-minute": "0"})
    limiter = RateLimit(httpx.MockTransport(lambda request: no), clock=clock)
    with httpx.Client(transport=limiter) as client:
        assert [ask(client).status_code for _ in range(3)] == [429] * 3
    assert not clock.waits


def test_a_request_larger_than_the_limit_goes_when_all_else_is_over():
    clock = helpers.transports.FakeClock()
    limiter = RateLimit(httpx.MockTransport(Api(clock)), tokens_per_minute=100, clock=clock)
    with httpx.Client(transport=limiter) as client:
        held = [ask(client, max_tokens=500).extensions["held_back"] for _ in range(2)]
    assert held == [0, 60]


def test_estimates_are_corrected_by_what_it_cost():
    clock = helpers.transports.FakeClock()
    api = Api(clock, tokens=1000, cost=100)
    limiter = RateLimit(httpx.MockTransport(api), clock=clock)
    with httpx.Client(transport=limiter) as client:
        held = [ask(client).extensions["held_back"] for _ in range(10)]
    assert held == [0] * 10, f"{FIRST_GUESS} tokens each would have been too many"


@pytest.mark.parametrize(
    "left_at", [b"[DONE]", None], ids=["left at its last event", "read to its end"]
)
@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_a_streams_usage_corrects_its_estimate(asynchronous, left_at):
    usage = {"prompt_tokens": 9, "total_tokens": 50, "prompt_tokens_details": {"cached_tokens": 10}}
    events = f"data: {json.dumps({'choices': [], 'usage': usage})}\n\ndata: [DONE]\n\n".encode()

    class Pieces(httpx.SyncByteStream, httpx.AsyncByteStream):
        def __iter__(self):
            yield from (events[:70], events[70:-1], events[-1:])

        async def __aiter__(self):
            for piece in self:
                yield piece

    def answer(request):
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=Pieces())

    limiter = RateLimit(
        httpx.MockTransport(answer), tokens_per_minute=1000, clock=helpers.transports.FakeClock()
    )
    body = {"model": "m", "messages": []}

    async def read():
        async with (
            httpx.AsyncClient(transport=limiter) as client,
            client.stream("POST", URL, json=body) as response,
        ):
            async for piece in response.aiter_bytes():
                if left_at and left_at in piece:
                    break

    if asynchronous:
        asyncio.run(read())
    else:
        with (
            httpx.Client(transport=limiter) as client,
            client.stream("POST", URL, json=body) as response,
        ):
            for piece in response.iter_bytes():
                if left_at and left_at in piece:
                    break
    assert limiter._models["m"].tokens.used == 40


def test_a_long_question_counts_before_it_is_sent():
    clock = helpers.transports.FakeClock()
    limiter = RateLimit(httpx.MockTransport(Api(clock)), tokens_per_minute=1000, clock=clock)
    with httpx.Client(transport=limiter) as client:
        held = [
            ask(client, max_tokens=1, metadata="x" * 4000).extensions["held_back"] for _ in range(2)
        ]
    assert held == [0, 60]


def test_an_error_costs_no_tokens():
    clock = helpers.transports.FakeClock()
    inside = helpers.Faults(httpx.MockTransport(Api(clock)), ["overloaded"])
    limiter = RateLimit(inside, tokens_per_minute=1000, clock=clock)
    with httpx.Client(transport=limiter) as client:
        held = [ask(client, max_tokens=900).extensions["held_back"] for _ in range(2)]
    assert held == [0, 0]


def test_a_first_request_that_fails_lets_the_next_one_find_out():
    clock = helpers.transports.FakeClock()
    inside = helpers.Faults(httpx.MockTransport(Api(clock, requests=2)), ["no_connection"])
    limiter = RateLimit(inside, clock=clock)
    with httpx.Client(transport=limiter) as client:
        with pytest.raises(httpx.ConnectError):
            ask(client)
        assert ask(client).is_success
    assert limiter.limits == {"m": (2, None)}


def test_a_first_answer_that_tells_nothing_lets_the_next_one_find_out():
    """A 503 has no headers about limits: the crowd behind it must not take it for an all-clear."""
    clock = helpers.transports.Clock(speed=240)

    async def ask_all_through(limiter):
        async with httpx.AsyncClient(transport=limiter) as client:
            body = {"model": "m", "messages": []}
            answers = await asyncio.gather(*(client.post(URL, json=body) for _ in range(24)))
        return sorted(answer.status_code for answer in answers)

    api = Api(clock, requests=10)
    inside = helpers.Faults(Slow(api), ["overloaded", "overloaded"])
    assert asyncio.run(ask_all_through(RateLimit(inside, clock=clock))) == [200] * 22 + [503] * 2
    assert api.refused == 0


def test_nobody_waits_a_minute_for_tokens_that_were_not_used():
    clock = helpers.transports.Clock(speed=60)
    limiter = RateLimit(Slow(Api(clock, tokens=10_000, cost=20)), clock=clock)

    async def ask_all_at_once():
        async with httpx.AsyncClient(transport=limiter) as client:
            body = {"model": "m", "messages": [], "max_tokens": 4000}
            answers = await asyncio.gather(*(client.post(URL, json=body) for _ in range(12)))
        return [answer.extensions["held_back"] for answer in answers]

    assert max(asyncio.run(ask_all_at_once())) < 60


@pytest.mark.parametrize("header", ["many", "-3", "1.5", "", "9" * 30])
def test_headers_that_are_no_numbers_are_left_out(header):
    said = {"x-ratelimit-limit-req-minute": header, "x-ratelimit-tokens-query-cost": header}
    inside = httpx.MockTransport(lambda request: httpx.Response(200, headers=said))
    limiter = RateLimit(inside, clock=helpers.transports.FakeClock())
    with httpx.Client(transport=limiter) as client:
        ask(client)
        client.post(URL, content=b"no JSON")
        client.get(URL)
    assert limiter.limits["m"] == (None, None)


@pytest.mark.parametrize("limit", [0, -1, math.nan])
def test_limits_that_hold_back_everything_are_refused(limit):
    with pytest.raises(ValueError):
        RateLimit(httpx.HTTPTransport(), requests_per_minute=limit)


# Over real HTTP on 127.0.0.1, where a minute takes two seconds


def post(client, number):
    message = {"role": "user", "content": f"Question {number}"}
    return client.post("/chat/completions", json={"model": "m", "messages": [message]})


async def ask_all(transport, server, count):
    async with httpx.AsyncClient(transport=transport, base_url=server.url, timeout=60) as client:
        responses = await asyncio.gather(*(post(client, number) for number in range(count)))
    return [response.status_code for response in responses]


def test_64_calls_at_once_get_their_answers_and_no_429():
    clock = helpers.transports.Clock(speed=30)
    with LocalServer(40, clock) as server:
        limiter = RateLimit(httpx.AsyncHTTPTransport(), clock=clock)
        codes = asyncio.run(ask_all(helpers.Retry(limiter, clock=clock), server, 64))
    assert codes == [200] * 64, "none is lost"
    assert (server.answered, server.refused) == (64, 0)
    assert limiter.limits == {"m": (40, None)}


def test_64_calls_with_retry_alone_get_their_answers_after_many_429s():
    clock = helpers.transports.Clock(speed=30)
    with LocalServer(40, clock) as server:
        retry = helpers.Retry(
            httpx.AsyncHTTPTransport(),
            attempts=30,
            total=900,
            clock=clock,
            random=random.Random(1).random,
        )
        codes = asyncio.run(ask_all(retry, server, 64))
    assert codes == [200] * 64
    assert server.refused >= 24, "each that came too early heard it at least once"


def test_64_calls_alone_are_refused_beyond_the_limit():
    with LocalServer(40) as server:
        codes = asyncio.run(ask_all(httpx.AsyncHTTPTransport(), server, 64))
    assert codes.count(200) == 40
    assert server.refused == 24


def test_threads_share_the_budget():
    clock = helpers.transports.Clock(speed=30)
    codes = []
    with LocalServer(15, clock) as server:
        transport = RateLimit(httpx.HTTPTransport(), clock=clock)
        with httpx.Client(transport=transport, base_url=server.url) as client:
            threads = [
                threading.Thread(target=lambda n=n: codes.append(post(client, n).status_code))
                for n in range(32)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(30)
    assert codes == [200] * 32
    assert server.refused == 0


def test_two_clients_share_one_limiter():
    clock = helpers.transports.Clock(speed=60)

    async def both(server):
        limiter = RateLimit(httpx.AsyncHTTPTransport(), clock=clock)
        first = httpx.AsyncClient(transport=limiter, base_url=server.url)
        second = httpx.AsyncClient(transport=limiter, base_url=server.url)
        calls = [post(client, n) for n in range(8) for client in (first, second)]
        answers = await asyncio.gather(*calls)
        await first.aclose()
        return [answer.status_code for answer in answers]

    with LocalServer(10, clock) as server:
        assert asyncio.run(both(server)) == [200] * 16
        assert server.refused == 0


def test_a_task_that_is_cancelled_while_waiting_uses_nothing_up():
    clock = helpers.transports.Clock()
    with LocalServer(100, clock) as server:

        async def ask_and_leave():
            limiter = RateLimit(httpx.AsyncHTTPTransport(), requests_per_minute=1, clock=clock)
            async with httpx.AsyncClient(transport=limiter, base_url=server.url) as client:
                await post(client, 1)
                with anyio.move_on_after(0.05) as scope:
                    await post(client, 2)
                assert scope.cancelled_caught
                return limiter._models["m"].requests.used

        assert asyncio.run(ask_and_leave()) == 1
        assert server.answered == 1
