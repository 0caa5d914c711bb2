"""What calls cost: the prices of data/models.csv and of other vendors, with their dates and sources."""

from __future__ import annotations

import csv
import datetime
import functools
import operator
from dataclasses import dataclass
from typing import SupportsIndex

from ..reply import Reply, Usage
from .models import DATA, find_model, near, other_models

PAGE = "https://mistral.ai/pricing"
OLD_AFTER = 90  # days
# Factors on Mistral's prices, by the documentation of 2026-08.
CACHED, BATCH, REGION, PRIORITY = 0.1, 0.5, 1.1, 1.75

Row = dict[str, str]


class UnknownPrice(LookupError):
    """No table has a price for this model. The message says why, or names near models."""


@dataclass(frozen=True)
class Price:
    """What some tokens cost, in US dollars and in euros.

    A currency in which no source gives a price is None; nothing is converted. `checked` is the date
    of the price, `source` where it is from, `note` what sources say against each other.
    """

    usd: float | None
    eur: float | None
    model: str
    checked: datetime.date
    source: str
    note: str = ""

    def __str__(self) -> str:
        sums = [f"${self.usd:.6f}"] if self.usd is not None else []
        sums += [f"€{self.eur:.6f}"] if self.eur is not None else []
        return f"{' or '.join(sums)} ({self.model}, prices of {self.checked})"


def price(
    counts: Usage | Reply | SupportsIndex | tuple[int, int],
    model: str,
    batch: bool = False,
    cached: int | None = None,
    when: datetime.date | None = None,
    region: str | None = None,
    priority: bool = False,
) -> Price:
    """What these tokens cost with this model.

    counts: a `Usage`, a `Reply`, a `TokenCount` or number (input alone), or a pair (tokens in, tokens out).
    batch: at half the price. cached: tokens of the input that were read from the cache, at a tenth;
    by default those of the usage. region: "eu" or "us" for the regional hosts, which cost 1.1 times
    as much. priority: of the priority tier, 1.75 times. These factors are Mistral's (documentation of
    2026-08); for other vendors' models only `cached` is known, and for some.
    when: the prices of that day; a model's oldest known price counts for the days before it, too.

    Raises `UnknownPrice` for a model without a price, ValueError for counts that can't be, TypeError for
    a `cached` that is no whole number.
    """
    usage = _usage(counts)
    used, out = usage.prompt_tokens, usage.completion_tokens
    hit = usage.cached_tokens if cached is None else operator.index(cached)
    if min(used, out, hit) < 0:
        raise ValueError(f"Tokens can't be negative: {used} in, {out} out, {hit} cached.")
    if region not in (None, "eu", "us"):
        raise ValueError(f"region is {region!r}; it can be 'eu', 'us' or None.")
    hit = min(hit, used)  # a hidden system prompt may be cached, and is not in the input

    factor = (BATCH if batch else 1) * (REGION if region else 1) * (PRIORITY if priority else 1)
    row = _row(model, when)
    theirs = "vendor" in row
    if theirs and factor != 1:
        raise ValueError(f"batch, region and priority are known for Mistral's models, not {model}.")

    def total(currency: str) -> float | None:
        into, out_of = (row.get(f"{currency}_per_million_{way}") for way in ("input", "output"))
        if not into or (out and not out_of):
            return None
        old = row.get(f"{currency}_per_million_cached_input") if theirs else float(into) * CACHED
        if (hit and old is None) or old == "":
            old = into
        sums = (used - hit) * float(into) + hit * float(old or 0) + out * float(out_of or 0)
        return factor * sums / 1e6

    usd, eur = total("usd"), total("eur")
    if usd is None and eur is None:
        raise UnknownPrice(f"{row['model']} has a price for input alone.")
    checked = datetime.date.fromisoformat(row["as_of"])
    return Price(usd, eur, row.get("id") or model, checked, row["source"], row.get("note") or "")


def reminder(today: datetime.date | None = None) -> str | None:
    """What to do when Mistral's prices were checked more than 90 days ago; None before that."""
    rows = [row for row in _table("models.csv") if row["stage"] != "retired"]
    priced = [row for row in rows if row["usd_per_million_input"]]
    checked = min(datetime.date.fromisoformat(row["as_of"]) for row in priced)
    age = ((today or datetime.date.today()) - checked).days
    if age <= OLD_AFTER:
        return None
    return (
        f"Prices are {age} days old ({checked}): compare them with {PAGE}, "
        "then update data/models.csv."
    )


def money(amount: float) -> str:
    """A sum with two decimals, smaller ones with four or six."""
    if not 0 < amount < 0.1:
        return f"{amount:,.2f}"
    return f"{amount:.4f}" if amount >= 0.01 else f"{amount:.6f}"


def region(host: str) -> str | None:
    """ "eu" or "us" for a regional host of Mistral's."""
    return {"api.eu.mistral.ai": "eu", "api.us.mistral.ai": "us"}.get(host)


def _usage(counts: Usage | Reply | SupportsIndex | tuple[int, int]) -> Usage:
    if isinstance(counts, Reply):
        counts = counts.usage
    if isinstance(counts, Usage):
        if not counts.reported:
            raise ValueError("The answer reported no usage, so its price is not known.")
        return counts
    try:
        used, out = counts if isinstance(counts, tuple | list) else (counts, 0)
        return Usage(prompt_tokens=operator.index(used), completion_tokens=operator.index(out))
    except (TypeError, ValueError, AttributeError):
        raise ValueError(
            f"{counts!r} is no Usage, Reply, TokenCount, number or pair (tokens in, tokens out)."
        ) from None


def _row(model: str, when: datetime.date | None) -> Row:
    """The row with the price of that day, of the first table that has one."""
    day = (when or datetime.date.today()).isoformat()
    theirs = [row for row in _table("prices_other_vendors.csv") if row["api_name"] == model]
    if theirs:
        for row in theirs:
            if row["from_date"] <= day < (row["to_date"] or "9"):
                return row
        raise UnknownPrice(f"No price of {model} is known for {day}.")
    found = find_model(model, when)
    if found is None:
        raise UnknownPrice(f"No table knows a model {model!r}. {near(model, other_models())}")
    past = [row for row in _table("price_history.csv") if row["id"] == found["id"]]
    rows = [*past, found] if found["usd_per_million_input"] else past if when else []
    then = [row for row in rows if row["as_of"] <= day] or rows[:1]
    if then:
        return {**then[-1], "model": found["model"]}
    if past:
        raise UnknownPrice(
            f"{found['model']} ({found['id']}) has no price today; that of {past[-1]['as_of']} is "
            "in data/price_history.csv: give the day as when=datetime.date(…)."
        )
    reason = found["note"] or f"its source ({found['source']}) has none"
    raise UnknownPrice(f"No price is known for {found['model']} ({found['id']}): {reason}.")


@functools.cache
def _table(name: str) -> list[Row]:
    with (DATA / name).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))
