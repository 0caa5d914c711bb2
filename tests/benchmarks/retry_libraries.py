"""Play the same faults to five ways to retry, and write down what each does. `make retry-libraries`.

Writes data/measured/retry_libraries.csv, which lesson 07 shows. Each way gets six attempts and waits that
double from one second on, as far as its settings allow; the SDK has no number of attempts, only a total
time, here 60 seconds. No time passes: `time.sleep` and `time.time` are replaced.

The last two columns are of 200 clients that begin at once and a server that admits 10 requests a second,
simulated with lesson 07's own `simulate`. Each wait in it is drawn from 200 measured ones of that library.
"""

import contextlib
import csv
import datetime
import importlib.metadata
import json
import os
import statistics
import time
from pathlib import Path
from unittest import mock

import httpx
import httpx_retries
import stamina
import tenacity
from mistralai.client import Mistral
from mistralai.client.errors import MistralError
from mistralai.client.utils import BackoffStrategy, RetryConfig

import helpers
from helpers.transports import Clock, make_fault

ROOT = Path(__file__).parents[2]
OUT = ROOT / "data" / "measured" / "retry_libraries.csv"
LESSON = ROOT / "notebooks" / "07_backoff_and_limits.ipynb"
ASK = {
    "model": "mistral-small-latest",
    "messages": [{"role": "user", "content": "Count from 1 to 5."}],
}
PASSES = {429, 500, 502, 503, 504}
LONG = 12


class Waits:
    """Replaces `time.sleep` and `time.time`: sleeping takes no time and is written down."""

    def __init__(self):
        self.now, self.waits = time.time(), []

    def sleep(self, seconds):
        self.waits.append(seconds)
        self.now += seconds

    def time(self):
        return self.now


def stream(transport):
    """The pieces of a streamed answer."""
    with httpx.Client(transport=transport) as client:
        yield from helpers.stream(ASK["messages"], model=ASK["model"], client=client)


def worth_it(error):
    return isinstance(error, httpx.TransportError) or getattr(error, "status", None) in PASSES


def by_helpers(faults, show, attempts):
    for piece in stream(helpers.Retry(faults, attempts=attempts, total=10_000)):
        show(piece)


def by_httpx_retries(faults, show, attempts):
    rules = httpx_retries.Retry(
        total=attempts - 1,
        backoff_factor=0.5,
        max_backoff_wait=60,
        allowed_methods=["GET", "POST"],
        status_forcelist=sorted(PASSES),
    )
    for piece in stream(httpx_retries.RetryTransport(faults, retry=rules)):
        show(piece)


def by_sdk(faults, show, attempts):
    total = 60_000 if attempts == 6 else 10_000_000
    config = RetryConfig("backoff", BackoffStrategy(1000, 60_000, 2, total), True)
    sdk = Mistral(
        api_key=os.environ["MISTRAL_API_KEY"],
        client=httpx.Client(transport=faults),
        retry_config=config,
    )
    with sdk.chat.stream(**ASK) as events:
        for event in events:
            show(event.data.choices[0].delta.content or "")


def by_tenacity(faults, show, attempts):
    @tenacity.retry(
        wait=tenacity.wait_random_exponential(multiplier=1, max=60),
        stop=tenacity.stop_after_attempt(attempts),
        retry=tenacity.retry_if_exception(worth_it),
        reraise=True,
    )
    def ask():
        for piece in stream(faults):
            show(piece)

    ask()


def by_stamina(faults, show, attempts):
    @stamina.retry(on=worth_it, attempts=attempts, timeout=None, wait_initial=1, wait_max=60)
    def ask():
        for piece in stream(faults):
            show(piece)

    ask()


WAYS = {
    "helpers.Retry": (by_helpers, None),
    "httpx-retries": (by_httpx_retries, "httpx-retries"),
    "the SDK's RetryConfig": (by_sdk, "mistralai"),
    "tenacity": (by_tenacity, "tenacity"),
    "stamina": (by_stamina, "stamina"),
}


def play(way, *script, attempts=6):
    """(requests sent, waits in seconds, text shown) of one streamed call."""
    # Delays of faults are not waits of the library: they have a clock of their own.
    faults = helpers.Faults(httpx.HTTPTransport(), script, clock=helpers.transports.FakeClock())
    shown, clock = [], Waits()
    errors = (httpx.HTTPError, MistralError)
    with (
        mock.patch("time.sleep", clock.sleep),
        mock.patch("time.time", clock.time),
        mock.patch.object(Clock, "now", lambda _: clock.now),
        contextlib.suppress(*errors),
    ):
        way(faults, shown.append, attempts)
    return len(faults.played), clock.waits, "".join(shown)


def waited(way, seconds):
    """Seconds waited after a 429 with this `Retry-After`; the 422 after it ends the call."""
    return round(sum(play(way, make_fault(429, retry_after=seconds), "unknown_field")[1]))


def crowd(measured):
    """(mean calls, mean seconds) of 20 simulated crowds that wait as measured."""
    cells = {cell["id"]: cell for cell in json.loads(LESSON.read_text("utf-8"))["cells"]}
    names = {}
    exec("".join(cells["simulate"]["source"]), names)

    def wait(attempt, last, chance):
        return chance.choice(measured)[min(attempt, LONG) - 1]

    runs = [names["simulate"](wait, seed=seed) for seed in range(20)]
    return (
        round(statistics.mean(map(len, runs))),
        round(statistics.mean(map(max, runs))),
    )


def measure(way):
    """One row of the table."""
    measured = [
        play(way, *["overloaded"] * LONG, "unknown_field", attempts=LONG + 1)[1] for _ in range(200)
    ]
    first, fourth = zip(*((waits[0], waits[3]) for waits in measured), strict=True)
    calls, seconds = crowd(measured)
    return {
        "requests, if a 500 stays": play(way, *["server_error"] * 99)[0],
        "requests, if it is a 422": play(way, "unknown_field")[0],
        "requests, without allowance": play(way, *["no_allowance"] * 99)[0],
        "retries a reset": play(way, "connection_reset")[0] == 2,
        "seconds waited when told 40": waited(way, 40),
        "seconds waited when told 3600": waited(way, 3600),
        "shows a cut stream twice": play(way, "cut")[2].count("1") > 1,
        "first wait, seconds": f"{min(first):.1f} to {max(first):.1f}",
        "fourth wait, seconds": f"{min(fourth):.1f} to {max(fourth):.1f}",
        "calls of a crowd": calls,
        "seconds of a crowd": seconds,
    }


def main():
    helpers.start("03_streaming")
    stamina.instrumentation.set_on_retry_hooks([])
    rows = []
    for name, (way, package) in WAYS.items():
        version = importlib.metadata.version(package) if package else ""
        made = {"version": version, "date": datetime.date.today().isoformat()}
        rows.append({"library": name, **measure(way), **made})
        print(rows[-1])
    with OUT.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
