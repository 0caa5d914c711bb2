"""Lesson 13: its servers obey the settings that a learner edits, and its simulation is right."""

import re

import numpy as np
import pandas as pd
import pytest

import helpers
from tests.lessons.cells import Lesson, in_notebooks

NAME = "13_deploy"


STORE = 'f"spent-{len(logs)}.sqlite3"'
LOADS = "(0.3, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)"
BEGIN = (
    "start",
    "client-key",
    "small",
    "small-ask",
    "api",
    "run",
    "find-line",
    "run-it",
    "ask",
    "events",
)


@pytest.fixture(scope="module")
def begun():
    """The lesson's first cells, run once until a chat can be started; it ends with the module."""
    with in_notebooks():
        opened = Lesson(NAME)
        opened.run(*BEGIN)
    assert opened.last_error is None, opened.last_error
    made = {name: value for name, value in opened.names.items() if not name.startswith("_")}
    yield opened, made
    for server in made["logs"]:
        server.kill()
        server.wait()
    made["api"].__exit__(None, None, None)


@pytest.fixture
def deploy(begun):
    """The lesson as it is after those cells, whatever a test made of it before."""
    opened, made = begun
    with in_notebooks():
        opened.shell.reset(new_session=True)
        opened.names.update(made)
        # Each test begins without a key.
        opened.run("start")
        yield opened


@pytest.fixture
def queue(lesson):
    """The lesson's simulation alone."""
    opened = lesson(NAME)
    opened.run("start", "queue")
    opened.names["pd"] = pd
    assert opened.last_error is None
    return opened


def test_edited_limits_hold(deploy):
    assert deploy.last_error is None
    shown = deploy.run("user", user=('CHAT_PER_MINUTE="3"', "CHAT_PER_MINUTE=2"))
    assert "[200, 200, 429, 429, 429]" in shown
    shown = deploy.run("hops", hops=('CHAT_HOPS="1"', 'CHAT_HOPS="2"'))
    assert "[200, 200, 200, 200, 200]" in shown, "counted wrongly, the lies count again"


def test_a_larger_budget_admits_the_question_after_the_crash(deploy):
    shown = deploy.run("odd", "budget", "budget-again", budget=('"0.0009"', '"0.5"'))
    assert deploy.last_error is None
    assert "200 A **container** is a process" in shown


def test_the_budget_begins_anew_with_each_run_and_is_read_where_it_is_kept(deploy):
    for store in (None, ":memory:", "mine.sqlite3"):
        edit = {} if store is None else {"budget": (STORE, f'"{store}"')}
        shown = deploy.run("odd", "budget", "budget-again", "budget-sql", **edit)
        assert deploy.last_error is None, shown
        assert shown.strip().startswith("200")
        assert ("503 The chat" in shown) == (store != ":memory:")
        assert ("of $0.000900" in shown) == (store != ":memory:")
    assert "200" in deploy.run("budget"), "a second run"


def test_a_larger_limit_or_a_shorter_answer_lets_the_second_question_through(deploy):
    for edit in (("= 500, 0, 800", "= 5000, 0, 800"), ("= 500, 0, 800", "= 500, 0, 10")):
        shown = deploy.run("book", book=edit)
        assert deploy.last_error is None, shown
        assert shown.count("answered: What is a") == 2


def test_a_valid_request_among_the_odd_ones_is_shown_with_its_answer(deploy):
    valid = '"valid": {"messages": [say("user", "What is a container?")]},'
    shown = deploy.run("odd", "odd-send", odd=('"no list":', f'{valid} "no list":'))
    assert deploy.last_error is None, shown
    assert "A **container** is" in shown and shown.count("This request can't be read.") == 3


def test_the_log_line_is_that_of_the_story_left_last(deploy):
    text = "Tell me a short story about a ferry."
    deploy.names["story"] = {"messages": [{"role": "user", "content": text}]}
    shown = deploy.run("leave", "leave-log")
    assert "'end': 'left'" in shown, shown
    shown = deploy.run("leave", "leave-log", leave=("next(left", '"".join(left'))
    assert "'end': 'stop'" in shown, shown


def test_a_refused_model_is_no_success_of_the_smallest_server(deploy):
    shown = deploy.run("small-ask", small_ask=("question =", "question = {'model': 'none'} |"))
    assert deploy.last_error is None, shown
    assert "\n400 application/json" in shown and "Invalid model" in shown


def test_a_question_of_ones_own_is_answered_or_refused_in_words(deploy):
    names = deploy.names
    own = names["ask"](names["url"], "Why do web servers have health checks?")
    assert names["seen"](own).startswith("So that a platform can act")
    unknown = names["ask"](names["url"], "What is my name?")
    assert names["seen"](unknown) == "The model can't answer now. Try again later."
    shown = deploy.run("ask", "events", "log", ask=("What is a reverse proxy?", "Who are you?"))
    assert deploy.last_error is None, shown
    assert "The model can't answer now." in shown


def test_the_smallest_server_has_every_hole_that_the_lesson_names(deploy):
    """Another model, a megabyte and another site's page: all go through to the API."""
    deploy.run("origin")
    assert deploy.last_error is None
    assert deploy.names["taken"].status_code == 200


def test_simulated_waits_agree_with_pollaczek_and_khinchine(queue):
    waits, problems = queue.names["simulate_waits"], []
    sample = np.random.default_rng(5).lognormal(7, 0.6, 1_000_000) / (50_000 / 60)
    for parts, loads in ((1, (0.3, 0.6, 0.8)), (4, (0.6,))):
        service = sample * parts
        for load in loads:
            formula = load / (1 - load) * (service**2).mean() / (2 * service.mean())
            runs = [waits(load, parts, seed=seed).mean() for seed in range(10, 16)]
            if np.mean(runs) != pytest.approx(formula, rel=0.08):
                problems.append((parts, load, formula, np.mean(runs)))
    assert problems == []


def test_fixed_parts_wait_as_many_times_as_long(queue):
    waits = queue.names["simulate_waits"]
    for parts in (2, 4, 8):
        ratio = np.percentile(waits(0.8, parts), 95) / np.percentile(waits(0.8), 95)
        assert ratio == pytest.approx(parts, rel=0.01)


def test_title_and_description_follow_other_loads_and_parts(queue):
    queue.run(
        "queue-table",
        "queue-plot",
        queue_table=(LOADS, "(0.4, 0.2)"),
    )
    assert queue.last_error is None
    waits = queue.names["waits"]
    assert list(waits.index) == [0.2, 0.4]
    p95 = waits.loc[0.4, "one shared queue, p95"]
    assert f"At a load of 0.4, 5% wait\nover {p95:.3g} s with one" in title_of(queue)
    queue.cells["queue-table"] = queue.cells["queue-table"].replace("in (1, 4)", "in (2, 3, 8)")
    queue.run("queue-table", "queue-plot", queue_table=(LOADS, "(0.5, 0.7)"))
    assert queue.last_error is None
    assert all(f"s with {parts} fixed parts" in title_of(queue) for parts in (2, 8))


def test_figure_and_table_follow_other_percentiles(queue, monkeypatch):
    monkeypatch.setattr(helpers, "show", lambda figure, text, table: print(text))
    shown = queue.run("queue-table", "queue-plot", queue_table=("(50, 95)", "(50, 90, 99)"))
    assert queue.last_error is None
    waits = queue.names["waits"]
    assert list(waits)[:3] == [f"one shared queue, p{p}" for p in (50, 90, 99)]
    assert waits.loc[0.8, "one shared queue, p99"] == np.percentile(
        queue.names["simulate_waits"](0.8), 99
    )
    p99 = waits.loc[0.8, "one shared queue, p99"]
    assert f"At a load of 0.8, 1% wait\nover {p99:.3g} s" in title_of(queue)
    assert "p99 goes" in shown and "95" not in title_of(queue)


def test_a_load_given_twice_is_shown_once(queue):
    queue.run("queue-table", "queue-plot", queue_table=(LOADS, "(0.5, 0.5, 0.7)"))
    assert queue.last_error is None
    assert list(queue.names["waits"].index) == [0.5, 0.7]


def test_formula_and_simulation_follow_another_rate(queue):
    queue.run("queue", queue=("50_000 / 60", "200_000 / 60"))
    shown = queue.run("queue-check")
    assert queue.last_error is None
    found = re.findall(r"([\d.]+) s by the formula, ([\d.]+) s simulated", shown)
    assert len(found) == 2
    assert all(float(a) == pytest.approx(float(b), abs=0.1) for a, b in found), shown


@pytest.mark.parametrize(
    "arguments", [(1,), (1.2,), (0,), (-0.5,), (0.5, 0), (0.5, 0.5), (0.5, 1.5)]
)
def test_a_queue_that_never_settles_or_has_half_a_part_is_refused(queue, arguments):
    with pytest.raises(ValueError, match="must be"):
        queue.names["simulate_waits"](*arguments)


def title_of(queue):
    return queue.names["axis"].get_title(loc="left")


def test_the_log_line_of_the_lesson_holds_no_text(deploy):
    names = deploy.names
    reply = names["ask"](names["url"], "What is a container?")
    line = names["find_line"](names["server"], id=reply.headers["x-request-id"])
    assert line["event"] == "chat"
    assert "container" not in str(line) and "process" not in str(line)


def test_cells_may_run_again_and_in_another_order(deploy):
    """None of them waits for a line of log that has been read, or is spoiled by a later one."""
    deploy.run(
        "log", "odd", "budget", "leave", "leave-log", "leave-log", "book", "key-nowhere", "log"
    )
    assert deploy.last_error is None
    shown = deploy.run("grace", "user", grace=('"0.2"', '"20"'), user=('"3"', '"9"'))
    assert deploy.last_error is None, shown
    assert "end {'finish_reason': 'stop'}" in shown and "[200, 200, 200, 200, 200]" in shown


def test_faults_that_end_a_stream_are_shown_as_well(deploy):
    shown = deploy.run("errors", "errors-table", errors=("[401, 429, 500,", '["cut", None, 422,'))
    assert deploy.last_error is None, shown
    assert "A **container** is" in shown and "The model can't answer now." in shown


def test_a_setting_that_cannot_be_read_is_reported_in_words(deploy):
    shown = deploy.run("user", user=('"3"', '"three"'))
    assert "CHAT_PER_MINUTE is 'three'; it must be a whole number" in shown


def test_the_servers_end_with_the_kernel(deploy):
    deploy.run("run-it")
    server = deploy.names["server"]
    assert server.poll() is None
    # As when the kernel is killed.
    server.stdin.close()
    assert server.wait(60) == 0
