"""Prices are those of their sources, with dates; what has none says so."""

import csv
import datetime
import functools
import subprocess
import sys

import genai_prices
import pytest

import helpers
from helpers import Reply, count_tokens, price
from helpers.costs import PRICE_DAY, UnknownPrice
from helpers.costs.prices import reminder
from helpers.reply import Usage
from tests.model_ids import FILE_DATE, ROOT, ROWS

MILLION = (1_000_000, 1_000_000)
NOON = datetime.datetime.combine(PRICE_DAY, datetime.time(12), datetime.UTC)


def history():
    path = ROOT / "data" / "price_history.csv"
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def test_a_million_tokens_cost_what_the_model_card_says():
    found = price(MILLION, "mistral-small-latest")
    assert (found.usd, found.eur) == pytest.approx((0.15 + 0.6, 0.12 + 0.5))
    assert (found.model, found.checked) == ("mistral-small-2603", datetime.date(2026, 8, 21))
    assert found.source == "official model card"


@pytest.mark.parametrize(
    ("options", "factor"),
    [
        ({"batch": True}, 0.5),
        ({"region": "eu"}, 1.1),
        ({"priority": True}, 1.75),
        ({"batch": True, "region": "us"}, 0.55),
        ({"cached": 1_000_000}, (0.015 + 0.6) / 0.75),
        # More than the input: never below zero.
        ({"cached": 2_000_000}, (0.015 + 0.6) / 0.75),
        ({"requests": 1000}, 1),
    ],
)
def test_discounts_and_surcharges_multiply(options, factor):
    plain = price(MILLION, "mistral-small-latest")
    found = price(MILLION, "mistral-small-latest", **options)
    assert found.usd == pytest.approx(plain.usd * factor)


def test_price_reads_whatever_counts_tokens():
    usage = Usage(prompt_tokens=1000, completion_tokens=100, cached_tokens=400)
    found = price(usage, "mistral-large-latest")
    assert found.usd == pytest.approx((600 * 0.5 + 400 * 0.05 + 100 * 1.5) / 1e6)
    assert price(Reply(usage=usage), "mistral-large-latest") == found
    count = count_tokens("hello", "mistral-large-latest")
    assert price(count, "mistral-large-latest") == price((4, 0), "mistral-large-latest")


@pytest.mark.parametrize(
    ("name", "day", "model", "usd", "eur"),
    [
        ("mistral-tiny", "2024-01-10", "open-mistral-7b", None, 0.56),
        ("mistral-small", "2024-01-10", "open-mixtral-8x7b", None, 2.4),
        ("mistral-medium", "2024-01-10", "mistral-medium-2312", None, 10),
        ("mistral-small-latest", "2024-03-01", "mistral-small-2402", 8, 7.4),
        ("mistral-large-latest", "2024-03-01", "mistral-large-2402", 32, 29.3),
        ("mistral-small-latest", "2026-11-23", "mistral-small-2603", 0.75, 0.62),
        ("mistral-large-4", "2026-10-10", "mistral-large-4", 2.77, None),
        ("mistral-large-4", "2026-10-28", "mistral-large-4", 5.54, None),
        ("mistral-large-4", "2026-10-29", "mistral-large-4", 2.8, None),
    ],
)
def test_prices_are_those_of_the_day(name, day, model, usd, eur):
    found = price(MILLION, name, when=datetime.date.fromisoformat(day))
    assert found.model == model
    assert (found.usd, found.eur) == (usd and pytest.approx(usd), eur and pytest.approx(eur))


@pytest.mark.parametrize(
    ("name", "day", "usd"),
    [
        ("gpt-4", "2024-01-10", 90),
        ("gemini-4-argon", "2026-11-30", 12),
        ("gemini-4-argon", "2026-12-01", 24),
        ("gemini-3.6-flash", "2026-12-31", 4.5),
        ("gemini-3.6-flash", "2027-01-01", 9),
    ],
)
def test_prices_of_other_vendors_are_those_of_the_day(name, day, usd):
    found = price(MILLION, name, when=datetime.date.fromisoformat(day), requests=1000)
    assert (found.usd, found.eur, found.checked) == (pytest.approx(usd), None, PRICE_DAY)
    assert found.source == "genai-prices " + genai_prices.__version__


def test_mistral_large_4_costs_a_tenth_from_the_cache_and_deepseek_what_its_source_gives():
    for name, usd in (("mistral-large-4", 0.07), ("deepseek-v4-1-flash-1017", 0.007)):
        assert price((10**6, 0), name, cached=10**6).usd == pytest.approx(usd)


@pytest.mark.parametrize(
    ("counts", "model", "options", "usd"),
    [
        # Above 100,000 tokens of input, each costs five times as much.
        ((100_000, 0), "claude-haiku-5-5", {}, 0.01),
        ((150_000, 0), "claude-haiku-5-5", {}, 0.075),
        ((150_000, 0), "claude-haiku-5-5", {"requests": 2}, 0.015),
        # Above 272,000, input costs twice and output one and a half times as much.
        ((300_000, 1000), "gpt-6-luna", {}, (300_000 * 0.2 + 1000 * 0.75) / 1e6),
        ((300_000, 1000), "gpt-6-luna", {"requests": 300}, (300_000 * 0.1 + 1000 * 0.5) / 1e6),
        (
            (100_000, 0),
            "claude-haiku-5-5",
            {"cached": 90_000},
            (10_000 * 0.1 + 90_000 * 0.01) / 1e6,
        ),
        ((1_000_000, 0), "gpt-4o-mini", {"cached": 1_000_000}, 0.075),
        # No price for cached input: the full one.
        ((1_000_000, 0), "gpt-4", {"cached": 1_000_000}, 30),
    ],
)
def test_steps_by_length_and_cached_prices_of_other_vendors_count(counts, model, options, usd):
    assert price(counts, model, **options).usd == pytest.approx(usd)


@pytest.mark.parametrize(
    ("counts", "model", "options", "error", "says"),
    [
        ((1, 1), "mistral-larg-latest", {}, UnknownPrice, "Similar names: mistral-large"),
        ((1, 1), "gpt-6-lunar", {}, UnknownPrice, "Similar names: gpt-6-luna"),
        ((1, 1), "open-mistral-7b", {}, UnknownPrice, "when=datetime.date"),
        ((1, 1), "mistral-ocr-latest", {}, UnknownPrice, "no price per token"),
        ((1, 1), "voxtral-mini-tts-3-0", {}, UnknownPrice, "13 USD per million characters"),
        ((1, 1), "mistral-embed", {}, UnknownPrice, "input only"),
        ((-1, 1), "mistral-small-latest", {}, ValueError, "negative"),
        ((1.5, 1), "mistral-small-latest", {}, ValueError, "not a Usage"),
        ("text", "mistral-small-latest", {}, ValueError, "not a Usage"),
        (Usage(reported=False), "mistral-small-latest", {}, ValueError, "reported no usage"),
        ((1, 1), "mistral-small-latest", {"cached": -1}, ValueError, "negative"),
        ((1, 1), "mistral-small-latest", {"cached": 1.5}, TypeError, "integer"),
        ((1, 1), "mistral-small-latest", {"region": "asia"}, ValueError, "'eu', 'us'"),
        ((1, 1), "gpt-4", {"batch": True}, ValueError, "Mistral's models"),
        ((1, 1), "gpt-4", {"requests": 0}, ValueError, "1 or more"),
    ],
)
def test_what_can_not_be_priced_says_why(counts, model, options, error, says):
    with pytest.raises(error, match=says):
        price(counts, model, **options)


def of_genai(name, **usage):
    usage = genai_prices.Usage(**{"input_tokens": 0, "output_tokens": 0, **usage})
    found = genai_prices.calc_price(
        usage, name, provider_id="mistral", genai_request_timestamp=NOON
    )
    return float(found.total_price)


def difference(row, name):
    """What genai-prices has otherwise for a name of a model, or None."""
    try:
        theirs = of_genai(name, input_tokens=1000), of_genai(name, output_tokens=1000)
    except LookupError:
        return None
    ours = [float(row[f"usd_per_million_{kind}"] or 0) / 1e3 for kind in ("input", "output")]
    if "embed" in row["id"]:
        ours, theirs = ours[:1], theirs[:1]
    return None if ours == pytest.approx(list(theirs)) else f"{name}: {ours} here, {theirs} there"


def test_genai_prices_has_the_same_prices_or_the_note_says_otherwise():
    living = [r for r in ROWS if r["stage"] != "retired" and r["usd_per_million_input"]]
    problems = []
    for row in living:
        found = [difference(row, name) for name in (row["id"], *row["aliases"].split())]
        noted = "genai-prices" in row["note"] and "the price of" in row["note"]
        if any(found) != noted:
            problems.append((row["id"], [one for one in found if one], row["note"]))
    assert problems == []
    assert len(living) > 15


def test_genai_prices_has_the_same_history_of_mistral_large_4():
    rows = [row for row in history() if row["source"].startswith("genai-prices")]
    assert {row["id"] for row in rows} == {"mistral-large-4"}
    for row in rows:
        noon = datetime.datetime.fromisoformat(f"{row['as_of']}T12:00:00+00:00")
        usage = genai_prices.Usage(input_tokens=2000, cache_read_tokens=1000, output_tokens=1000)
        options = {"provider_id": "mistral", "genai_request_timestamp": noon}
        found = genai_prices.calc_price(usage, row["id"], **options)
        kinds = ("input", "output", "cached_input")
        ours = sum(float(row[f"usd_per_million_{kind}"]) for kind in kinds) / 1e3
        assert float(found.total_price) == pytest.approx(ours)


@pytest.mark.slow
def test_genai_prices_is_loaded_only_for_models_of_other_vendors():
    code = (
        "import sys, helpers; helpers.price((1, 1), 'mistral-small-latest'); helpers.meter();"
        "helpers.count_tokens('hello'); print('genai_prices' in sys.modules);"
        "helpers.price((1, 1), 'gpt-6-luna'); print('genai_prices' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.split()[-2:] == ["False", "True"], done.stderr


def test_reminder_comes_after_ninety_days_without_a_check():
    due = [reminder(FILE_DATE + datetime.timedelta(days=days)) for days in (0, 90, 91)]
    assert due[:2] == [None, None]
    assert due[2].startswith(f"Prices were last checked 91 days ago, on {FILE_DATE}")
    assert "https://mistral.ai/pricing" in due[2] and "data/models.csv" in due[2]


def test_price_day_is_the_day_on_which_the_table_was_last_checked():
    assert PRICE_DAY == FILE_DATE


def test_each_price_of_the_history_has_a_source_a_date_and_a_model():
    ids, problems = {row["id"] for row in ROWS}, []
    for row in history():
        prices = [row[key] for key in row if "_per_million_" in key and row[key]]
        if not prices or any(float(price) <= 0 for price in prices) or row["id"] not in ids:
            problems.append(row)
        if not row["source"] or datetime.date.fromisoformat(row["as_of"]) > PRICE_DAY:
            problems.append(row)
    assert problems == []


def test_live_mode_reminds_once(monkeypatch, capsys):
    from helpers import modes

    monkeypatch.setattr(modes, "_remind", functools.cache(modes._remind.__wrapped__))
    monkeypatch.setattr(modes, "reminder", lambda: "Prices are old.")
    monkeypatch.setenv("MISTRAL_API_KEY", "x" * 32)
    for mode in ("live", "live", "replay"):
        helpers.start("02_first_call", mode)
    assert capsys.readouterr().out.count("Prices are old.") == 1
