"""Retry: how long it waits, when it stops, what it says."""

import email.utils
import itertools
import logging
import threading

import anyio
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

import helpers
from helpers.errors import RETRYABLE
from helpers.offline.server import LocalServer
from helpers.transports.faults import Faults, fault
from helpers.transports.retry import Retry, ceiling

OK = httpx.MockTransport(lambda request: httpx.Response(200, json={}))
URL = "https://api.mistral.ai/v1/chat/completions"
seconds = st.floats(0, 1e4, allow_nan=False)


def run(script, clock=None, transport=OK, **options):
    """One request: (what came or was raised, the Retried, the clock)."""
    clock = clock or helpers.transports.FakeClock(1e9)
    retry = Retry(Faults(transport, script, clock=clock), clock=clock, **options)
    with httpx.Client(transport=retry, timeout=60) as client:
        try:
            response = client.post(URL, json={})
            return response, response.extensions["retried"], clock
        except httpx.TransportError as error:
            return error, error.retried, clock


# The waiting times


@given(st.integers(1, 10_000), seconds, seconds)
def test_the_ceiling_grows_to_the_cap(attempt, base, cap):
    now, after = ceiling(attempt, base, cap), ceiling(attempt + 1, base, cap)
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
def test_every_wait_is_within_its_bounds(chance, attempts, base, cap, total, asks):
    chances = itertools.cycle(chance)
    script = [fault(429, retry_after=ask) for ask in asks]
    _, done, clock = run(
        script, attempts=attempts, base=base, cap=cap, total=total, random=lambda: next(chances)
    )
    assert done.attempts == len(done.waits) + 1 <= attempts
    assert clock.now() - 1e9 <= total * (1 + 1e-9) + 1e-6
    for number, (wait, asked) in enumerate(zip(done.waits, asks, strict=False), start=1):
        assert 0 <= wait <= cap
        assert wait <= (asked or 0) + ceiling(number, base, cap) + 1e-9
        if asked is not None:
            assert wait >= asked, "never before the server wants it"


def test_full_jitter_is_spread_over_the_whole_range():
    waits = [run([429])[1].waits[0] for _ in range(2000)]
    assert 0 <= min(waits) < 0.02
    assert 0.98 < max(waits) <= 1
    assert sum(waits) / len(waits) == pytest.approx(0.5, abs=0.03)


def test_the_ceilings_of_the_default_values():
    _, done, _ = run(itertools.repeat(503), random=lambda: 1.0)
    assert done.waits == [1, 2, 4, 8, 16]


# What is retried


@pytest.mark.parametrize("status", sorted(RETRYABLE))
def test_statuses_that_pass_are_retried(status):
    response, done, _ = run([status])
    assert response.is_success
    assert (done.attempts, done.stopped) == (2, "answered")


@pytest.mark.parametrize("status", sorted({*range(400, 600)} - RETRYABLE))
def test_statuses_that_stay_are_not(status):
    response, done, _ = run([status])
    assert response.status_code == status
    assert done.attempts == 1
    assert str(status) in done.stopped


@pytest.mark.parametrize(
    "kind",
    [
        *(
            "ConnectError",
            "ConnectTimeout",
            "ReadError",
            "ReadTimeout",
            "WriteError",
            "WriteTimeout",
        ),
        *("CloseError", "RemoteProtocolError"),
    ],
)
def test_a_network_that_fails_before_the_answer_is_retried(kind):
    response, done, _ = run([helpers.transports.Fault("broken", "made up", error=kind)])
    assert response.is_success
    assert done.attempts == 2


@pytest.mark.parametrize(
    "kind", ["PoolTimeout", "UnsupportedProtocol", "ProxyError", "LocalProtocolError"]
)
def test_what_does_not_pass_by_itself_is_not(kind):
    error, done, clock = run([helpers.transports.Fault("broken", "made up", error=kind)])
    assert type(error).__name__ == kind
    assert done.attempts == 1
    assert not clock.waits


def test_a_plan_without_allowance_is_never_retried():
    response, done, clock = run(["no_allowance"])
    assert response.status_code == 429
    assert "waiting does not help" in done.stopped
    assert not clock.waits


def test_a_limit_that_is_not_zero_is():
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
    """A transport that answers with these streams, one after the other."""
    ready = iter(streams)
    headers = {"content-type": "text/event-stream"}
    return httpx.MockTransport(
        lambda request: httpx.Response(200, headers=headers, stream=next(ready))
    )


def read_stream(transport, asynchronous):
    retry = Retry(transport, clock=helpers.transports.FakeClock())
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
def test_a_stream_that_fails_before_its_first_piece_is_asked_for_again(asynchronous):
    broken, whole = Pieces([httpx.ReadTimeout("slow")]), Pieces([b"data: a\n\n", b"data: b\n\n"])
    assert read_stream(streaming(broken, whole), asynchronous) == whole.pieces
    assert broken.closed and whole.closed


@both
def test_an_empty_piece_is_not_the_first_of_a_stream(asynchronous):
    broken, whole = Pieces([b"", httpx.ReadError("reset")]), Pieces([b"", b"data: a\n\n"])
    assert b"".join(read_stream(streaming(broken, whole), asynchronous)) == b"data: a\n\n"


@both
def test_a_stream_that_has_begun_is_never_asked_for_again(asynchronous):
    broken = Pieces([b"data: a\n\n", httpx.ReadError("reset")])
    never = Pieces([b"data: again\n\n"])
    assert read_stream(streaming(broken, never), asynchronous) == [b"data: a\n\n", "ReadError"]
    assert broken.closed


@both
def test_an_empty_stream_is_handed_out(asynchronous):
    assert read_stream(streaming(Pieces([])), asynchronous) == []


def test_a_stream_is_not_held_back():
    """The first piece arrives while the rest is not there yet."""
    go = threading.Event()

    class Slow(Pieces):
        def __iter__(self):
            yield b"first"
            assert go.wait(5), "the first piece was held back"
            yield b"second"

    retry = Retry(streaming(Slow([])))
    with httpx.Client(transport=retry) as client, client.stream("POST", URL) as response:
        pieces = response.iter_raw()
        assert next(pieces) == b"first"
        go.set()
        assert next(pieces) == b"second"


@both
def test_a_whole_answer_that_breaks_off_is_asked_for_again(asynchronous):
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


def test_retry_after_as_a_date_counts_from_the_answers_own_date():
    asked = fault(503, retry_after=http_date(2_000_000_030))
    there = helpers.transports.Fault(
        **{**vars(asked), "headers": {**asked.headers, "date": http_date(2e9)}}
    )
    _, done, _ = run([there], random=lambda: 0.0)  # this machine's clock says 10**9
    assert done.waits == [30]


def test_retry_after_as_a_date_without_one_counts_from_now():
    _, done, _ = run([fault(503, retry_after=http_date(1_000_000_020))], random=lambda: 0.0)
    assert done.waits == [20]


@pytest.mark.parametrize(
    "nonsense", ["soon", "", "nan", "inf", "-inf", "Mon, 99 Foo 2026 99:99:99 GMT", "1e999"]
)
def test_retry_after_that_cannot_be_read_is_left_out(nonsense):
    _, done, _ = run([fault(503, retry_after=nonsense)], random=lambda: 0.5)
    assert done.waits == [0.5]


@pytest.mark.parametrize("past", ["-5", http_date(5)])
def test_retry_after_in_the_past_means_now(past):
    assert run([fault(503, retry_after=past)], random=lambda: 0.0)[1].waits == [0]


def test_a_server_that_asks_for_more_than_the_cap_is_not_asked_again():
    response, done, clock = run([fault(429, retry_after=3600)])
    assert response.status_code == 429
    assert "3600 s" in done.stopped
    assert not clock.waits


# Limits


def test_the_total_ends_it():
    _, done, clock = run(itertools.repeat(503), total=10, attempts=100, random=lambda: 1.0)
    assert done.waits == [1, 2, 4]
    assert clock.now() - 1e9 == 7
    assert "total of 10 s" in done.stopped


def test_slow_attempts_count_towards_the_total():
    _, done, clock = run(itertools.repeat("timeout"), total=100, random=lambda: 0.0)
    assert done.attempts == 2  # 60 s each
    assert clock.now() - 1e9 == 120


def test_one_attempt_is_no_retry():
    response, done, _ = run([503], attempts=1)
    assert response.status_code == 503
    assert done.attempts == 1


@pytest.mark.parametrize(
    "wrong", [{"attempts": 0}, {"base": -1}, {"cap": -1}, {"total": -1}, {"base": float("nan")}]
)
def test_values_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError):
        Retry(OK, **wrong)


@pytest.mark.parametrize("speed", [0, -1, float("nan")])
def test_a_clock_runs_forwards(speed):
    with pytest.raises(ValueError, match="forwards"):
        helpers.transports.Clock(speed=speed)


def test_it_goes_around_transports_only():
    with pytest.raises(TypeError, match="goes around a transport"):
        Retry(httpx.Client())


def test_the_wrong_kind_of_transport_is_named():
    client = httpx.Client(transport=Retry(httpx.AsyncHTTPTransport()))
    with client, pytest.raises(TypeError, match=r"httpx\.HTTPTransport\(\)"):
        client.get("http://127.0.0.1:9/")

    async def ask():
        async with httpx.AsyncClient(transport=Retry(httpx.HTTPTransport())) as client:
            await client.get("http://127.0.0.1:9/")

    with pytest.raises(TypeError, match=r"httpx\.AsyncHTTPTransport\(\)"):
        anyio.run(ask)


# What it says


def test_an_error_says_what_was_tried(monkeypatch):
    monkeypatch.setenv("MISTRAL_API_KEY", "x" * 32)
    clock = helpers.transports.FakeClock()
    transport = Retry(Faults(OK, itertools.repeat(503)), clock=clock, random=lambda: 1.0)
    with httpx.Client(transport=transport) as client, pytest.raises(helpers.APIError) as caught:
        helpers.chat("Hello", client=client)
    assert (
        "Retry: 6 attempts, 31.0 s of waiting; stopped: 503 again, and no attempt is left"
        in str(caught.value)
    )


def test_each_retry_is_a_line_in_the_log(caplog):
    caplog.set_level(logging.INFO, "helpers.retry")
    run([503, "connection_reset"], random=lambda: 0.5)
    assert [record.getMessage() for record in caplog.records] == [
        "attempt 1: 503; the next in 0.5 s",
        "attempt 2: ReadError; the next in 1.0 s",
    ]


def test_the_same_body_is_sent_each_time():
    bodies = []

    def answer(request):
        bodies.append(request.read())
        return httpx.Response(503 if len(bodies) < 3 else 200)

    with httpx.Client(
        transport=Retry(httpx.MockTransport(answer), clock=helpers.transports.FakeClock())
    ) as client:
        client.post(URL, content=(part for part in (b"in ", b"parts")))
    assert bodies == [b"in parts"] * 3


@both
def test_over_real_http_with_a_body_that_can_be_read_once_and_one_connection(asynchronous):
    """Six times 429, within a minute of pretended time: no connection may stay in use."""
    clock = helpers.transports.FakeClock()
    options = {"clock": clock, "random": lambda: 1.0, "attempts": 7}
    limits, timeout = httpx.Limits(max_connections=1), httpx.Timeout(5, pool=0.1)
    body = b'{"model": "m"}'

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

    with LocalServer(1, clock) as server:
        url = f"{server.url}/chat/completions"
        response, transport = anyio.run(ask_async, url) if asynchronous else ask(url)
    assert response.extensions["retried"].waits == [1, 2, 4, 8, 16, 32]
    assert response.json()["model"] == "m"
    assert (server.answered, server.refused) == (2, 6)
    assert not transport.transport._pool.connections, "closing the client closes what is inside"


def test_the_official_sdk_takes_it():
    from mistralai.client import Mistral

    said = {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": "mistral-small-latest",
        "usage": {"prompt_tokens": 1, "total_tokens": 2, "completion_tokens": 1},
        "choices": [
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hi"}}
        ],
    }
    inside = httpx.MockTransport(lambda request: httpx.Response(200, json=said))
    transport = Retry(Faults(inside, [429, 503]), clock=helpers.transports.FakeClock())
    client = Mistral(api_key="x", client=httpx.Client(transport=transport))
    answer = client.chat.complete(
        model="mistral-small-latest", messages=[{"role": "user", "content": "Hello"}]
    )
    assert answer.choices[0].message.content == "Hi"
