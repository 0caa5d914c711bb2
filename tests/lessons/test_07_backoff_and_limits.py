"""Lesson 07: its simulations hold for other seeds and crowds, and its figures follow the learner's edits."""

import csv
import re
import statistics
from pathlib import Path

import httpx
import pytest

import helpers

ROOT = Path(__file__).parent.parent.parent
NAME = "07_backoff_and_limits"


@pytest.fixture
def backoff(lesson):
    """The lesson, run until its simulations are defined."""
    opened = lesson(NAME)
    opened.run(
        "start", "crowd", "simulate", "ways", "ways-more", "waits", "waits-table", "aws", "aws-ways"
    )
    assert opened.last_error is None
    return opened


def test_model_of_the_article_gives_its_results(backoff):
    """Brooker 2015: with 100 contending clients, jitter more than halves the calls, and saves time."""
    names = backoff.names

    def mean(name):
        runs = [names["contend"](names["aws_ways"][name], 100, seed) for seed in range(100, 110)]
        return [statistics.mean(values) for values in zip(*runs, strict=True)]

    jitter, plain, no_wait = map(mean, ("full jitter", "exponential", "no wait"))
    assert jitter[0] < plain[0] / 2 < no_wait[0] / 2
    assert jitter[1] < plain[1] / 2


def test_jitter_saves_more_calls_in_a_larger_crowd(backoff):
    names, problems = backoff.names, []
    for clients, share in ((50, 1), (200, 0.51), (400, 0.34)):
        for seed in range(100, 105):
            plain, jitter = (
                names["simulate"](names["ways"][way], clients, seed=seed)
                for way in ("exponential", "full jitter")
            )
            if len(jitter) / len(plain) != pytest.approx(share, abs=0.05):
                problems.append((clients, seed, len(jitter) / len(plain)))
    assert problems == []


def test_all_clients_are_served_and_none_before_the_server_can(backoff):
    for way in backoff.names["ways"].values():
        times = backoff.names["simulate"](way, 200)
        assert len(times) >= 200
        assert max(times) >= 19


@pytest.mark.parametrize(("clients", "per_second"), [(60, 10), (5, 10), (120, 30)])
def test_tables_titles_and_descriptions_follow_the_crowd(backoff, clients, per_second):
    crowd = f"clients = {clients}\nper_second = {per_second}"
    shown = backoff.run(
        *(
            "run",  # before the change, as after a first run
            "crowd",
            "run-all",
            "run-table",
            "compare-words",
            "compare-plot",
            "per-second",
            "waves",
        ),
        crowd=crowd,
    )
    assert backoff.last_error is None, shown
    assert f"At best: {clients} calls in {clients / per_second:g} seconds" in shown
    crowds = backoff.names["crowds"]
    for name, runs in crowds.items():
        assert runs["calls"].min() >= clients
        words = f"{name}: {runs['calls'].mean():,.0f} calls, {runs['seconds'].mean():,.0f} seconds"
        assert words in backoff_text(backoff), words
    better = crowds["full jitter"].mean() / crowds["exponential"].mean()
    assert f"{better['calls']:.0%} of the calls" in backoff.names["axis_title"]


def test_the_exercises_take_no_name_of_the_lesson(backoff):
    backoff.run("run", "run-all", "run-table", "per-second")
    backoff.run("exercise-patience-yours", exercise_patience_yours="patient = longest = 30")
    backoff.run("compare-words", "compare-plot", "waves")
    assert backoff.last_error is None


def backoff_text(lesson):
    """All words of the scatter plot's description."""
    return "; ".join(lesson.names["compared"])


def test_post_caps_waits_and_retries_the_network(backoff, monkeypatch):
    backoff.run("own")
    waits = []
    monkeypatch.setattr("time.sleep", waits.append)
    fault = helpers.transports.make_fault
    body = {"model": "mistral-small-latest", "messages": []}

    def play(*script):
        waits.clear()
        faults = helpers.Faults(httpx.MockTransport(lambda _: httpx.Response(200)), script)
        with httpx.Client(transport=faults) as client:
            try:
                backoff.names["post"](client, body)
            except httpx.HTTPError as error:
                return len(faults.played), type(error).__name__
        return len(faults.played), "answered"

    assert play("connection_reset", "no_connection", 520) == (4, "answered")
    assert play(fault(429, retry_after=3600)) == (1, "HTTPStatusError")
    assert waits == []
    assert play(fault(429, retry_after=40)) == (2, "answered")
    assert 40 <= sum(waits) <= 60
    assert play("no_allowance") == (1, "HTTPStatusError")
    assert play("unknown_field") == (1, "HTTPStatusError")
    assert play(*["connection_reset"] * 9) == (6, "ReadError")


def test_the_sliding_window_is_the_measured_one(lesson):
    script = (ROOT / "tests/benchmarks/sliding_window.lua").read_text("utf-8").strip()
    text = (ROOT / "notebooks" / f"{NAME}.ipynb").read_text("utf-8")
    shown = "".join(re.findall(r"```lua\\n(.*?)```", text, re.DOTALL))
    squeezed = re.sub(r"[\s\"\\,n]", "", shown)
    assert squeezed == re.sub(r"[\s\"\\,n]", "", script)


def test_what_is_said_about_measurements_is_in_them():
    def rows(name, key):
        with (ROOT / "data/measured" / name).open(encoding="utf-8", newline="") as file:
            return {row[key]: row for row in csv.DictReader(file)}

    libraries = rows("retry_libraries.csv", "library")
    hour = {name: int(row["seconds waited when told 3600"]) for name, row in libraries.items()}
    assert hour["helpers.Retry"] == 0 < hour["tenacity"] < 60 <= hour["httpx-retries"] < 120
    assert hour["the SDK's RetryConfig"] == 3600
    slow = {name for name, row in libraries.items() if int(row["seconds of a crowd"]) > 150}
    assert slow == {"the SDK's RetryConfig", "stamina"}
    own, fixed, shared = rows("shared_limit.csv", "way").values()
    assert int(own["refused"]) > 100
    assert fixed["refused"] == shared["refused"] == "0"
    assert float(shared["minutes"]) < float(fixed["minutes"]) / 3
    assert float(fixed["minutes"]) > 8
