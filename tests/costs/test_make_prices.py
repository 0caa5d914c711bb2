"""`make prices` prints what differs between our tables and genai-prices, and what is new there."""

import copy

import pytest

from tests.tools import prices

DAY = prices.days()[0]


@pytest.fixture(scope="module")
def installed():
    return prices.table(prices.days())


def without(found, part):
    kept = {key: value for key, value in found["prices"].items() if part not in key}
    return {**found, "prices": kept}


def test_the_installed_version_differs_in_nothing_but_what_it_lacks(installed):
    lines = prices.differences(installed)
    assert lines and {line.partition(": ")[2] for line in lines} == {"not in genai-prices"}
    assert len(prices.ours()) - len(lines) > 15


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("output", f"mistral-small-2603 {DAY}: output 0.6 here, 9 there"),
        ("input", f"mistral-small-2603 {DAY}: input 0.15 here, 9 there"),
    ],
)
def test_a_changed_price_is_a_line(installed, kind, line):
    changed = copy.deepcopy(installed)
    name = installed["names"]["mistral-small-2603"]
    changed["prices"][f"mistral {name} {DAY}"][kind] = 9.0
    assert line in prices.differences(changed)
    assert line not in prices.differences(installed)


def test_a_changed_price_of_the_history_is_a_line(installed):
    changed = copy.deepcopy(installed)
    changed["prices"]["mistral mistral-large-4 2026-10-20"]["cached_input"] = 0.2
    line = "mistral-large-4 2026-10-20: cached_input 0.14 here, 0.2 there"
    assert line in prices.differences(changed)


def test_a_newer_version_is_compared_with_the_installed_one(installed):
    newer = without(copy.deepcopy(installed), "gpt-6-luna") | {"version": "9.9"}
    newer["prices"][f"google gemini-4-argon {DAY}"]["input"] = 4.0
    newer["prices"][f"openai gpt-7 {DAY}"] = {"input": 1.0, "output": 5.0}
    *_, changed = prices.report(installed, newer).partition(
        f"Changed from {installed['version']} to 9.9:\n"
    )
    assert changed.splitlines() == [
        "  google gemini-4-argon: input 2, output 10, cached_input 0.1, now input 4, output 10, cached_input 0.1",
        "  openai gpt-6-luna: gone",
        "  openai gpt-7: new, input 1, output 5",
    ]


def test_the_same_version_is_called_the_newest(installed):
    last = prices.report(installed, copy.deepcopy(installed)).splitlines()[-1]
    assert last == f"genai-prices {installed['version']} is the newest version."


@pytest.mark.parametrize("command", [["false"], ["no-such-program"], ["echo", "no JSON"]])
def test_without_a_network_it_ends_in_a_plain_sentence(installed, monkeypatch, command):
    monkeypatch.setattr(prices, "FETCH", command)
    assert prices.newest() is None
    lines = prices.report(installed, prices.newest()).splitlines()
    assert lines[0].startswith(f"Our prices of {DAY} and genai-prices {installed['version']}")
    assert lines[-1] == prices.NO_NETWORK
