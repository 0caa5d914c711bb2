"""`make prices` prints what differs between our tables and genai-prices, and what is new there.

It ends with 1 where somebody has to look: then .github/workflows/prices.yml opens an issue.
"""

import copy
import datetime

import pytest

from tests.tools import prices

# The prices of genai-prices depend on the day, and these tests must not.
prices.TODAY = datetime.date.fromisoformat(prices.our_day())
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
        "To look at:",
        "  google gemini-4-argon: input 2, output 10, cached_input 0.1, now input 4, output 10, cached_input 0.1",
        "  openai gpt-6-luna: gone",
    ]


def test_the_same_version_is_called_the_newest(installed):
    *_, line, last = prices.report(installed, copy.deepcopy(installed)).splitlines()
    assert line == f"genai-prices {installed['version']} is the newest version."
    assert last == "Nothing to do."


@pytest.mark.parametrize("command", [["false"], ["no-such-program"], ["echo", "no JSON"]])
def test_without_a_network_it_ends_in_a_plain_sentence(installed, monkeypatch, command):
    monkeypatch.setattr(prices, "FETCH", command)
    assert prices.newest() is None
    lines = prices.report(installed, prices.newest()).splitlines()
    assert lines[0].startswith(f"Our prices of {DAY} and genai-prices {installed['version']}")
    assert lines[-3:] == [
        prices.NO_NETWORK,
        "To look at:",
        "  the newest genai-prices was not compared",
    ]


# What it ends with.


@pytest.fixture
def run(installed, monkeypatch, capsys):
    """Run it on a day, with these two versions of genai-prices: (exit code, what is to look at)."""

    def run(here=installed, there=installed, today=prices.TODAY):
        monkeypatch.setattr(prices, "TODAY", today)
        monkeypatch.setattr(prices, "table", lambda days: on(here, today))
        monkeypatch.setattr(prices, "newest", lambda: there and on(there, today))
        code = prices.main()
        return code, capsys.readouterr().out.partition("To look at:\n")[2].split("\n")[:-1]

    return run


def on(found, today):
    """The same prices, on another day."""
    return found | {"prices": {k.replace(DAY, str(today)): v for k, v in found["prices"].items()}}


def test_nothing_to_look_at_ends_with_0(run):
    assert run() == (0, [])


@pytest.mark.parametrize("which", ["here", "there"])
def test_a_price_that_differs_today_ends_with_1(run, installed, which):
    changed = copy.deepcopy(installed)
    changed["prices"][f"mistral {installed['names']['mistral-small-2603']} {DAY}"]["input"] = 9.0
    today = datetime.date(2026, 12, 7)
    found = run(**{which: changed}, today=today)
    assert found == (1, [f"  mistral-small-2603 {today}: input 0.15 here, 9 there"])


def test_a_model_that_only_the_newest_version_lacks_ends_with_1(run, installed):
    gone = without(installed, f"mistral {installed['names']['mistral-small-2603']} {DAY}")
    assert run(there=gone) == (1, [f"  mistral-small-2603 {DAY}: not in genai-prices"])


def test_a_version_that_could_not_be_fetched_ends_with_1(run):
    assert run(there=None) == (1, ["  the newest genai-prices was not compared"])


@pytest.mark.parametrize(
    ("file", "name", "column"),
    [
        ("models.csv", "mistral-small-2603", "retires"),
        ("other_models.csv", "gpt-6-luna", "ends"),
    ],
)
def test_a_model_that_ends_within_sixty_days_ends_with_1(run, monkeypatch, file, name, column):
    read = prices.rows

    def rows(asked):
        edited = [
            row | ({column: "2027-02-28"} if name in row.values() else {}) for row in read(asked)
        ]
        return edited if asked == file else read(asked)

    monkeypatch.setattr(prices, "rows", rows)
    end = datetime.date(2027, 2, 28)
    for days, found in (
        (61, []),
        (60, [f"  {name}: ends on {end}"]),
        (-1, [f"  {name}: ends on {end}"]),
    ):
        assert run(today=end - datetime.timedelta(days=days)) == (bool(found), found)
