"""Real and simulated time: everything waits by a clock, so tests and simulations need not wait."""

from __future__ import annotations

import time

import anyio
import anyio.lowlevel


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
