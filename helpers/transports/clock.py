"""Real and simulated time: everything waits by a clock, so tests and simulations need not wait."""

from __future__ import annotations

import asyncio
import concurrent.futures
import selectors
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import anyio
import anyio.lowlevel
import anyio.to_thread

Result = TypeVar("Result")


class Clock:
    """Real time, or time that runs `speed` times as fast: with 60, a minute takes a second.

    Raises ValueError for a speed that is not positive.
    """

    def __init__(self, speed: float = 1.0) -> None:
        if not speed > 0:
            raise ValueError(f"speed is {speed}; it must be above 0.")
        self.speed = speed

    def now(self) -> float:
        """Seconds from a clock that never goes backwards, for measuring durations."""
        return time.monotonic() * self.speed

    def date(self) -> float:
        """Seconds since 1970, at their real speed."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds / self.speed)

    async def asleep(self, seconds: float) -> None:
        await anyio.sleep(seconds / self.speed)


class FakeClock(Clock):
    """A clock that stands still until somebody waits, and then jumps ahead at once.

    waits: all waits so far, in seconds.
    """

    def __init__(self, start: float = 0.0) -> None:
        self.time = start
        self.waits: list[float] = []

    def now(self) -> float:
        return self.time

    def date(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.time += seconds

    async def asleep(self, seconds: float) -> None:
        self.sleep(seconds)
        # Let other tasks run, as in a real pause.
        await anyio.lowlevel.checkpoint()


class SimulatedClock(FakeClock):
    """A clock for many tasks: when all of them wait, it jumps to the end of the shortest wait.

        clock = SimulatedClock()
        answers = clock.run(main)  # main() may wait for hours: it takes milliseconds

    Under `FakeClock` the waits of several tasks add up; here they overlap, as they do in real time.
    """

    async def asleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        await anyio.sleep(seconds)

    def run(self, main: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        """The result of `main()`, whose event loop has this time: for `asyncio.sleep` and timeouts as well.

        It runs in a thread of its own, since a notebook's thread has a running loop. It must not
        wait for the network, which knows nothing of this time.
        """
        with concurrent.futures.ThreadPoolExecutor(1) as one:
            return one.submit(self._run, main).result()

    def _run(self, main: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        selector = _Jump(self)

        async def begin() -> Result:
            selector.threads = anyio.to_thread.current_default_thread_limiter()
            # One at a time, so that they always end in the same order.
            selector.threads.total_tokens = 1
            return await main()

        with asyncio.Runner(loop_factory=lambda: _Loop(self, selector)) as runner:
            return runner.run(begin())


class _Jump(selectors.DefaultSelector):
    """A selector that doesn't wait until the next timer, but sets the clock to it."""

    threads: anyio.CapacityLimiter | None = None

    def __init__(self, clock: SimulatedClock) -> None:
        super().__init__()
        self.clock = clock

    def select(self, timeout: float | None = None) -> Any:
        # A worker thread computes in real time, and takes none of this clock's.
        if timeout is None or (self.threads and self.threads.borrowed_tokens):
            return super().select(None if timeout else timeout)
        self.clock.time += max(0.0, timeout)
        return super().select(0)


class _Loop(asyncio.SelectorEventLoop):
    """An event loop with the time of a clock."""

    def __init__(self, clock: SimulatedClock, selector: _Jump) -> None:
        self.clock = clock
        super().__init__(selector)

    def time(self) -> float:
        return self.clock.now()
