"""Lesson 12: nothing is lost, nothing saved is paid for twice, and the figure follows the learner's edits."""

import collections
import contextlib
import csv
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import nbformat
import pytest

import helpers
from helpers.offline.server import Server

ROOT = Path(__file__).parents[2]
NAME = "12_many_calls"
CELLS = {
    cell.id: cell.source
    for cell in nbformat.read(ROOT / "notebooks" / f"{NAME}.ipynb", as_version=4).cells
}
KILLS, PROMPTS, AT_ONCE = 50, 150, 4


class Counting(Server):
    """A server that counts each request's answers, and reports when it has given so many."""

    def __init__(self, **options):
        super().__init__(lessons=[NAME], **options)
        self.paid = collections.Counter()
        self.dollars, self.costs = 0.0, {}
        self.report_at, self.reached = 0, threading.Event()

    def respond(self, method, path, headers, content):
        response = super().respond(method, path, headers, content)
        with self._lock:
            if response.status == 200:
                body = json.loads(content)
                asked = body["messages"][-1]["content"]
                self.paid[asked] += 1
                used = json.loads(b"".join(piece for _, piece in response.pieces))["usage"]
                counts = used["prompt_tokens"], used["completion_tokens"]
                self.costs[asked] = helpers.price(counts, body["model"]).usd
                self.dollars += self.costs[asked]
            if sum(self.paid.values()) >= self.report_at:
                self.reached.set()
        return response


def script_of(cell, server, path, prompts):
    """A snippet of the lesson that asks this server for so many products, and keeps them here."""
    source = CELLS[cell].replace("https://api.mistral.ai/v1", server.url)
    assert '":memory:"' in source
    source = source.replace('":memory:"', repr(str(path)))
    assert "range(1, 9)" in source
    return source.replace("range(1, 9)", f"range(1, {prompts + 1})")


def rows_of(path):
    if not path.exists():
        return {}
    with sqlite3.connect(path) as file:
        try:
            rows = dict(file.execute("SELECT request, answer FROM calls"))
        except sqlite3.OperationalError:
            # Killed before it had made the table.
            return {}
    return {json.loads(key)["messages"][0]["content"]: answer for key, answer in rows.items()}


# Starts a script for each line that it reads, in a fork of itself, and prints the fork's number. The packages
# and the system's certificates are loaded then: fifty new Pythons would take most of the test's time.
FORKS = """
import concurrent.futures, os, runpy, signal, sqlite3, ssl, sys, httpx
context = ssl.create_default_context()
ssl.create_default_context = lambda *_, **__: context
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for line in sys.stdin:
    if number := os.fork():
        print(number, flush=True)
        continue
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        runpy.run_path(line.strip())
    finally:
        os._exit(0)
"""


@contextlib.contextmanager
def forks():
    """A function that starts a script and returns the number of its process."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
    with subprocess.Popen([sys.executable, "-c", FORKS], **pipes) as template:

        def start(script):
            template.stdin.write(f"{script}\n")
            return int(template.stdout.readline())

        yield start
        template.stdin.close()


def kill(number):
    """End a process that nothing can prevent, and wait until it has ended."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(number, signal.SIGKILL)
        until = time.monotonic() + 60
        while time.monotonic() < until:
            os.kill(number, 0)
            time.sleep(0.001)
        raise AssertionError(f"process {number} still lives")


@pytest.mark.slow
def test_fifty_kills_lose_nothing_and_pay_for_no_saved_answer_again(tmp_path, monkeypatch):
    """SIGKILL at seeded places; calls and money are counted at the server."""
    monkeypatch.setenv("MISTRAL_API_KEY", "any")
    chance, path, script = random.Random(12), tmp_path / "answers.sqlite", tmp_path / "script.py"
    kills, paid, problems = 0, collections.Counter(), []
    with Counting() as server, forks() as start:
        script.write_text(script_of("checkpoint", server, path, PROMPTS), "utf-8")
        while kills < KILLS:
            before = rows_of(path)
            left = PROMPTS - len(before)
            assert left, "the kills are so placed that something is left for each"
            # Mostly a few answers on, sometimes at the very start.
            more = chance.randint(0, 4)
            server.reached.clear()
            server.report_at = sum(server.paid.values()) + min(more, left - 1)
            process = start(script)
            if more:
                assert server.reached.wait(60), "no further answer in 60 s"
            kill(process)
            kills += 1
            # The server may count the last answers to a killed process only now.
            new, paid = server.paid - paid, server.paid.copy()
            asked_again = set(new) & set(before)
            if asked_again:
                problems.append(f"kill {kills}: asked again for {sorted(asked_again)}")
            after = rows_of(path)
            unsaved = sum(paid.values()) - len(after)
            if not before.items() <= after.items() or not 0 <= unsaved <= kills * AT_ONCE:
                problems.append(f"kill {kills}: {unsaved} answers were paid for and not saved")
        done = subprocess.run(
            [sys.executable, script], capture_output=True, text=True, check=True
        ).stdout
        saved = rows_of(path)
        calls, dollars = sum(server.paid.values()), server.dollars
    assert problems == []
    assert saved == {
        f"What is {n} * 37? Just the number.": str(n * 37) for n in range(1, PROMPTS + 1)
    }
    assert done.splitlines()[-1] == str([str(n * 37) for n in range(1, PROMPTS + 1)]), (
        "order is kept"
    )
    extra = calls - PROMPTS
    assert 0 <= extra <= KILLS * AT_ONCE
    once = sum(server.costs.values())
    assert once < dollars + 1e-9 <= once + extra * max(server.costs.values()) + 2e-9


@pytest.mark.slow
def test_who_interrupts_it_pays_only_for_what_is_under_way(tmp_path, monkeypatch):
    monkeypatch.setenv("MISTRAL_API_KEY", "any")
    path, script = tmp_path / "answers.sqlite", tmp_path / "script.py"
    interrupted = threading.Event()

    class Held(Counting):
        """Answers no more until the script has been interrupted."""

        def respond(self, *request):
            if self.reached.is_set():
                interrupted.wait(60)
            return super().respond(*request)

    with Held() as server:
        script.write_text(script_of("checkpoint", server, path, PROMPTS), "utf-8")
        server.report_at = 10
        with subprocess.Popen([sys.executable, script], stderr=subprocess.PIPE) as process:
            assert server.reached.wait(60)
            process.send_signal(signal.SIGINT)
            time.sleep(0.3)
            interrupted.set()
            assert b"KeyboardInterrupt" in process.stderr.read()
        assert sum(server.paid.values()) <= 10 + 2 * AT_ONCE
        assert rows_of(path).keys() == set(server.paid)


@pytest.fixture
def many(lesson):
    """The lesson, run until a way can be tried."""
    opened = lesson(NAME)
    opened.run("start", "prompts", "limits", "simulated", "body", "ask", "run", "report")
    assert opened.last_error is None
    return opened


def define(many, *cells, **edits):
    """Run cells without their last line, which tries what they define on all prompts."""
    for cell in cells:
        source = many.cells[cell]
        *_, last = source.splitlines()
        assert last.startswith("run(")
        source = source.removesuffix(last)
        name = cell.replace("-", "_")
        many.run(cell, **{name: source.replace(*edits.get(name, ("", "")))})
        assert many.last_error is None


RESUME = ("lines", "key", "file", "save", "saved", "progress", "resume", "interrupt")
PAIRS = "pairs = [(a, b) for a in range(11, 51) for b in range(11, 36)]"


def ask_fewer(many, per_minute=40):
    """100 prompts instead of 1,000."""
    fewer = (PAIRS, PAIRS.replace("51", "15"))
    many.run("prompts", "limits", prompts=fewer, limits=("= 100 ", f"= {per_minute} "))
    assert many.last_error is None


def test_ways_figure_and_table_follow_the_limit_and_the_prompts(many):
    ask_fewer(many)
    ways = (
        "one",
        "threads",
        "all",
        "semaphore",
        "limit",
        "layers",
        "lines",
        "job",
        "finish",
        "batch",
    )
    shown = many.run(*ways, "compare", "compare-plot")
    assert many.last_error is None, shown
    runs = many.names["runs"]
    assert len(runs) == 7
    assert all(row["answered"] + row["lost"] == 100 for row in runs.values())
    assert runs["tasks without limit"]["answered"] <= 40
    assert 2 <= runs["RateLimit"]["minutes"] < 2.5
    complete = [name for name, row in runs.items() if row["answered"] == 100]
    assert complete[-2:] == ["Retry(RateLimit(Budget))", "batch"]
    curves = {
        line.get_color(): line for line in many.names["axis"].lines if len(line.get_xdata()) > 1
    }
    fifth, sixth = (curves[many.names["colors"][place]] for place in (4, 5))
    assert fifth.get_linewidth() >= 2 * sixth.get_linewidth() and sixth.get_linestyle() == "--", (
        "the sixth way hides no curve that it follows"
    )
    title = many.names["axis"].get_title(loc="left")
    assert title.startswith(f"{len(complete)} of 7 ways answer all 100")
    words = " ".join(many.names["texts"].values())
    assert all(f"{row['answered']:,} answered" in words for row in runs.values())


def test_a_batch_costs_half(many):
    ask_fewer(many)
    define(many, "all", "limit")
    many.run("layers", "lines", "job", "finish", "batch")
    runs = many.names["runs"]
    full = runs["Retry(RateLimit(Budget))"]["dollars"]
    assert runs["batch"]["dollars"] == pytest.approx(full / 2)


def test_an_exhausted_budget_loses_only_what_is_left(many):
    """The text says: about a quarter of all prompts, at 0.005 dollars."""
    define(many, "all", "limit")
    shown = many.run("layers", layers=("0.05, transport", "0.005, transport"))
    assert "Not sent: it may cost" in shown, "why they are lost"
    row = many.names["runs"]["Retry(RateLimit(Budget))"]
    assert row["lost"] == pytest.approx(250, abs=30)
    assert row["dollars"] <= 0.005


def test_the_figure_holds_what_is_slow_or_never_answered(many):
    ask_fewer(many, per_minute=2)
    many.run("all", "limit", "layers", layers=("0.05, transport", "0.000001, transport"))
    shown = many.run("compare", "compare-plot")
    assert many.last_error is None, shown
    assert many.names["runs"]["Retry(RateLimit(Budget))"]["answered"] == 0
    right = many.names["axis"].get_xlim()[1]
    assert right > max(row["minutes"] for row in many.names["runs"].values()) > 40


def test_an_interrupted_run_goes_on(many):
    ask_fewer(many)
    define(many, "all", "limit", "layers")
    cells = (*RESUME, "go-on", "failures", "rerun")
    many.run("compare")
    shown = many.run(*cells, interrupt=("patience=90", "patience=70"))
    assert many.last_error is None, shown
    runs = many.names["runs"]
    assert 40 <= runs["until the lid closes"]["answered"] < 100
    assert runs["once more"]["answered"] == 100
    assert "100 answers paid for, for 100 prompts" in shown
    assert "100 answers paid for, for 100 prompts" in many.run("go-on", "rerun", "rerun")
    assert re.search(r"of \d+, \d+ a minute, \$0\.\d+", shown)


def test_the_figure_leaves_out_what_was_not_asked_of_all_prompts(many):
    ask_fewer(many)
    many.run("all")
    define(many, "limit", "layers")
    many.run(*RESUME, interrupt=("count=300", "count=20"))
    many.run("compare", "compare-plot")
    assert many.last_error is None
    assert "until the lid closes" in many.names["runs"]
    assert many.names["axis"].get_title(loc="left").startswith("0 of 1 ways answer all 100")


def test_the_figure_follows_a_way_that_is_tried_again_and_one_of_your_own(many):
    """Only the figure's cell is run again; its words and its title follow."""
    ask_fewer(many)
    many.run("all", "semaphore", "compare", "compare-plot")
    many.run("semaphore", semaphore=("Semaphore(10)", "Semaphore(1)"))
    many.run("semaphore", semaphore=('run("semaphore"', 'run("my own"'))
    many.run("compare-plot")
    assert many.last_error is None
    names = [line.get_label() for line in many.names["axis"].lines if line.get_marker() != ""]
    assert names == ["tasks without limit", "semaphore", "my own"]
    assert many.names["table"].loc["semaphore", "minutes"] > 0.5
    # Of other prompts, and of another limit, only the ways that were tried with them.
    many.run("prompts", "all", "compare-plot", prompts=(PAIRS, "pairs = [(6, 7)]"))
    assert many.last_error is None
    assert "1 of 1 ways answer all 1" in many.names["axis"].get_title(loc="left")
    many.run("limits", "compare-plot", limits=("per_minute = 100", "per_minute = 2_000"))
    assert "run the ways again" in str(many.last_error)


def test_a_limit_is_a_number_of_requests(many):
    many.run("limits", limits=("per_minute = 100", "per_minute = 0"))
    assert str(many.last_error) == "per_minute is 1 or more, and seconds 0 or more."


def test_another_first_day_begins_to_count_anew(many):
    ask_fewer(many)
    define(many, "all", "limit", "layers")
    many.run("compare", *RESUME, "go-on", "rerun")
    shown = many.run("interrupt", "go-on", "rerun", interrupt=("patience=90", "patience=0"))
    assert many.last_error is None, shown
    assert "100 answers paid for, for 100 prompts" in shown


def test_a_way_says_why_prompts_are_lost(many):
    ask_fewer(many)
    define(many, "one")
    shown = many.run("all")
    assert re.search(r"\n    \d\d x Client error '429 Too Many Requests'\n", shown), shown
    many.run("prompts", prompts=("Just the number.", "In words."))
    shown = many.run("one", one=("one_at_a_time)", "one_at_a_time, count=3)"))
    assert "3 x Server error '501 Not Implemented'" in shown


def test_no_prompt_is_asked_twice_if_it_stands_twice(many):
    """The replies stay in the order of the prompts, and as many."""
    define(many, "all", "limit", "layers")
    twice = "pairs = [(6, 7), (8, 9), (6, 7)]"
    many.run("prompts", prompts=(PAIRS, twice))
    shown = many.run(*RESUME)
    assert many.last_error is None
    assert "3 answered, 0 lost, 2 sent" in shown


def test_a_run_can_be_interrupted_at_any_time_and_go_on(many):
    ask_fewer(many)
    define(many, "all", "limit", "layers")
    many.run("compare")
    for patience in (0, 1, 61):
        many.run(*RESUME, interrupt=("patience=90", f"patience={patience}"))
        shown = many.run("go-on", "failures", "rerun", "rerun")
        assert many.last_error is None, shown
        assert many.names["runs"]["once more"]["answered"] == 100, (patience, shown)


def test_what_is_said_about_machines_is_measured():
    with (ROOT / "data/measured/many_machines.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["way"]: row for row in csv.DictReader(file)}
    one, own, shared, killed = rows.values()
    assert {row["right"] for row in rows.values()} == {"120"}, "nothing is lost"
    assert one["refused"] == "0"
    assert int(own["refused"]) > int(shared["refused"])
    assert one["paid"] == shared["paid"] == "120"
    assert int(killed["paid"]) >= 120
