"""RateLimit: whoever stays under the limits is never refused; in pretended time, and over loopback HTTP."""

import asyncio
import collections
import heapq
import itertools
import json
import math
import random
import threading

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import helpers
from helpers.offline.server import Server
from helpers.transports import Clock, FakeClock, Faults, RateLimit, Retry
from helpers.transports.rate_limit import FIRST_GUESS, _Share, _Window

URL = "https://api.mistral.ai/v1/chat/completions"
HELLO = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}


class BoundedClock(FakeClock):
    """A pretended clock that ends a test in which a request waits for ever."""

    def sleep(self, seconds):
        super().sleep(seconds)
        assert self.time < 10_000, "a request is never sent"


class Api:
    """A strict server in pretended time: limits over any 60 seconds, and headers that report them."""

    def __init__(self, clock, requests=None, tokens=None, cost=20, headers=True):
        self.clock, self.requests, self.tokens = clock, requests, tokens
        self.cost, self.headers = cost, headers
        self.recent, self.used = collections.deque(), 0
        self.answered, self.refused = [], 0

    def __call__(self, request):
        now = self.clock.now()
        while self.recent and self.recent[0] <= now - 60:
            self.recent.popleft()
            self.used -= self.cost
        full = self.requests and len(self.recent) + 1 > self.requests
        full = full or (self.tokens and self.used + self.cost > self.tokens)
        if full:
            self.refused += 1
        else:
            self.count(now)
            self.answered.append(now)
        headers = {}
        if self.headers:
            headers["x-ratelimit-tokens-query-cost"] = str(self.cost)
            if self.requests:
                headers["x-ratelimit-limit-req-minute"] = str(self.requests)
                headers["x-ratelimit-remaining-req-minute"] = str(self.requests - len(self.recent))
            if self.tokens:
                headers["x-ratelimit-limit-tokens-minute"] = str(self.tokens)
                headers["x-ratelimit-remaining-tokens-minute"] = str(self.tokens - self.used)
        return httpx.Response(429 if full else 200, headers=headers, json={})

    def count(self, now):
        self.recent.append(now)
        self.used += self.cost


class Simulation:
    """Many requests at once in pretended time: their flows take turns, without threads or tasks.

    outcomes: the response, or the error, of each request, in the order in which they came.
    sent: the numbers of the requests, in the order in which they were sent.
    looks: how often a request looked in vain whether it may be sent.
    """

    def __init__(self, limiter, answer):
        self.limiter, self.answer = limiter, answer
        self.flows, self.outcomes = {}, {}
        self.sent, self.looks = [], 0
        self._events, self._order = [], itertools.count()

    def add(self, start, body=HELLO, latency=1.0, counted=0.5, leaves=math.inf):
        """A request from `start` on. The server counts it after the part `counted` of its latency."""
        number = len(self.flows)
        self.flows[number] = self.limiter.flow(httpx.Request("POST", URL, json=body))
        self._at(start, self._go_on, number, None, (latency * counted, latency * (1 - counted)))
        if leaves < math.inf:
            self._at(leaves, self._leave, number)

    def run(self):
        clock = self.limiter.clock
        while self._events:
            time, _, action, args = heapq.heappop(self._events)
            assert time < 10_000, "a request is never sent"
            clock.time = max(clock.time, time)
            action(*args)
        return self

    def _at(self, time, action, *args):
        heapq.heappush(self._events, (time, next(self._order), action, args))

    def _go_on(self, number, result, delays):
        if number in self.outcomes:
            return
        flow, now = self.flows[number], self.limiter.clock.now()
        try:
            step = flow.throw(result) if isinstance(result, Exception) else flow.send(result)
        except StopIteration as end:
            self.outcomes[number] = end.value
        except httpx.TransportError as error:
            self.outcomes[number] = error
        else:
            if isinstance(step, httpx.Request):
                self.sent.append(number)
                self._at(now + delays[0], self._serve, number, step, delays)
            else:
                self.looks += 1
                self._at(now + step, self._go_on, number, None, delays)

    def _serve(self, number, request, delays):
        if number in self.outcomes:
            return
        try:
            result = self.answer(request)
        except httpx.TransportError as error:
            result = error
        self._at(self.limiter.clock.now() + delays[1], self._go_on, number, result, delays)

    def _leave(self, number):
        if number not in self.outcomes:
            self.flows[number].close()
            self.outcomes[number] = "left"


def ask(client, model="m", **body):
    return client.post(URL, json={**HELLO, "model": model, **body})


def held_back(limiter, *bodies):
    """The seconds for which each of these requests was held back, one after the other."""
    with httpx.Client(transport=limiter) as client:
        return [ask(client, **body).extensions["held_back"] for body in bodies]


# Staying under the limits


@settings(deadline=None, max_examples=50)
@given(
    requests=st.none() | st.integers(1, 12),
    tokens=st.none() | st.integers(20, 400),
    gaps=st.lists(st.floats(0, 30), min_size=1, max_size=40),
)
def test_rate_limit_never_exceeds_learned_limits(requests, tokens, gaps):
    clock = BoundedClock()
    api = Api(clock, requests, tokens)
    limiter = RateLimit(httpx.MockTransport(api), clock=clock)
    with httpx.Client(transport=limiter) as client:
        for gap in gaps:
            clock.time += gap
            assert ask(client).status_code == 200
    assert api.refused == 0
    assert len(api.answered) == len(gaps)
    assert limiter.limits == {"m": (requests, tokens)}


@pytest.mark.slow
@settings(deadline=None, max_examples=100)
@given(
    requests=st.none() | st.integers(1, 12),
    tokens=st.none() | st.integers(50, 400),
    cost=st.integers(20, 50),
    calls=st.lists(
        st.fixed_dictionaries(
            {
                "start": st.floats(0, 90),
                "latency": st.floats(0, 70),
                "counted": st.floats(0, 1),
                "leaves": st.just(math.inf) | st.floats(0, 200),
            }
        ),
        min_size=1,
        max_size=30,
    ),
)
def test_rate_limit_never_exceeds_limits_with_requests_at_once(requests, tokens, cost, calls):
    """Some are cancelled, in the queue or under way. All others get their answer."""
    clock = BoundedClock()
    api = Api(clock, requests, tokens, cost)
    limiter = RateLimit(httpx.MockTransport(api), clock=clock)
    # The first answer teaches the limits. If it is cancelled instead, nobody can know them.
    held_back(limiter, {})
    simulation = Simulation(limiter, api)
    for call in calls:
        simulation.add(**call)
    outcomes = simulation.run().outcomes.values()
    assert len(outcomes) == len(calls)
    assert api.refused == 0
    # Nothing is held for those that left: two minutes later, a request goes at once.
    clock.time += 120
    assert held_back(limiter, {}) == [0]


def test_rate_limit_waits_no_longer_than_it_must():
    clock = BoundedClock()
    limiter = RateLimit(httpx.MockTransport(Api(clock, requests=3)), clock=clock)
    assert held_back(limiter, *[{}] * 7) == [0, 0, 0, 60, 0, 0, 60]


def test_strict_server_refuses_without_rate_limit():
    api = Api(BoundedClock(), requests=3)
    with httpx.Client(transport=httpx.MockTransport(api)) as client:
        assert [ask(client).status_code for _ in range(5)] == [200, 200, 200, 429, 429]


def test_own_limits_hold_where_the_server_reports_none():
    clock = BoundedClock()
    api = Api(clock, headers=False)
    limiter = RateLimit(httpx.MockTransport(api), requests_per_minute=2, clock=clock)
    held_back(limiter, *[{}] * 5)
    assert api.answered == pytest.approx([0, 0, 60, 60, 120], abs=0.01)


def test_lower_of_own_and_learned_limit_holds():
    clock = BoundedClock()
    for own, learned in ((2, 5), (5, 2)):
        inside = httpx.MockTransport(Api(clock, requests=learned))
        limiter = RateLimit(inside, requests_per_minute=own, clock=clock)
        held_back(limiter, {})
        assert limiter.limits["m"][0] == 2


def test_requests_of_others_on_the_account_count():
    clock = BoundedClock()
    api = Api(clock, requests=10)
    for _ in range(8):
        api.count(0.0)
    limiter = RateLimit(httpx.MockTransport(api), clock=clock)
    assert held_back(limiter, {}, {}, {}) == [0, 0, 60]
    assert api.refused == 0


def test_requests_of_others_count_when_own_ones_are_over():
    """At 0 s, 8 requests; at 50 s, one that takes 20 s while others send 6. So 3 of 10 are left."""
    clock = BoundedClock()
    left, took = iter([9, 8, 7, 6, 5, 4, 3, 2, 3]), iter([0] * 8 + [20])

    def answer(request):
        clock.time += next(took, 0)
        headers = {"x-ratelimit-limit-req-minute": "10"}
        if (remaining := next(left, None)) is not None:
            headers["x-ratelimit-remaining-req-minute"] = str(remaining)
        return httpx.Response(200, headers=headers, json={})

    limiter = RateLimit(httpx.MockTransport(answer), clock=clock)
    held_back(limiter, *[{}] * 8)
    clock.time = 50
    assert held_back(limiter, *[{}] * 5) == [0, 0, 0, 0, 60]


def test_each_model_has_limits_of_its_own():
    clock = BoundedClock()
    limiter = RateLimit(httpx.MockTransport(Api(clock)), requests_per_minute=1, clock=clock)
    assert held_back(limiter, {"model": "a"}, {"model": "b"}, {"model": "a"}) == [0, 0, 60]


def test_rate_limit_does_not_wait_for_an_allowance_of_zero():
    clock = BoundedClock()
    refusal = httpx.Response(429, headers={"x-ratelimit-limit-req-minute": "0"})
    limiter = RateLimit(httpx.MockTransport(lambda request: refusal), clock=clock)
    assert held_back(limiter, {}, {}, {}) == [0, 0, 0]
    assert not clock.waits


# Tokens


def test_request_larger_than_the_limit_waits_for_an_empty_window():
    clock = BoundedClock()
    limiter = RateLimit(httpx.MockTransport(Api(clock)), tokens_per_minute=100, clock=clock)
    held = held_back(limiter, {"max_tokens": 500}, {"max_tokens": 500})
    assert held == [0, 60]


def test_request_larger_than_the_limit_is_not_passed_over():
    """Smaller ones that come later would fit all the time, but wait behind it."""
    clock = BoundedClock()
    api = Api(clock, cost=30)
    limiter = RateLimit(
        httpx.MockTransport(api), requests_per_minute=1e6, tokens_per_minute=100, clock=clock
    )
    simulation = Simulation(limiter, api)
    for number in range(8):
        simulation.add(number * 10.0, {**HELLO, "max_tokens": 500 if number == 2 else 10})
    assert simulation.run().sent[:3] == [0, 1, 2]


def test_cost_in_the_headers_corrects_the_estimate():
    clock = BoundedClock()
    api = Api(clock, tokens=1000, cost=100)
    limiter = RateLimit(httpx.MockTransport(api), clock=clock)
    held = held_back(limiter, *[{}] * 10)
    assert held == [0] * 10, f"{FIRST_GUESS} tokens each would have been too many"


@pytest.mark.parametrize(
    "left_at", [b"[DONE]", None], ids=["left at its last event", "read to its end"]
)
@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_usage_of_a_stream_corrects_its_estimate(asynchronous, left_at):
    """50 tokens, of which 10 were cached, so 40 count."""
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

    async def read():
        async with (
            httpx.AsyncClient(transport=limiter) as client,
            client.stream("POST", URL, json=HELLO) as response,
        ):
            async for piece in response.aiter_bytes():
                if left_at and left_at in piece:
                    break

    limiter = RateLimit(httpx.MockTransport(answer), tokens_per_minute=1000, clock=BoundedClock())
    if asynchronous:
        asyncio.run(read())
    else:
        with (
            httpx.Client(transport=limiter) as client,
            client.stream("POST", URL, json=HELLO) as response,
        ):
            for piece in response.iter_bytes():
                if left_at and left_at in piece:
                    break
    assert limiter._models["m"].tokens.used == 40


def test_long_question_counts_before_it_is_sent():
    clock = BoundedClock()
    limiter = RateLimit(httpx.MockTransport(Api(clock)), tokens_per_minute=1000, clock=clock)
    body = {"max_tokens": 1, "metadata": "x" * 4000}
    assert held_back(limiter, body, body) == [0, 60]


def test_max_tokens_that_is_no_count_holds_nobody_back():
    """The API refuses these. NaN among the amounts would hold back every later request for ever."""
    clock = BoundedClock()
    limiter = RateLimit(
        httpx.MockTransport(lambda request: httpx.Response(422)), tokens_per_minute=1e6, clock=clock
    )
    with httpx.Client(transport=limiter) as client:
        for wrong in ("NaN", "Infinity", "-5", '"many"', "[]", "1.5"):
            body = f'{{"model": "m", "messages": [], "max_tokens": {wrong}}}'
            assert client.post(URL, content=body).extensions["held_back"] == 0
    assert held_back(limiter, {}) == [0]


def test_error_costs_no_tokens():
    clock = BoundedClock()
    inside = Faults(httpx.MockTransport(Api(clock)), ["overloaded"])
    limiter = RateLimit(inside, tokens_per_minute=1000, clock=clock)
    assert held_back(limiter, {"max_tokens": 900}, {"max_tokens": 900}) == [0, 0]


def test_request_does_not_wait_a_minute_for_tokens_that_were_not_used():
    clock = BoundedClock()
    api = Api(clock, tokens=10_000)
    simulation = Simulation(RateLimit(httpx.MockTransport(api), clock=clock), api)
    for _ in range(12):
        simulation.add(0.0, {**HELLO, "max_tokens": 4000}, latency=0.01)
    held = [answer.extensions["held_back"] for answer in simulation.run().outcomes.values()]
    assert max(held) < 12


# The first answer


def test_first_request_that_fails_lets_the_next_one_learn_the_limits():
    clock = BoundedClock()
    inside = Faults(httpx.MockTransport(Api(clock, requests=2)), ["no_connection"])
    limiter = RateLimit(inside, clock=clock)
    with httpx.Client(transport=limiter) as client:
        with pytest.raises(httpx.ConnectError):
            ask(client)
        assert ask(client).is_success
    assert limiter.limits == {"m": (2, None)}


def test_first_answer_without_limits_lets_the_next_one_learn_them():
    """A 503 reports no limits: the crowd behind it must not take it for an all-clear."""
    clock = BoundedClock()
    api = Api(clock, requests=10)
    errors = iter([httpx.Response(503), httpx.Response(503)])
    limiter = RateLimit(httpx.MockTransport(api), clock=clock)
    simulation = Simulation(limiter, lambda request: next(errors, None) or api(request))
    for _ in range(24):
        simulation.add(0.0)
    statuses = [answer.status_code for answer in simulation.run().outcomes.values()]
    assert sorted(statuses) == [200] * 22 + [503] * 2
    assert api.refused == 0


def test_request_that_leaves_the_queue_lets_nobody_go_before_the_first_answer():
    clock = BoundedClock()
    api = Api(clock, requests=1)
    simulation = Simulation(RateLimit(httpx.MockTransport(api), clock=clock), api)
    simulation.add(0.0, latency=20.0)
    simulation.add(1.0, leaves=5.0)
    simulation.add(2.0)
    simulation.run()
    assert (len(api.answered), api.refused) == (2, 0)


@pytest.mark.parametrize("header", ["many", "-3", "1.5", "", "9" * 30])
def test_header_that_is_no_whole_number_is_ignored(header):
    headers = {"x-ratelimit-limit-req-minute": header, "x-ratelimit-tokens-query-cost": header}
    inside = httpx.MockTransport(lambda request: httpx.Response(200, headers=headers))
    limiter = RateLimit(inside, clock=BoundedClock())
    with httpx.Client(transport=limiter) as client:
        ask(client)
        client.post(URL, content=b"no JSON")
        client.post(URL, content=b"[" * 100_000)
        client.get(URL)
    assert limiter.limits["m"] == (None, None)


@pytest.mark.parametrize("limit", [0, -1, math.nan])
def test_rate_limit_refuses_limits_that_are_not_positive(limit):
    with pytest.raises(ValueError):
        RateLimit(httpx.HTTPTransport(), requests_per_minute=limit)


# The queue


@pytest.mark.slow
def test_queue_of_4_000_requests_is_served_in_time_with_few_looks():
    """As fast as the limit allows, and far from every request looking whenever anything happens.

    Where all of them looked at each change, 1,200 requests already took 254,000 looks.
    """
    clock = BoundedClock()
    api = Api(clock, requests=600)
    simulation = Simulation(RateLimit(httpx.MockTransport(api), clock=clock), api)
    chance = random.Random(1)
    for _ in range(4_000):
        simulation.add(0.0, latency=chance.uniform(1, 3))
    simulation.run()
    assert (len(api.answered), api.refused) == (4_000, 0)
    assert clock.now() < (4_000 / 600) * 63 + 5
    assert simulation.looks < 20 * 4_000


def test_requests_of_others_do_not_shorten_the_queue():
    window = _Window(None, look=1.0)
    _Share(window, 4).queue()
    last = _Share(window, 1)
    last.queue()
    window.learn(0.0, limit=10, left=3)
    assert window.used == 7
    assert last.ahead() == 4


def test_cancelled_request_gives_its_place_in_the_queue_back():
    clock = BoundedClock()
    api = Api(clock, requests=1)
    simulation = Simulation(RateLimit(httpx.MockTransport(api), clock=clock), api)
    simulation.add(0.0)
    for number in range(50):
        simulation.add(5.0 + number / 100, leaves=20.0)
    simulation.add(10.0)
    outcomes = simulation.run().outcomes
    assert simulation.sent == [0, 51]
    assert outcomes[51].extensions["held_back"] == pytest.approx(51, abs=10)


def test_cancelled_request_under_way_counts_for_a_minute():
    clock = BoundedClock()
    api = Api(clock)
    limiter = RateLimit(httpx.MockTransport(api), requests_per_minute=1, clock=clock)
    simulation = Simulation(limiter, api)
    simulation.add(0.0, latency=30.0, leaves=10.0)
    simulation.add(20.0)
    assert simulation.run().outcomes[1].extensions["held_back"] == pytest.approx(50)


def test_queue_does_not_count_towards_the_total_of_a_retry():
    clock = BoundedClock()
    faults = Faults(httpx.MockTransport(Api(clock)), [None, None, 503])
    limiter = RateLimit(faults, requests_per_minute=1, clock=clock)
    with httpx.Client(transport=Retry(limiter, total=100, clock=clock)) as client:
        assert [ask(client).status_code for _ in range(3)] == [200] * 3
    # The third waits 60 s in the queue, fails, and waits 60 s more for its second attempt.
    assert faults.played == ["through", "through", "overloaded", "through"]


# Over real HTTP on 127.0.0.1, where a minute takes two seconds


def server_with(requests, clock=None):
    """The offline API with a limit per minute; it takes no key."""
    return Server(requests, lessons=["02_first_call"], key="", clock=clock)


def post(client):
    message = {"role": "user", "content": "What is the best French cheese?"}
    body = {"model": "mistral-small-latest", "messages": [message]}
    return client.post("/chat/completions", json=body)


async def ask_all(transport, server, count):
    async with httpx.AsyncClient(transport=transport, base_url=server.url, timeout=60) as client:
        responses = await asyncio.gather(*(post(client) for _ in range(count)))
    return [response.status_code for response in responses]


@pytest.mark.slow
def test_64_calls_at_once_get_their_answers_and_no_429():
    clock = Clock(speed=30)
    with server_with(40, clock) as server:
        limiter = RateLimit(httpx.AsyncHTTPTransport(), clock=clock)
        codes = asyncio.run(ask_all(helpers.Retry(limiter, clock=clock), server, 64))
    assert codes == [200] * 64, "none is lost"
    assert (server.answered, server.refused) == (64, 0)
    assert limiter.limits == {"mistral-small-latest": (40, 100_000)}


@pytest.mark.slow
def test_64_calls_with_retry_alone_get_their_answers_after_many_429s():
    clock, chance = Clock(speed=30), random.Random(1)
    with server_with(40, clock) as server:
        inside = httpx.AsyncHTTPTransport()
        retry = Retry(inside, attempts=30, total=900, clock=clock, random=chance.random)
        codes = asyncio.run(ask_all(retry, server, 64))
    assert codes == [200] * 64
    assert server.refused >= 24, "each that came too early was refused at least once"


@pytest.mark.slow
def test_64_calls_alone_are_refused_beyond_the_limit():
    with server_with(40) as server:
        codes = asyncio.run(ask_all(httpx.AsyncHTTPTransport(), server, 64))
    assert codes.count(200) == 40
    assert server.refused == 24


@pytest.mark.slow
def test_threads_share_the_limits():
    clock = Clock(speed=30)
    codes = []
    with server_with(15, clock) as server:
        transport = RateLimit(httpx.HTTPTransport(), clock=clock)
        with httpx.Client(transport=transport, base_url=server.url) as client:
            threads = [
                threading.Thread(target=lambda: codes.append(post(client).status_code))
                for _ in range(32)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    assert codes == [200] * 32
    assert server.refused == 0


@pytest.mark.slow
def test_two_clients_share_one_limiter():
    clock = Clock(speed=60)

    async def both(server):
        limiter = RateLimit(httpx.AsyncHTTPTransport(), clock=clock)
        first = httpx.AsyncClient(transport=limiter, base_url=server.url)
        second = httpx.AsyncClient(transport=limiter, base_url=server.url)
        calls = [post(client) for _ in range(8) for client in (first, second)]
        answers = await asyncio.gather(*calls)
        await first.aclose()
        return [answer.status_code for answer in answers]

    with server_with(10, clock) as server:
        assert asyncio.run(both(server)) == [200] * 16
        assert server.refused == 0
