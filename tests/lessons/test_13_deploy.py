"""Lesson 13: its servers obey the settings that a learner edits, and its simulation is right."""

import json

import numpy as np
import pandas as pd
import pytest

NAME = "13_deploy"


@pytest.fixture
def deploy(lesson):
    """The lesson, run until a chat can be started; what it started ends with the test."""
    opened = lesson(NAME)
    opened.run("start", "client-key", "small", "small-ask", "api", "run", "run-it", "ask", "events")
    assert opened.last_error is None
    yield opened
    names = opened.names
    for value in list(names.values()):
        if hasattr(value, "communicate") and value.poll() is None:
            value.kill()
            value.communicate()
    if "api" in names:
        names["api"].__exit__(None, None, None)


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
    shown = deploy.run("user", user=('CHAT_PER_MINUTE="3"', 'CHAT_PER_MINUTE="2"'))
    assert "[200, 200, 429, 429, 429]" in shown
    shown = deploy.run("hops", hops=('CHAT_HOPS="1"', 'CHAT_HOPS="2"'))
    assert "[200, 200, 200, 200, 200]" in shown, "counted wrongly, the lies count again"


def test_a_larger_budget_admits_the_question_after_the_crash(deploy):
    shown = deploy.run("odd", "budget", "budget-again", "budget-sql")
    assert deploy.last_error is None
    assert "503 The chat has used up" in shown
    deploy.names["folder"].cleanup()
    deploy.names["folder"] = type(deploy.names["folder"])()
    deploy.run("budget", budget=('"0.0009"', '"0.5"'))
    refused = deploy.names["ask"](deploy.names["start_chat"](**deploy.names["poor"])[1], "Hi")
    assert "budget" not in refused.text


def test_a_question_of_ones_own_is_answered_or_refused_in_words(deploy):
    names = deploy.names
    own = names["ask"](names["url"], "Why do web servers have health checks?")
    assert names["text_of"](names["read_events"](own.text)).startswith("So that a platform can act")
    unknown = names["ask"](names["url"], "What is my name?")
    assert unknown.json()["error"]["message"] == "The model can't answer now. Try again later."


def test_the_smallest_server_has_every_hole_that_the_lesson_names(deploy):
    """Another model, a megabyte and another site's page: all go through to the API."""
    deploy.run("origin")
    assert deploy.last_error is None
    assert deploy.names["taken"].status_code == 200


def test_simulated_waits_agree_with_pollaczek_and_khinchine(queue):
    waits, problems = queue.names["simulate_waits"], []
    sample = np.random.default_rng(5).lognormal(7, 0.6, 1_000_000) / (50_000 / 60)
    for parts in (1, 4):
        service = sample * parts
        for load in (0.3, 0.6, 0.8):
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


def test_title_and_description_follow_other_loads(queue):
    queue.run(
        "queue-table",
        "queue-plot",
        queue_table=("(0.3, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)", "(0.2, 0.4)"),
    )
    assert queue.last_error is None
    waits = queue.names["waits"]
    assert list(waits.index) == [0.2, 0.4]
    title = queue.names["axis"].get_title(loc="left")
    p95 = waits.loc[0.4, "one shared queue, p95"]
    assert title.startswith(f"At a load of 0.4, one in twenty waits over {p95:.0f} s")


def test_the_log_line_of_the_lesson_holds_no_text(deploy):
    names = deploy.names
    names["server"].stdout.readline()
    names["ask"](names["url"], "What is a container?")
    line = names["server"].stdout.readline()
    assert json.loads(line)["event"] == "chat"
    assert "container" not in line and "process" not in line
