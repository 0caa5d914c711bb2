"""What must outlive a process: who asked when, and what was spent today.

Both stores have the same three methods. `admit` counts a request of a user and returns 0, or the
seconds to wait. `reserve` books the most that an answer can cost and returns whether the day's budget
covers it. `settle` corrects the booking once the real cost is known. A process that dies in between
leaves the larger amount booked, so that the budget is never exceeded.
"""

from __future__ import annotations

import datetime
import sqlite3
import time
import uuid

WINDOW = 60.0

TABLES = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS asked (user TEXT, at REAL);
CREATE INDEX IF NOT EXISTS asked_user ON asked (user, at);
CREATE TABLE IF NOT EXISTS spent (day TEXT PRIMARY KEY, micros INTEGER);
"""

# Both scripts run in Valkey without anything in between, and by Valkey's clock.
ADMIT = """
local now = redis.call('TIME')
now = now[1] + now[2] / 1e6
redis.call('ZREMRANGEBYSCORE', KEYS[1], 0, now - ARGV[2])
if redis.call('ZCARD', KEYS[1]) < tonumber(ARGV[1]) then
  redis.call('ZADD', KEYS[1], now, ARGV[3])
  redis.call('PEXPIRE', KEYS[1], math.ceil(ARGV[2] * 1000))
  return '0'
end
local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2] or now
return tostring(ARGV[2] - (now - first))
"""
RESERVE = """
local spent = tonumber(redis.call('GET', KEYS[1]) or '0')
if spent + ARGV[1] > tonumber(ARGV[2]) then return 0 end
redis.call('INCRBY', KEYS[1], ARGV[1])
redis.call('EXPIRE', KEYS[1], 172800)
return 1
"""


def today() -> str:
    """The day in UTC, on which the budget is renewed."""
    return datetime.datetime.now(datetime.UTC).date().isoformat()


class SqliteStore:
    """In a file, for one process. A restart, even after `kill -9`, goes on where it was."""

    def __init__(self, path: str, per_minute: int, micros_per_day: int) -> None:
        self.per_minute, self.micros_per_day = per_minute, micros_per_day
        # Each statement is a transaction of its own; each takes less than a millisecond.
        self._sql = sqlite3.connect(path, isolation_level=None)
        self._sql.executescript(TABLES)

    async def admit(self, user: str) -> float:
        now = time.time()
        self._sql.execute("DELETE FROM asked WHERE at <= ?", (now - WINDOW,))
        rows = self._sql.execute("SELECT at FROM asked WHERE user = ? ORDER BY at", (user,))
        times = [at for (at,) in rows]
        if len(times) >= self.per_minute:
            return WINDOW - (now - (times or [now])[0])
        self._sql.execute("INSERT INTO asked VALUES (?, ?)", (user, now))
        return 0.0

    async def reserve(self, micros: int) -> bool:
        if await self.spent() + micros > self.micros_per_day:
            return False
        self._add(today(), micros)
        return True

    async def settle(self, day: str, reserved: int, used: int) -> None:
        self._add(day, used - reserved)

    async def spent(self) -> int:
        """What is booked today, in millionths of a dollar."""
        row = self._sql.execute("SELECT micros FROM spent WHERE day = ?", (today(),)).fetchone()
        return row[0] if row else 0

    async def ping(self) -> None:
        """Raise an error if the store can't be reached."""
        self._sql.execute("SELECT 1")

    async def close(self) -> None:
        self._sql.close()

    def _add(self, day: str, micros: int) -> None:
        self._sql.execute(
            "INSERT INTO spent VALUES (?, ?) ON CONFLICT (day) DO UPDATE SET micros = micros + ?",
            (day, micros, micros),
        )


class ValkeyStore:
    """In Valkey, for any number of processes and machines."""

    def __init__(self, url: str, per_minute: int, micros_per_day: int) -> None:
        # Imported here: a server with one process needs no such package.
        import valkey.asyncio

        self.per_minute, self.micros_per_day = per_minute, micros_per_day
        self._valkey = valkey.asyncio.from_url(url, socket_timeout=2, socket_connect_timeout=2)
        self._admit = self._valkey.register_script(ADMIT)
        self._reserve = self._valkey.register_script(RESERVE)

    async def admit(self, user: str) -> float:
        arguments = [self.per_minute, WINDOW, uuid.uuid4().hex]
        return float(await self._admit(keys=[f"asked:{user}"], args=arguments))

    async def reserve(self, micros: int) -> bool:
        arguments = [micros, self.micros_per_day]
        return bool(await self._reserve(keys=[f"spent:{today()}"], args=arguments))

    async def settle(self, day: str, reserved: int, used: int) -> None:
        await self._valkey.incrby(f"spent:{day}", used - reserved)

    async def spent(self) -> int:
        return int(await self._valkey.get(f"spent:{today()}") or 0)

    async def ping(self) -> None:
        await self._valkey.ping()

    async def close(self) -> None:
        await self._valkey.aclose()


def open_store(url: str, per_minute: int, usd_per_day: float) -> SqliteStore | ValkeyStore:
    """The store of this address: see `Settings.store`."""
    kind = ValkeyStore if url.startswith(("valkey://", "valkeys://")) else SqliteStore
    return kind(url, per_minute, round(usd_per_day * 1e6))
