"""Retry: how long it waits, when it stops, and what it reports."""

import email.utils
import itertools
import json
import logging

import anyio
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

import helpers
from helpers.errors import RETRYABLE
from helpers.offline.server import Server
from helpers.transports import FakeClock, Faults, FaultSpec, RateLimit, make_fault
from helpers.transports.retry import Retry, longest_wait

OK = httpx.MockTransport(lambda request: httpx.Response(200, json={}))
URL = "https://api.mistral.ai/v1/chat/completions"
seconds = st.floats(0, 1e4, allow_nan=False)


def run(script, clock=None, transport=OK, **options):
    """Send one request: (the response or error, its Retried, the clock)."""
    clock = clock or FakeClock(1e9)
    retry = Retry(Faults(transport, script, clock=clock), clock=clock, **options)
    with httpx.Client(transport=retry, timeout=60) as client:
        try:
            response = client.post(URL, json={})
            return response, response.extensions["retried"], clock
        except httpx.TransportError as error:
            return error, error.retried, clock


# The waiting times


@given(st.integers(1, 10_000), seconds, seconds)
def test_longest_wait_doubles_up_to_the_cap(attempt, base, cap):
    now, after = longest_wait(attempt, base, cap), longest_wait(attempt + 1, base, cap)
    assert 0 <= now <= after <= cap
    if attempt == 1:
        assert now == min(base, cap)
    if 1e-300 < after < cap and attempt < 100:
        assert after == pytest.approx(2 * now)


@given(
    chance=st.lists(st.floats(0, 1, exclude_max=True), min_size=1),
    attempts=st.integers(1, 20),
    base=seconds,
    cap=seconds,
    total=seconds,
    asks=st.lists(st.none() | st.integers(0, 200), max_size=30),
)
def test_retry_never_waits_too_long_nor_comes_too_early(chance, attempts, base, cap, total, asks):
    chances = itertools.cycle(chance)
    script = [make_fault(429, retry_after=ask) for ask in asks]
    _, done, clock = run(
        script, attempts=attempts, base=base, cap=cap, total=total, random=lambda: next(chances)
    )
    assert done.attempts == len(done.waits) + 1 <= attempts
    assert clock.now() - 1e9 <= total * (1 + 1e-9) + 1e-6
    for number, (wait, asked) in enumerate(zip(done.waits, asks, strict=False), start=1):
        assert 0 <= wait <= cap
        assert wait <= (asked or 0) + longest_wait(number, base, cap) + 1e-9
        if asked is not None:
            assert wait >= asked, "never earlier than the server asks"


@pytest.mark.slow
def test_jitter_spreads_waits_over_the_whole_range():
    waits = [run([429])[1].waits[0] for _ in range(2000)]
    assert 0 <= min(waits) < 0.02
    assert 0.98 < max(waits) <= 1
    assert sum(waits) / len(waits) == pytest.approx(0.5, abs=0.03)


def test_default_waits_are_at_most_1_2_4_8_and_16_seconds():
    _, done, _ = run(itertools.repeat(503), random=lambda: 1.0)
    assert done.waits == [1, 2, 4, 8, 16]


# What is retried


def test_retry_retries_temporary_statuses_and_no_others():
    problems = []
    for status in range(400, 600):
        response, done, _ = run([status])
        if status in RETRYABLE:
            right = response.is_success and (done.attempts, done.stopped) == (2, "a 200 came")
        else:
            right = response.status_code == status and done.attempts == 1
            right = right and done.stopped == f"{status}, which a retry won't fix"
        if not right:
            problems.append((status, response, done))
    assert problems == []


def test_network_that_fails_before_the_answer_is_retried():
    problems = []
    for kind in (httpx.NetworkError, httpx.TimeoutException, httpx.ProtocolError):
        for error in kind.__subclasses__():
            response, done, clock = run([FaultSpec("broken", "made up", error=error.__name__)])
            temporary = error not in (httpx.PoolTimeout, httpx.LocalProtocolError)
            if done.attempts != 1 + temporary or len(clock.waits) != temporary:
                problems.append((error, response, done))
    assert problems == []


@pytest.mark.parametrize("kind", ["PoolTimeout", "UnsupportedProtocol", "ProxyError"])
def test_network_error_that_stays_is_not_retried(kind):
    error, done, clock = run([FaultSpec("broken", "made up", error=kind)])
    assert type(error).__name__ == kind
    assert done.stopped == f"{kind}, which a retry won't fix"
    assert not clock.waits


def test_retry_gives_up_at_once_without_any_allowance():
    response, done, clock = run(["no_allowance"])
    assert response.status_code == 429
    assert "waiting won't help" in done.stopped
    assert not clock.waits


def test_429_with_a_limit_above_zero_is_retried():
    assert run(["request_limit"])[0].is_success


# Streams


class Pieces(httpx.SyncByteStream, httpx.AsyncByteStream):
    def __init__(self, pieces):
        self.pieces, self.closed = pieces, False

    def __iter__(self):
        for piece in self.pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    async def __aiter__(self):
        for piece in self:
            yield piece

    def close(self):
        self.closed = True

    async def aclose(self):
        self.closed = True


def streaming(*streams):
    """A transport that answers with these streams, one for each request."""
    ready = iter(streams)
    headers = {"content-type": "text/event-stream"}
    return httpx.MockTransport(
        lambda request: httpx.Response(200, headers=headers, stream=next(ready))
    )


def read_stream(transport, asynchronous):
    retry = Retry(transport, clock=FakeClock())
    got = []

    async def read_async():
        async with (
            httpx.AsyncClient(transport=retry) as client,
            client.stream("POST", URL) as response,
        ):
            async for piece in response.aiter_raw():
                got.append(piece)

    try:
        if asynchronous:
            anyio.run(read_async)
        else:
            with httpx.Client(transport=retry) as client, client.stream("POST", URL) as response:
                for piece in response.iter_raw():
                    got.append(piece)
    except httpx.TransportError as error:
        got.append(type(error).__name__)
    return got


both = pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])


@both
def test_stream_that_fails_before_its_first_piece_is_retried(asynchronous):
    broken, whole = Pieces([httpx.ReadTimeout("slow")]), Pieces([b"data: a\n\n", b"data: b\n\n"])
    assert read_stream(streaming(broken, whole), asynchronous) == whole.pieces
    assert broken.closed and whole.closed


@both
def test_stream_that_fails_after_an_empty_piece_is_retried(asynchronous):
    broken, whole = Pieces([b"", httpx.ReadError("reset")]), Pieces([b"", b"data: a\n\n"])
    assert b"".join(read_stream(streaming(broken, whole), asynchronous)) == b"data: a\n\n"


@both
def test_stream_that_has_begun_is_never_retried(asynchronous):
    broken = Pieces([b"data: a\n\n", httpx.ReadError("reset")])
    never = Pieces([b"data: again\n\n"])
    assert read_stream(streaming(broken, never), asynchronous) == [b"data: a\n\n", "ReadError"]
    assert broken.closed


@both
def test_empty_stream_is_handed_out(asynchronous):
    assert read_stream(streaming(Pieces([])), asynchronous) == []


def test_retry_hands_out_the_first_piece_before_the_second_arrives():
    class Slow(Pieces):
        def __iter__(self):
            yield b"first"
            assert handed_out, "the first piece was held back"
            yield b"second"

    handed_out = []
    retry = Retry(streaming(Slow([])))
    with httpx.Client(transport=retry) as client, client.stream("POST", URL) as response:
        for piece in response.iter_raw():
            handed_out.append(piece)
    assert handed_out == [b"first", b"second"]


@both
def test_whole_answer_that_breaks_off_is_retried(asynchronous):
    broken, whole = Pieces([b'{"a":', httpx.RemoteProtocolError("cut")]), Pieces([b'{"a": 1}'])
    streams = iter([broken, whole])
    transport = httpx.MockTransport(
        lambda request: httpx.Response(
            200, headers={"content-type": "application/json"}, stream=next(streams)
        )
    )
    assert read_stream(transport, asynchronous) == [b'{"a": 1}']
    assert broken.closed and whole.closed


# Retry-After


def http_date(seconds):
    return email.utils.formatdate(seconds, usegmt=True)


def test_retry_after_date_counts_from_the_date_of_the_answer():
    asked = make_fault(503, retry_after=http_date(2_000_000_030))
    there = FaultSpec(**{**vars(asked), "headers": {**asked.headers, "date": http_date(2e9)}})
    _, done, _ = run([there], random=lambda: 0.0)  # this machine's clock says 10**9
    assert done.waits == [30]


def test_retry_after_date_counts_from_now_where_the_answer_has_none():
    _, done, _ = run([make_fault(503, retry_after=http_date(1_000_000_020))], random=lambda: 0.0)
    assert done.waits == [20]


def test_unreadable_retry_after_is_ignored():
    for nonsense in ("soon", "", "nan", "inf", "-inf", "1e999", "Mon, 99 Foo 2026 99:99:99 GMT"):
        _, done, _ = run([make_fault(503, retry_after=nonsense)], random=lambda: 0.5)
        assert done.waits == [0.5], nonsense


@pytest.mark.parametrize("past", ["-5", http_date(5)])
def test_retry_after_in_the_past_means_now(past):
    _, done, _ = run([make_fault(503, retry_after=past)], random=lambda: 0.0)
    assert done.waits == [0]


def test_retry_stops_when_the_server_asks_for_more_than_the_cap():
    response, done, clock = run([make_fault(429, retry_after=3600)])
    assert response.status_code == 429
    assert "3600 s" in done.stopped
    assert not clock.waits


# Limits


def test_retry_begins_no_wait_that_would_exceed_its_total():
    _, done, clock = run(itertools.repeat(503), total=10, attempts=100, random=lambda: 1.0)
    assert done.waits == [1, 2, 4]
    assert clock.now() - 1e9 == 7
    assert "total of 10 s" in done.stopped


def test_queue_of_a_failed_attempt_does_not_count_towards_the_total():
    """An attempt that fails has no response, which could hold the seconds in the queue."""
    clock = FakeClock()
    faults = Faults(OK, [None, "no_connection"], clock=clock)
    limiter = RateLimit(faults, requests_per_minute=1, tokens_per_minute=1e6, clock=clock)
    with httpx.Client(transport=Retry(limiter, total=50, clock=clock)) as client:
        client.post(URL, json={})
        done = client.post(URL, json={}).extensions["retried"]
    assert (done.attempts, done.stopped) == (2, "a 200 came")
    assert done.held_back + sum(done.waits) == pytest.approx(120)


def test_slow_attempts_count_towards_the_total():
    _, done, clock = run(itertools.repeat("timeout"), total=100, random=lambda: 0.0)
    assert done.attempts == 2  # 60 s each
    assert clock.now() - 1e9 == 120


def test_one_attempt_means_no_retry():
    response, done, _ = run([503], attempts=1)
    assert response.status_code == 503
    assert done.attempts == 1


@pytest.mark.parametrize(
    "wrong", [{"attempts": 0}, {"base": -1}, {"cap": -1}, {"total": -1}, {"base": float("nan")}]
)
def test_retry_refuses_values_that_make_no_sense(wrong):
    with pytest.raises(ValueError):
        Retry(OK, **wrong)


# What it reports


def test_api_error_reports_what_retry_did(monkeypatch):
    monkeypatch.setenv("MISTRAL_API_KEY", "x" * 32)
    clock = FakeClock()
    transport = Retry(Faults(OK, itertools.repeat(503)), clock=clock, random=lambda: 1.0)
    with httpx.Client(transport=transport) as client, pytest.raises(helpers.APIError) as caught:
        helpers.chat("Hello", client=client)
    assert (
        "Retry: 6 attempts, 31.0 s of waiting; stopped: 503 again, and no attempts are left"
        in str(caught.value)
    )


def test_log_has_a_line_for_each_retry(caplog):
    caplog.set_level(logging.INFO, "helpers.retry")
    run([503, "connection_reset"], random=lambda: 0.5)
    assert [record.getMessage() for record in caplog.records] == [
        "attempt 1: 503; next in 0.5 s",
        "attempt 2: ReadError; next in 1.0 s",
    ]


def test_each_attempt_sends_the_same_body():
    bodies = []

    def answer(request):
        bodies.append(request.read())
        return httpx.Response(503 if len(bodies) < 3 else 200)

    with httpx.Client(transport=Retry(httpx.MockTransport(answer), clock=FakeClock())) as client:
        client.post(URL, content=(part for part in (b"in ", b"parts")))
    assert bodies == [b"in parts"] * 3


@both
def test_retry_reuses_its_only_connection_and_a_body_that_can_be_read_once(asynchronous):
    """Six 429s within a minute of pretended time: none of them may keep the connection."""
    clock = FakeClock()
    options = {"clock": clock, "random": lambda: 1.0, "attempts": 7}
    limits, timeout = httpx.Limits(max_connections=1), httpx.Timeout(5, pool=0.1)
    body = json.dumps(
        {
            "model": "mistral-small-latest",
            "messages": [{"role": "user", "content": "What is the best French cheese?"}],
        }
    ).encode()

    async def parts():
        yield body

    async def ask_async(url):
        transport = Retry(httpx.AsyncHTTPTransport(limits=limits), **options)
        async with httpx.AsyncClient(transport=transport, timeout=timeout) as client:
            await client.post(url, content=body)
            length = {"content-length": str(len(body))}
            response = await client.post(url, content=parts(), headers=length)
        return response, transport

    def ask(url):
        transport = Retry(httpx.HTTPTransport(limits=limits), **options)
        with httpx.Client(transport=transport, timeout=timeout) as client:
            client.post(url, content=body)
            length = {"content-length": str(len(body))}
            response = client.post(url, content=iter([body]), headers=length)
        return response, transport

    with Server(1, lessons=["02_first_call"], key="", clock=clock) as server:
        url = f"{server.url}/chat/completions"
        response, transport = anyio.run(ask_async, url) if asynchronous else ask(url)
    assert response.extensions["retried"].waits == [1, 2, 4, 8, 16, 32]
    assert response.json()["choices"][0]["finish_reason"] == "stop"
    assert (server.answered, server.refused) == (2, 6)
    assert not transport.transport._pool.connections, "closing the client closes what is inside"


def test_official_sdk_retries_through_it():
    from mistralai.client import Mistral

    body = {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": "mistral-small-latest",
        "usage": {"prompt_tokens": 1, "total_tokens": 2, "completion_tokens": 1},
        "choices": [
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hi"}}
        ],
    }
    inside = httpx.MockTransport(lambda request: httpx.Response(200, json=body))
    transport = Retry(Faults(inside, [429, 503]), clock=FakeClock())
    client = Mistral(api_key="x", client=httpx.Client(transport=transport))
    answer = client.chat.complete(
        model="mistral-small-latest", messages=[{"role": "user", "content": "Hello"}]
    )
    assert answer.choices[0].message.content == "Hi"
