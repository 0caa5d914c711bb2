"""Measure one function under Dask: in one process and in three, with a limit of their own or a shared one.

Writes data/measured/many_machines.csv, which lesson 12 shows. `make many-machines` installs what it needs
beside the environment, as for `shared_limit.py`. The API is the offline server, which admits 60 requests a
minute; its clock runs 3 times as fast. There are 120 prompts in blocks of 10.
"""

import asyncio
import csv
import datetime
import functools
import importlib.metadata
import os
import signal
import threading
import time
import uuid
from pathlib import Path

import distributed
import httpx
import valkey

import helpers
from helpers.offline.server import Server
from helpers.transports.layer import Layer
from tests.benchmarks.valkey_server import running_valkey

HERE = Path(__file__).parent
OUT = HERE.parents[1] / "data" / "measured" / "many_machines.csv"
SPEED, LIMIT, WORKERS, BLOCK = 3, 60, 3, 10
# As in `shared_limit.py`: a request reaches the server a little later than it was counted.
WINDOW = 63
PAIRS = [(a, b) for a in range(11, 21) for b in range(11, 23)]
PROMPTS = [f"What is {a} * {b}? Just the number." for a, b in PAIRS]
PRODUCTS = [str(a * b) for a, b in PAIRS]


class SharedLimit(Layer):
    """Holds a request back until a window in Valkey, which counts for all processes, admits it."""

    def __init__(self, transport, clock, port):
        super().__init__(transport, clock)
        database = valkey.Valkey(port=port)
        self.script = database.register_script((HERE / "sliding_window.lua").read_text())

    def flow(self, request):
        while wait := (yield self.ask_valkey):
            yield wait
        return (yield request)

    def ask_valkey(self):
        seconds = WINDOW / SPEED
        return float(self.script(keys=["limit"], args=[LIMIT, seconds, str(uuid.uuid4())])) * SPEED


def work(prompts, url, port):
    """The answers to a block of prompts, asked at the same time. port: of Valkey, or None."""
    return asyncio.run(_work(prompts, url, port))


# One limit for all blocks of a process.
@functools.cache
def _rate_limit():
    clock = helpers.transports.Clock(SPEED)
    return clock, helpers.RateLimit(Fresh(httpx.AsyncHTTPTransport(verify=False)), clock=clock)


class Fresh(Layer):
    """Opens a network for each request: each block has an event loop of its own. Without TLS here."""

    async def handle_async_request(self, request):
        async with httpx.AsyncHTTPTransport(verify=False) as network:
            response = await network.handle_async_request(request)
            content = await response.aread()
            headers = response.headers
            return httpx.Response(response.status_code, headers=headers, content=content)


async def _work(prompts, url, port):
    clock, limited = _rate_limit()
    if port:
        limited = SharedLimit(Fresh(httpx.AsyncHTTPTransport(verify=False)), clock, port)
    transport = helpers.Retry(limited, clock=clock)
    headers = {"Authorization": "Bearer any"}
    async with httpx.AsyncClient(transport=transport, base_url=url, headers=headers) as client:

        async def ask(prompt):
            message = {"role": "user", "content": prompt}
            body = {"model": "mistral-small-latest", "messages": [message], "max_tokens": 10}
            response = await client.post("/chat/completions", json=body, timeout=60)
            answer = response.raise_for_status().json()
            return answer["choices"][0]["message"]["content"]

        return await asyncio.gather(*map(ask, prompts), return_exceptions=True)


def measure(workers, port, kill=False):
    """(answered, refused, answers that the server gave, minutes)."""
    blocks = [PROMPTS[place : place + BLOCK] for place in range(0, len(PROMPTS), BLOCK)]
    clock = helpers.transports.Clock(SPEED)
    with (
        Server(LIMIT, lessons=["12_many_calls"], clock=clock) as server,
        distributed.LocalCluster(
            n_workers=workers, threads_per_worker=1, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        began = clock.now()
        futures = client.map(work, blocks, url=server.url, port=port, pure=False)
        if kill:
            killer = threading.Timer(
                4, os.kill, (min(client.run(os.getpid).values()), signal.SIGKILL)
            )
            killer.start()
        found = [answer for block in client.gather(futures) for answer in block]
        minutes = (clock.now() - began) / 60
        right = sum(answer == product for answer, product in zip(found, PRODUCTS, strict=True))
        return right, server.refused, server.answered, minutes


def main():
    with running_valkey() as (port, version):
        ways = {
            "one process, RateLimit": (1, None),
            "three workers, each its own RateLimit": (WORKERS, None),
            "three workers, one window in Valkey": (WORKERS, port),
            "the same, one worker killed": (WORKERS, port, True),
        }
        rows = []
        for name, how in ways.items():
            valkey.Valkey(port=port).flushall()
            rows.append((name, *measure(*how)))
            print(*rows[-1])
            time.sleep(1)
    packages = [f"{name} {importlib.metadata.version(name)}" for name in ("distributed", "valkey")]
    made = f"Valkey {version}, {', '.join(packages)}", datetime.date.today().isoformat()
    with OUT.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["way", "right", "refused", "paid", "minutes", "versions", "date"])
        for name, right, refused, paid, minutes in rows:
            writer.writerow((name, right, refused, paid, f"{minutes:.1f}", *made))


if __name__ == "__main__":
    main()
