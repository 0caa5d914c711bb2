"""Starts lesson 13's server as a container does: `python serve.py`, configured by its environment only."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import inspect
import io
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx

APP = Path(__file__).parent.parent.parent / "notebooks" / "13_deploy"
# Of the form of a key, and none.
KEY = "Zk3vR8mW1xQ6tY9bN4cJ7hL2pS5dF0gA"
# One for all: each new client reads the system's certificates first. No connection is used twice.
HTTP = httpx.Client(limits=httpx.Limits(max_keepalive_connections=0))
LIMITS = {"CHAT_PER_MINUTE": "100000", "CHAT_STREAMS": "600", "CHAT_USD_PER_DAY": "1000"}
# A busy machine is not what these tests are about.
LIMITS |= {"CHAT_CONNECT_SECONDS": "60", "CHAT_PIECE_SECONDS": "60"}


class Running:
    """A server. lines: what it has logged so far. url: where it listens."""

    def __init__(self, folder, api_url, **settings):
        environment = {"MISTRAL_API_KEY": KEY, "MISTRAL_BASE_URL": api_url, "CHAT_PORT": "0"}
        environment |= {"CHAT_STORE": "chat.sqlite3", **LIMITS, **settings}
        self.output = []
        self.process = subprocess.Popen(
            [sys.executable, APP / "serve.py"],
            cwd=folder,
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._started = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert self._started.wait(60), "the server has not started in 60 s"
        started = [line for line in self.lines if line["event"] == "started"]
        assert started, "".join(self.output)
        self.url = f"http://127.0.0.1:{started[0]['port']}"

    def _read(self):
        for line in self.process.stdout:
            self.output.append(line)
            if '"started"' in line:
                self._started.set()
        self._started.set()

    @property
    def lines(self):
        return [json.loads(line) for line in self.output if line.startswith("{")]

    @property
    def ends(self):
        """How each chat ended, in the order of their ends."""
        return [line["end"] for line in self.lines if line["event"] == "chat"]

    def line(self, response):
        """The line of log about a response, which is written after its end."""
        number = response.headers["x-request-id"]
        until(lambda: any(line.get("id") == number for line in self.lines))
        return next(line for line in self.lines if line.get("id") == number)

    def stop(self, number=15):
        """End it with this signal, and wait until it has ended and all its lines are read."""
        self.process.send_signal(number)
        self.process.wait(60)
        self._reader.join(60)

    def forget(self):
        """Begin anew: nothing was asked."""
        self.api.seen.clear()
        self.api.keys.clear()
        self.api.left = self.api.most_open = 0

    def rss(self):
        """Its memory, in bytes (Linux)."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")


@contextlib.contextmanager
def running(folder, api_url, **settings):
    server = Running(folder, api_url, **settings)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.stop(9)


def question(text):
    return {"messages": [{"role": "user", "content": text}]}


def read_events(text):
    """[(kind, data)] of a stream that the server wrote."""
    parts = [part.split("\n") for part in text.split("\n\n") if part]
    return [
        (kind.removeprefix("event: "), json.loads(data.removeprefix("data: ")))
        for kind, data in parts
    ]


def post(server, timeout=60, **options):
    return HTTP.post(f"{server.url}/chat", timeout=timeout, **options)


def ask(server, text, **options):
    return post(server, json=question(text), **options)


def text_of(response):
    """The answer, as far as it came; nothing where a problem came instead."""
    if response.status_code != 200:
        return ""
    return "".join(data["text"] for kind, data in read_events(response.text) if kind == "piece")


def code_of(response):
    """The code of a problem, whether it came as an answer or inside a stream."""
    if response.headers["content-type"].startswith("application/json"):
        return response.json()["error"]["code"]
    return next(
        (data["code"] for kind, data in read_events(response.text) if kind == "error"), None
    )


@contextlib.asynccontextmanager
async def sent(server, text):
    """A connection that has sent this question: its reader. httpx takes most of a test's time for many."""
    body = json.dumps(question(text)).encode()
    head = "POST /chat HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n"
    head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", httpx.URL(server.url).port)
    try:
        writer.write(head.encode() + body)
        yield reader
    finally:
        writer.close()


class Received(io.BytesIO):
    """All that came over a connection, as http.client reads it."""

    def makefile(self, mode):
        return self


async def ask_plainly(server, text):
    async with sent(server, text) as reader, asyncio.timeout(120):
        received = http.client.HTTPResponse(Received(await reader.read()))
    received.begin()
    return httpx.Response(received.status, headers=received.getheaders(), content=received.read())


async def ask_many(server, texts):
    """The answers to all of these, asked at the same time."""
    return await asyncio.gather(*(ask_plainly(server, text) for text in texts))


async def ask_held(server, api, count, until_open):
    """The answers to so many questions of which each is written on only once a condition holds.

    until_open: what must be true before the API goes on writing.
    """
    api.gate.clear()
    asked = asyncio.create_task(ask_many(server, ["held"] * count))
    try:
        await asyncio.to_thread(until, until_open)
    finally:
        api.gate.set()
    return await asked


def until(is_true, seconds=60):
    """Wait until it is. Raises AssertionError after so many seconds."""
    end = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < end, f"not so after {seconds} s: {inspect.getsource(is_true)}"
        time.sleep(0.01)
