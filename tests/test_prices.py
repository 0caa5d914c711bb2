"""Prices are those of the tables, with their dates; what has none says so."""

import csv
import datetime
from pathlib import Path

import pytest

from helpers import Reply, count_tokens, price
from helpers.costs import UnknownPrice
from helpers.costs.prices import reminder
from helpers.reply import Usage

DATA = Path(__file__).parent.parent / "data"
MILLION = (1_000_000, 1_000_000)


def rows(name):
    with (DATA / name).open(encoding="utf-8", newline="") as lines:
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
        ({"cached": 2_000_000}, (0.015 + 0.6) / 0.75),  # more than the input: never below zero
    ],
)
def test_discounts_and_surcharges_multiply(options, factor):
    plain, found = (
        price(MILLION, "mistral-small-latest"),
        price(MILLION, "mistral-small-latest", **options),
    )
    assert found.usd == pytest.approx(plain.usd * factor)


def test_it_reads_whatever_counts_tokens():
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
        ("gpt-4", "2024-01-10", "gpt-4", 90, None),
        ("gemini-3.6-flash", "2026-11-23", "gemini-3.6-flash", 4.5, None),
        ("gemini-3.6-flash", "2027-01-01", "gemini-3.6-flash", 9, None),
    ],
)
def test_prices_are_those_of_the_day(name, day, model, usd, eur):
    found = price(MILLION, name, when=datetime.date.fromisoformat(day))
    assert found.model == model
    assert (found.usd, found.eur) == (
        usd and pytest.approx(usd),
        eur and pytest.approx(eur),
    )


@pytest.mark.parametrize(
    ("counts", "model", "options", "error", "says"),
    [
        ((1, 1), "mistral-large-4", {}, UnknownPrice, "tables disagree: 0.68/2.09"),
        ((1, 1), "mistral-larg-latest", {}, UnknownPrice, "Near names: mistral-large"),
        ((1, 1), "open-mistral-7b", {}, UnknownPrice, "when=datetime.date"),
        ((1, 1), "mistral-ocr-latest", {}, UnknownPrice, "has none"),
        ((1, 1), "mistral-embed", {}, UnknownPrice, "input alone"),
        ((-1, 1), "mistral-small-latest", {}, ValueError, "negative"),
        ((1.5, 1), "mistral-small-latest", {}, ValueError, "no Usage"),
        ("text", "mistral-small-latest", {}, ValueError, "no Usage"),
        ((1, 1), "mistral-small-latest", {"cached": -1}, ValueError, "negative"),
        ((1, 1), "mistral-small-latest", {"cached": 1.5}, TypeError, "integer"),
        ((1, 1), "mistral-small-latest", {"region": "asia"}, ValueError, "'eu', 'us'"),
        ((1, 1), "gpt-4", {"batch": True}, ValueError, "Mistral's models"),
    ],
)
def test_what_can_not_be_priced_says_why(counts, model, options, error, says):
    with pytest.raises(error, match=says):
        price(counts, model, **options)


def test_a_cached_token_of_another_vendor_costs_what_its_table_says_or_the_full_price():
    assert price((1_000_000, 0), "gpt-4o-mini", cached=1_000_000).usd == pytest.approx(0.075)
    assert price((1_000_000, 0), "gpt-4", cached=1_000_000).usd == pytest.approx(30)


@pytest.mark.parametrize(("day", "due"), [("2026-11-19", False), ("2026-11-20", True)])
def test_prices_older_than_ninety_days_are_to_be_checked(day, due):
    said = reminder(datetime.date.fromisoformat(day))
    assert bool(said) == due
    if due:
        assert "https://mistral.ai/pricing" in said and "data/models.csv" in said


@pytest.mark.parametrize("name", ["prices_other_vendors.csv", "price_history.csv"])
def test_each_price_has_a_source_and_a_date(name):
    for row in rows(name):
        assert row["source"] and datetime.date.fromisoformat(row["as_of"])
        prices = [row[key] for key in row if "_per_million_" in key]
        assert any(prices) and all(float(price) > 0 for price in prices if price)


def test_the_price_history_names_models_of_the_table():
    ids = {row["id"] for row in rows("models.csv")}
    assert {row["id"] for row in rows("price_history.csv")} <= ids


def test_live_mode_reminds_once(monkeypatch, capsys):
    from helpers import replay

    replay._remind.cache_clear()
    monkeypatch.setattr(replay, "reminder", lambda: "Prices are old.")
    monkeypatch.setenv("MISTRAL_API_KEY", "x" * 32)
    for mode in ("live", "live", "replay"):
        replay.start("02_first_call", mode)
    replay._remind.cache_clear()
    assert capsys.readouterr().out.count("Prices are old.") == 1
