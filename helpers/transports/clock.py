"""Time, real or pretended: what waits asks a clock, so a test or a simulation waits for nothing."""

from __future__ import annotations

import time

import anyio
import anyio.lowlevel


class Clock:
    """Real time, or time that runs `speed` times as fast: a minute in a second with 60.

    Raises ValueError for a speed that is not positive.
    """

    def __init__(self, speed: float = 1.0) -> None:
        if not speed > 0:
            raise ValueError(f"speed is {speed}: time runs forwards.")
        self.speed = speed

    def now(self) -> float:
        """Seconds that only ever grow; differences of them are durations."""
        return time.monotonic() * self.speed

    def date(self) -> float:
        """Seconds since 1970."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds / self.speed)

    async def asleep(self, seconds: float) -> None:
        await anyio.sleep(seconds / self.speed)


class FakeClock(Clock):
    """A clock that stands still until somebody waits; then it jumps on, at once.

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
        await anyio.lowlevel.checkpoint()  # let other tasks go on, as real waiting would
