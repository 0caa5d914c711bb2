"""Measure what lesson 13's server adds to a call, and how many streams one process holds.

Writes data/measured/deploy.csv, which lesson 13 shows. The API is the offline API as tests/deploy scripts it, on
the same machine. The time to the first piece is measured in pairs, direct and through the server in turn, each
on a connection that is open already. The many streams last about two seconds each.
"""

import asyncio
import collections
import csv
import datetime
import statistics
import tempfile
import time
from pathlib import Path

import httpx

from tests.deploy.scripted import ScriptedApi
from tests.deploy.server import ask_many, code_of, question, running, text_of

OUT = Path(__file__).parents[2] / "data" / "measured" / "deploy.csv"
PAIRS = 300
TASK = "pieces 3 0"
LONG = "pieces 20 0.1"


def first_piece(client, url, body):
    """Milliseconds until the first text arrives."""
    began = time.perf_counter()
    with client.stream("POST", url, json=body) as response:
        response.raise_for_status()
        parts = response.iter_raw()
        next(parts)
        took = time.perf_counter() - began
        for _ in parts:
            pass
    return 1000 * took


def measure_overhead(api, server):
    """Direct and through the server, in turn."""
    direct_body = {"model": "mistral-small-latest", "stream": True, **question(TASK)}
    with httpx.Client() as client:
        for number in range(-10, PAIRS):
            direct = first_piece(client, f"{api.url}/chat/completions", direct_body)
            through = first_piece(client, f"{server.url}/chat", question(TASK))
            if number >= 0:
                yield direct, through


def measure_streams(server, count):
    """(lost, memory in MB) of so many streams at the same time."""
    whole = "".join(f"{n} " for n in range(20))
    responses = asyncio.run(ask_many(server, [LONG] * count))
    print(count, "streams:", collections.Counter(map(code_of, responses)))
    lost = sum(text_of(response) != whole for response in responses)
    return lost, server.rss() / 1e6


def row(what, times):
    times = sorted(times)
    return (what, f"{statistics.median(times):.1f}", f"{times[int(0.95 * len(times))]:.1f}", "", "")


def main():
    with (
        tempfile.TemporaryDirectory() as folder,
        ScriptedApi() as api,
        running(folder, api.url) as server,
    ):
        direct, through = zip(*measure_overhead(api, server), strict=True)
        rows = [row("first piece, direct", direct), row("first piece, through the server", through)]
        for count in (64, 256):
            lost, memory = measure_streams(server, count)
            rows.append((f"{count} streams at once", "", "", lost, f"{memory:.0f}"))
    day = datetime.date.today().isoformat()
    with OUT.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("what", "median_ms", "p95_ms", "lost", "memory_mb", "date"))
        writer.writerows((*line, day) for line in rows)
    print(OUT.read_text("utf-8"))


if __name__ == "__main__":
    main()
