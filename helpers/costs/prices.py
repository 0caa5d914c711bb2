"""What calls cost: Mistral's prices from data/models.csv, those of other vendors from genai-prices."""

from __future__ import annotations

import datetime
import operator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import SupportsIndex

from ..data import read_table
from ..reply import Reply, Usage
from .models import TABLE, Row, find_model, find_vendor, suggest

PAGE = "https://mistral.ai/pricing"
# In days.
OLD_AFTER = 90
# Factors on Mistral's prices, from the documentation of 2026-08.
CACHED, BATCH, REGION, PRIORITY = 0.1, 0.5, 1.1, 1.75


class UnknownPrice(LookupError):
    """No source has a price for this model. The message gives the reason or similar names."""


@dataclass(frozen=True)
class Price:
    """What some tokens cost, in US dollars and in euros.

    A currency is None if no source gives a price in it; nothing is converted. `checked` is the date
    of the price, `source` where it comes from, `note` where sources disagree.
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
    requests: int = 1,
) -> Price:
    """What these tokens cost with this model.

    counts: a `Usage`, a `Reply`, a `TokenCount` or number (input alone), or a pair (tokens in, tokens out).
    batch: at half the price. region: "eu" or "us" for the regional hosts, which cost 1.1 times as
    much. priority: the priority tier, 1.75 times. These factors are Mistral's, from the
    documentation of 2026-08; for other vendors they are not known.
    cached: how many tokens of the input were read from the cache; by default those of the usage.
    They cost a tenth, or what the source of the price gives.
    when: the day whose prices count; by default `PRICE_DAY`, never today. A model's oldest known
    price also counts for the days before it.
    requests: how many requests the tokens are spread over, evenly. Other vendors charge more for
    each token of a long request (GPT-6 above 272,000 tokens of input), so it matters for sums.

    Raises `UnknownPrice` for a model without a price, ValueError for negative counts and unknown
    options, TypeError for a `cached` that is not a whole number.
    """
    usage = _usage(counts, cached)
    if region not in (None, "eu", "us"):
        raise ValueError(f"region is {region!r}; it must be 'eu', 'us' or None.")
    if requests < 1:
        raise ValueError(f"requests is {requests!r}; it must be 1 or more.")
    factor = (BATCH if batch else 1) * (REGION if region else 1) * (PRIORITY if priority else 1)
    if find_model(model) is not None:
        return _of_mistral(usage, model, when, factor)
    vendor = find_vendor(model)
    if vendor is None:
        raise UnknownPrice(f"No source has a model {model!r}. {suggest(model)}")
    if factor != 1:
        raise ValueError(
            f"batch, region and priority are known only for Mistral's models, not for {model}."
        )
    return _of_other(usage, model, vendor, when or PRICE_DAY, requests)


def reminder(today: datetime.date | None = None) -> str | None:
    """What to do when Mistral's prices were last checked more than 90 days ago; None before that."""
    rows = [row for row in read_table(TABLE) if row["stage"] != "retired"]
    priced = [row for row in rows if row["usd_per_million_input"]]
    checked = min(_day(max(row["as_of"], row["confirmed"])) for row in priced)
    age = ((today or datetime.date.today()) - checked).days
    if age <= OLD_AFTER:
        return None
    return (
        f"Prices were last checked {age} days ago, on {checked}: compare them with {PAGE}, "
        "then update data/models.csv."
    )


def money(amount: float) -> str:
    """Format an amount with two decimals, or with four or six if it is small."""
    if not 0 < amount < 0.1:
        return f"{amount:,.2f}"
    return f"{amount:.4f}" if amount >= 0.01 else f"{amount:.6f}"


def region(host: str) -> str | None:
    """ "eu" or "us" for a regional host of Mistral's."""
    return {"api.eu.mistral.ai": "eu", "api.us.mistral.ai": "us"}.get(host)


def _usage(
    counts: Usage | Reply | SupportsIndex | tuple[int, int], cached: int | None = None
) -> Usage:
    """Convert the counts to a usage whose cached tokens are part of its input."""
    if isinstance(counts, Reply):
        counts = counts.usage
    if not isinstance(counts, Usage):
        try:
            used, out = counts if isinstance(counts, tuple | list) else (counts, 0)
            counts = Usage(operator.index(used), operator.index(out))
        except (TypeError, ValueError, AttributeError):
            raise ValueError(
                f"{counts!r} is not a Usage, Reply, TokenCount, number or pair (tokens in, out)."
            ) from None
    if not counts.reported:
        raise ValueError("The answer reported no usage, so its price is not known.")
    used, out = counts.prompt_tokens, counts.completion_tokens
    hit = counts.cached_tokens if cached is None else operator.index(cached)
    if min(used, out, hit) < 0:
        raise ValueError(f"Tokens can't be negative: {used} in, {out} out, {hit} cached.")
    # A hidden system prompt may be cached, and is not in the input.
    return replace(counts, cached_tokens=min(hit, used))


def _of_mistral(usage: Usage, model: str, when: datetime.date | None, factor: float) -> Price:
    row = _row(model, when)
    usd, eur = (_sum(row, currency, usage, factor) for currency in ("usd", "eur"))
    if usd is None and eur is None:
        raise UnknownPrice(f"{row['model']} has a price for input only.")
    return Price(usd, eur, row["id"], _day(row["as_of"]), row["source"], row.get("note", ""))


def _sum(row: Row, currency: str, usage: Usage, factor: float) -> float | None:
    into, out, cached = (
        row.get(f"{currency}_per_million_{kind}", "")
        for kind in ("input", "output", "cached_input")
    )
    if not into or (usage.completion_tokens and not out):
        return None
    hit = usage.cached_tokens
    total = (usage.prompt_tokens - hit) * float(into)
    total += hit * (float(cached) if cached else CACHED * float(into))
    total += usage.completion_tokens * float(out or 0)
    return factor * total / 1e6


def _row(model: str, when: datetime.date | None) -> Row:
    """The row with the price of that day: of data/models.csv, or of its history."""
    found = find_model(model, when)
    assert found is not None
    name = f"{found['model']} ({found['id']})"
    past = [row for row in read_table("price_history.csv") if row["id"] == found["id"]]
    rows = [*past, found] if found["usd_per_million_input"] else past if when else []
    day = (when or PRICE_DAY).isoformat()
    then = [row for row in rows if row["as_of"] <= day] or rows[:1]
    if then:
        return {**then[-1], "model": found["model"]}
    if past:
        raise UnknownPrice(
            f"{name} has no current price; that of {past[-1]['as_of']} is "
            "in data/price_history.csv: pass the day as when=datetime.date(…)."
        )
    note = f" ({found['note']})" if found["note"] else ""
    raise UnknownPrice(f"{found['source']}: no price per token of {name}{note}.")


def _of_other(usage: Usage, model: str, vendor: str, when: datetime.date, requests: int) -> Price:
    import genai_prices

    one = genai_prices.Usage(
        input_tokens=Decimal(usage.prompt_tokens) / requests,
        output_tokens=Decimal(usage.completion_tokens) / requests,
        cache_read_tokens=Decimal(usage.cached_tokens) / requests,
    )
    noon = datetime.datetime.combine(when, datetime.time(12), datetime.UTC)
    found = genai_prices.calc_price(one, model, provider_id=vendor, genai_request_timestamp=noon)
    source = f"genai-prices {genai_prices.__version__}"
    note = found.model.price_comments or ""
    return Price(float(found.total_price * requests), None, found.model.id, PRICE_DAY, source, note)


def _day(text: str) -> datetime.date:
    return datetime.date.fromisoformat(text)


# The day on which the prices were last checked. Stored outputs depend on it, never on today.
PRICE_DAY = max(_day(max(row["as_of"], row["confirmed"])) for row in read_table(TABLE))
