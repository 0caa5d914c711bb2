"""Lesson 07: its simulations hold for other seeds and crowds, and its figures follow the learner's edits."""

import ast
import csv
import re
import statistics
import time
from email.utils import formatdate
from pathlib import Path

import httpx
import matplotlib.pyplot as plt
import pytest

import helpers

ROOT = Path(__file__).parent.parent.parent
NAME = "07_backoff_and_limits"


DEFINED = ("start", "crowd", "travel", "simulate", "ways", "ways-more", "waits", "waits-table")
DEFINED += ("aws", "aws-ways", "run", "run-all")
SHIPPED = {}


@pytest.fixture
def backoff(lesson):
    """The lesson, run until its crowds are simulated: once, then with the variables made then."""
    opened = lesson(NAME)
    if SHIPPED:
        opened.run("start")
        opened.names.update(SHIPPED)
        return opened
    opened.run(*DEFINED)
    assert opened.last_error is None
    SHIPPED.update({k: v for k, v in opened.names.items() if not k.startswith("_")})
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


@pytest.fixture
def shown(monkeypatch):
    """(all titles, description, table) of each figure that was shown."""
    found = []

    def show(figure, description, table=None):
        titles = [axes.get_title(place) for axes in figure.axes for place in ("left", "center")]
        found.append((" ".join([figure.get_suptitle(), *titles]), description, table))
        plt.close(figure)

    monkeypatch.setattr(helpers, "show", show)
    return found


def crowd(clients, per_second):
    return f"clients = {clients}\nper_second = {per_second}"


def run(lesson, *cells, **edits):
    printed = lesson.run(*cells, **edits)
    assert lesson.last_error is None, printed
    return printed


FIGURES = ("compare-words", "compare-plot", "per-second", "waves")


def test_tables_titles_and_descriptions_follow_the_crowd(backoff, shown):
    # First as shipped, as after a first run.
    run(backoff, "run-table", *FIGURES)
    for clients, per_second in ((60, 10), (5, 10), (1, 1), (90, 30)):
        printed = run(
            backoff, "crowd", "run-all", "run-table", *FIGURES, crowd=crowd(clients, per_second)
        )
        best = max(0.1, (clients - 1) // per_second)
        assert f"At best: {clients} calls, all done after {best:g} seconds" in printed
        (title, words, _), (_, waves, _) = shown[-2:]
        means = {}
        for name, runs in backoff.names["crowds"].items():
            assert runs["calls"].min() >= clients
            assert runs["seconds"].min() >= best * 0.3
            means[name] = mean = runs.mean()
            assert f"{name}: {mean['calls']:,.0f} calls, {mean['seconds']:,.1f} seconds" in words
        fewest = min(means.values(), key=lambda mean: mean["calls"])
        assert f"{fewest['calls']:,.0f}" in title and f"all {clients:,} clients" in words
        assert ("Nobody is refused" in title) == (clients <= per_second)
        assert f"fixed: {clients} requests in second 0" in waves
        assert f"{clients:,} clients, {per_second:,} admitted" in waves
        assert "nan" not in words + waves


def test_a_figure_shows_what_was_simulated_and_never_two_crowds(backoff, shown):
    run(backoff, "run-table", *FIGURES)
    before = shown[-2]
    run(backoff, "crowd", "compare-plot", "waves", crowd=crowd(60, 10))
    assert shown[-2][:2] == before[:2], (
        "the crowds are those of 200 clients until they are run again"
    )
    assert "fixed: 60 requests in second 0" in shown[-1][1]
    assert "60 clients, 10 admitted" in shown[-1][1]
    run(backoff, "run-all", "compare-plot")
    assert "all 60 clients" in shown[-1][1]
    assert shown[-1][2]["calls"].max() < 4_000, "its table is that of the new crowds as well"


def test_a_crowd_that_is_never_done_is_refused(backoff):
    printed = backoff.run("crowd", "run-all", crowd=crowd(200, 0))
    assert isinstance(backoff.last_error, ValueError), printed
    run(backoff, "crowd", "per-second")
    fixed = backoff.names["fixed"]
    for clients, per_second in ((200, 0), (200, -1), (0, 10), (200, 0.5)):
        run(backoff, "crowd", crowd=crowd(clients, per_second))
        for simulates in (backoff.names["repeat"], backoff.names["count_by_second"]):
            with pytest.raises(ValueError, match="clients and per_second"):
                simulates(fixed)


def test_a_crowd_that_would_take_minutes_is_refused(backoff):
    run(backoff, "simulate", simulate=("1_000_000", "10_000"))
    printed = backoff.run("run-all")
    assert isinstance(backoff.last_error, ValueError), printed
    assert str(backoff.last_error).startswith("More than a million calls")
    run(backoff, "per-second")


def test_nobody_waits_less_than_no_time(backoff):
    times = backoff.names["simulate"](lambda attempt, last, chance: -5, 50)
    assert times == sorted(times) and max(times) >= 4


def test_figures_of_seconds_leave_out_no_wait_unless_it_is_the_only_way(backoff, shown):
    run(backoff, "crowd", "compare-words", "compare-plot", crowd=crowd(40, 10))
    run(backoff, "ways", "per-second", "waves")
    assert "no wait" not in shown[-1][1]
    kinds = backoff.cells["ways-more"].partition("kinds = ")[2].partition("\n")[0]
    run(backoff, "ways-more", "per-second", "waves", ways_more=(kinds, "[no_wait]"))
    assert "no wait: " in shown[-1][1]


def test_ways_of_your_own_and_fewer_ways(backoff, shown):
    mine = "def lazy(attempt, last, chance):\n    return 3 + chance.random()\n\n\nkinds = ["
    run(backoff, "crowd", crowd=crowd(40, 10))
    for edit, names in (
        (("kinds = [", f"{mine}lazy, "), {"lazy", "no wait", "exponential"}),
        (("no_wait, fixed, exponential, ", ""), {"full jitter", "retry after"}),
    ):
        run(backoff, "ways-more", "waits-table", ways_more=edit)
        run(backoff, "run-all", "run-table", *FIGURES)
        for _, words, table in shown[-2:]:
            assert names - {"no wait"} <= set(table.index)
            assert all(f"{name}: " in words for name in names - {"no wait"})


def test_cells_with_ways_and_figures_can_be_run_again(backoff, shown):
    few = {
        "sizes": ("(50, 100, 200, 400)", "(50, 60)"),
        "aws_run": ("(10, 20, 50, 100)", "(5, 10)"),
    }
    run(backoff, "run-table", *FIGURES, "sizes", "aws-run", "aws-saved", "own", **few)
    run(backoff, "own-use", "retry", "give-up", "sdk", "httpx-retries", "log")
    run(backoff, "stop-attempts", "stop-stays", "compare-plot", "waves", "log-use", "own-use")
    assert shown[0][:2] == shown[-2][:2] and shown[1][:2] == shown[-1][:2]


@pytest.mark.parametrize("share", ["(20, 5, 10)", "(5,)", "(30, 40)"])
def test_model_of_the_article_takes_other_numbers_of_clients(backoff, share):
    run(backoff, "aws-run", "aws-saved", aws_run=("(10, 20, 50, 100)", share))
    assert list(backoff.names["aws"].index) == sorted(ast.literal_eval(share))


def test_every_fault_can_be_played_where_retry_is_shown(backoff, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    backoff.run("own", "own-use", "give-up")
    problems = []
    for name in helpers.transports.load_faults():
        for script in (f'["{name}"] * 10', f'["{name}"]'):
            printed = backoff.run("stop-attempts", stop_attempts=('["overloaded"] * 10', script))
            if backoff.last_error or "attempt" not in printed or "stopped: " not in printed:
                problems.append((script, printed))
    assert problems == []


def test_a_line_is_logged_for_each_status(backoff):
    run(backoff, "own", "own-use", "log")
    for fault in helpers.transports.load_faults().values():
        if fault.status:
            printed = run(backoff, "log-use", log_use=('["overloaded"]', f'["{fault.name}"] * 9'))
            assert f'"status": {fault.status}' in printed, fault.name
            assert '"model": "mistral-small-latest"' in printed


def test_retry_alone_is_not_enough_as_the_text_says(lesson):
    limited = lesson(NAME)
    run(limited, "start", "own", "own-use", "limit", "limit-compare")
    few = ("Server(40,", "Server(50,")
    run(limited, "limit-compare", limit_compare=few)
    assert "'answered': 50, 'lost': 14" in run(limited, "limit-none")
    retried = run(limited, "limit-none", limit_none="await compare(helpers.Retry)")
    # A request may be sent again just when the first minute ends.
    assert 0 < int(re.search(r"'lost': (\d+)", retried)[1]) <= 14


def test_the_exercises_take_no_name_of_the_lesson(backoff, shown):
    run(backoff, "run-table", "per-second")
    run(backoff, "exercise-patience-yours", exercise_patience_yours="patient = longest = 30")
    run(backoff, "compare-words", "compare-plot", "waves")


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


def test_words_about_crowds_hold_for_other_seeds(backoff):
    """Full jitter saves 50 clients time and no calls; equal jitter always makes fewer calls."""
    names = backoff.names

    def equal(attempt, last, chance):
        half = names["exponential"](attempt, last, chance) / 2
        return half + chance.uniform(0, half)

    def mean(way, clients):
        runs = [names["simulate"](way, clients, seed=seed) for seed in range(100, 110)]
        return statistics.mean(map(len, runs)), statistics.mean(map(max, runs))

    plain, jitter = mean(names["exponential"], 50), mean(names["full_jitter"], 50)
    assert jitter[0] == pytest.approx(plain[0], rel=0.03) and jitter[1] < plain[1]
    for clients in (20, 50, 100):
        assert mean(equal, clients)[0] < mean(names["full_jitter"], clients)[0]
    text = "".join(backoff.cells.values()) + (ROOT / f"notebooks/{NAME}.ipynb").read_text("utf-8")
    assert "gains nothing" not in text and "fewer calls or fewer seconds" not in text


def test_a_share_of_refused_calls_is_never_rounded_to_all_or_none(backoff):
    names = backoff.names
    few, many = ({"calls": names["pd"].Series([calls])} for calls in (201, 67_000))
    crowds = {"few": names["pd"].DataFrame(few), "many": names["pd"].DataFrame(many)}
    names.update(crowds=crowds, best={"calls": 200, "seconds": 1})
    printed = run(backoff, "run-table")
    assert "0.5%" in printed and "99.7%" in printed and "100%" not in printed


def test_ways_that_tie_are_not_called_one_winner(backoff, shown):
    run(backoff, "crowd", "compare-words", crowd=crowd(20, 10))
    pandas = backoff.names["pd"]
    means = pandas.DataFrame({"calls": [30, 30, 39, 30], "seconds": [1, 1, 3, 2]}, index=[*"abcd"])
    backoff.names["best"] = {"calls": 20, "seconds": 1}
    title, _ = backoff.names["put_in_words"](means)
    assert title.startswith("Fewest calls: a and 2 more, 30\n")
    title, _ = backoff.names["put_in_words"](means[1:3])
    assert title.startswith("Fewest calls: b, 30\n")


def test_waves_name_the_seconds_that_they_show(backoff, shown):
    few = ("kinds = [no_wait, fixed, exponential, full_jitter, decorrelated, retry_after]",)
    run(backoff, "ways-more", "run-table", *FIGURES, ways_more=(*few, "kinds = [exponential]"))
    title, words, _ = shown[-1]
    assert "Most idle in seconds 0 to 39: exponential, 34" in title
    assert "from 0 to 39" in words and "until all are done" not in words


def test_only_whole_numbers_are_simulated(backoff):
    for numbers in ((20.5, 10), (200, 7.5)):
        with pytest.raises(ValueError, match="whole numbers"):
            backoff.names["simulate"](backoff.names["fixed"], *numbers)


def test_a_date_to_come_back_is_read_as_seconds_from_now(backoff):
    run(backoff, "own", "own-use", "give-up")
    hours = time.time() + 7200
    fault = f"[helpers.transports.make_fault(503, retry_after={formatdate(hours, usegmt=True)!r})]"
    printed = run(backoff, "stop-attempts", stop_attempts=('["overloaded"] * 10', fault))
    assert 7000 < float(re.search(r"asks for ([\d.e+]+) s", printed)[1]) < 7300, printed


def test_an_answer_that_is_no_answer_is_not_called_one(backoff):
    run(backoff, "own", "own-use", "give-up")
    for name in ("proxy_page", "invalid_json", "empty_body"):
        printed = run(backoff, "stop-attempts", stop_attempts=('"overloaded"] * 10', f'"{name}"]'))
        assert "stopped: a 200 came" in printed


def test_a_line_is_logged_for_a_request_without_a_model(backoff):
    run(backoff, "log")
    for request in (
        httpx.Request("GET", "https://a.test"),
        httpx.Request("POST", "https://a.test", json={}),
    ):
        line = backoff.names["log_line"](httpx.Response(200, request=request))
        assert '"model": null' in line
