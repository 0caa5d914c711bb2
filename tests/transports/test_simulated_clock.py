"""SimulatedClock: waits of many tasks overlap, take no real time, and end in the same order each time."""

import asyncio
import threading
import time

import anyio
import httpx
import pytest

import helpers
from helpers.transports import SimulatedClock


def test_waits_of_tasks_overlap_and_take_no_real_time():
    clock, seen = SimulatedClock(), []

    async def wait(seconds):
        await clock.asleep(seconds)
        seen.append((seconds, clock.now()))

    async def main():
        await asyncio.gather(*map(wait, (7200, 60, 3600)))
        return "done"

    began = time.thread_time()
    assert clock.run(main) == "done"
    assert [round(at, 6) for _, at in seen] == [60, 3600, 7200]
    assert clock.now() == clock.date() == pytest.approx(7200)
    assert time.thread_time() - began < 2


def test_timeouts_and_sleeps_of_asyncio_follow_it():
    clock = SimulatedClock()

    async def main():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(90):
                await asyncio.sleep(1_000)
        with anyio.move_on_after(10):
            await anyio.sleep(1_000)
        clock.sleep(5)
        return asyncio.get_running_loop().time()

    assert clock.run(main) == pytest.approx(105)


def test_a_worker_thread_takes_no_time_of_it():
    """While a thread computes, timers wait: else a count of tokens would take simulated hours."""
    clock, release = SimulatedClock(), threading.Event()

    async def compute():
        await anyio.to_thread.run_sync(release.wait)
        return clock.now()

    async def main():
        threading.Timer(0.05, release.set).start()
        late = asyncio.create_task(asyncio.sleep(3600))
        at = await compute()
        late.cancel()
        return at

    assert clock.run(main) == 0


def test_it_runs_beside_a_running_loop_and_raises_what_main_raises():
    async def main():
        raise KeyError("main")

    async def outside():
        SimulatedClock().run(main)

    with pytest.raises(KeyError, match="main"):
        asyncio.run(outside())


def test_rate_limit_is_exact_in_it():
    """100 a minute: 250 requests need two more minutes, the same to the last digit in each run."""

    def ends():
        clock, times = SimulatedClock(), []

        async def answer(request):
            await asyncio.sleep(0.5)
            times.append(clock.now())
            return httpx.Response(200)

        async def main():
            limit = helpers.RateLimit(
                httpx.MockTransport(answer),
                requests_per_minute=100,
                tokens_per_minute=10**9,
                clock=clock,
            )
            async with httpx.AsyncClient(transport=limit) as client:
                calls = [client.post("https://host/", json={"model": "m"}) for _ in range(250)]
                await asyncio.gather(*calls)

        clock.run(main)
        return times

    times = ends()
    assert len(times) == 250
    assert times[99] < 2 and 60 < times[100] < 62 and 120 < times[249] < 124
    assert times == ends()
