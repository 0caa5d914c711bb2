"""The driver: what a flow yields happens, sync and async alike, and what fails is raised at its step."""

import asyncio
import threading

import anyio
import httpx
import pytest

from helpers.transports import Clock, FakeClock
from helpers.transports.layer import Layer, Read

URL = "http://127.0.0.1:9/"
both = pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])


def get(transport, asynchronous, **options):
    """The answer to one request through a transport, read to its end."""

    async def ask():
        async with httpx.AsyncClient(transport=transport) as client:
            return await client.get(URL, **options)

    if asynchronous:
        return anyio.run(ask)
    with httpx.Client(transport=transport) as client:
        return client.get(URL, **options)


@both
def test_flow_sends_waits_and_reads_in_the_order_of_its_steps(asynchronous):
    class Policy(Layer):
        def flow(self, request):
            response = yield request
            steps.append((response.status_code, self.clock.now()))
            steps.append(((yield 2.5), self.clock.now()))
            steps.append(((yield Read(response)), self.clock.now()))
            second = yield request
            steps.append((second.status_code, self.clock.now()))
            return response

    steps, statuses = [], iter([200, 503])
    inside = httpx.MockTransport(lambda request: httpx.Response(next(statuses), text="Hello"))
    clock = FakeClock()
    response = get(Policy(inside, clock), asynchronous)
    assert response.text == "Hello"
    assert steps == [(200, 0.0), (None, 2.5), (b"Hello", 2.5), (503, 2.5)]
    assert clock.waits == [2.5]


@both
def test_flow_gets_the_result_of_a_function_which_runs_off_the_event_loop(asynchronous):
    class Policy(Layer):
        def flow(self, request):
            threads.append((yield threading.get_ident))
            return (yield request)

    threads = []
    inside = httpx.MockTransport(lambda request: httpx.Response(200))
    assert get(Policy(inside, FakeClock()), asynchronous).is_success
    assert (threads[0] != threading.get_ident()) == asynchronous


@both
def test_flow_gets_the_error_of_its_step(asynchronous):
    class Policy(Layer):
        def flow(self, request):
            try:
                yield request
            except httpx.ReadTimeout as error:
                return httpx.Response(504, text=str(error))

    def fail(request):
        raise httpx.ReadTimeout("slow")

    response = get(Policy(httpx.MockTransport(fail)), asynchronous)
    assert (response.status_code, response.text) == (504, "slow")


@both
def test_layer_passes_on_what_its_flow_raises(asynchronous):
    class Policy(Layer):
        def flow(self, request):
            yield request
            raise LookupError("not this one")

    with pytest.raises(LookupError, match="not this one"):
        get(Policy(httpx.MockTransport(lambda request: httpx.Response(200))), asynchronous)


class Holding(Layer):
    """A policy that holds something while its request is under way."""

    held = 0

    def flow(self, request):
        self.held += 1
        try:
            response = yield request
        finally:
            self.held -= 1
        return response


def test_interrupted_flow_gives_back_what_it_holds():
    def interrupt(request):
        assert layer.held == 1
        raise KeyboardInterrupt

    layer = Holding(httpx.MockTransport(interrupt))
    with pytest.raises(KeyboardInterrupt):
        get(layer, False)
    assert layer.held == 0


def test_cancelled_task_gives_back_what_its_flow_holds():
    async def main():
        sent = asyncio.Event()

        async def never(request):
            sent.set()
            await asyncio.Event().wait()

        layer = Holding(httpx.MockTransport(never))
        async with httpx.AsyncClient(transport=layer) as client:
            task = asyncio.create_task(client.get(URL))
            await sent.wait()
            assert layer.held == 1
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        return layer.held

    assert asyncio.run(main()) == 0


@both
def test_layer_without_a_flow_of_its_own_passes_requests_on(asynchronous):
    layer = Layer(httpx.MockTransport(lambda request: httpx.Response(200, text="Hello")))
    assert get(layer, asynchronous).text == "Hello"


def test_layer_wraps_only_transports():
    with pytest.raises(TypeError, match="Layer wraps a transport"):
        Layer(httpx.Client())


def test_layer_names_the_transport_that_a_client_needs():
    with pytest.raises(TypeError, match=r"httpx\.HTTPTransport\(\)"):
        get(Layer(httpx.AsyncHTTPTransport()), False)
    with pytest.raises(TypeError, match=r"httpx\.AsyncHTTPTransport\(\)"):
        get(Layer(httpx.HTTPTransport()), True)


@both
def test_closing_a_client_closes_the_transport_inside(asynchronous):
    class Inside(httpx.MockTransport):
        def close(self):
            closed.append("close")

        async def aclose(self):
            closed.append("aclose")

    closed = []
    get(Layer(Layer(Inside(lambda request: httpx.Response(200)))), asynchronous)
    assert closed == ["aclose" if asynchronous else "close"]


@pytest.mark.parametrize("speed", [0, -1, float("nan")])
def test_clock_refuses_a_speed_that_is_not_positive(speed):
    with pytest.raises(ValueError, match="above 0"):
        Clock(speed=speed)
