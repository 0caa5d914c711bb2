"""`meter`: what the calls of a notebook add up to, in tokens and in money."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..reply import Json, Usage, find_usage
from .prices import Price, UnknownPrice, money, price, region


@dataclass(frozen=True)
class Call:
    """One answered request: the model that it names, and its usage as the API reported it."""

    status: int
    model: Any
    usage: Any
    host: str


_calls: list[Call] = []
_paid = False
_server: str | None = None


def meter() -> None:
    """Print one line: calls, tokens in and out, and their price in US dollars and euros.

    It counts every request to a Mistral host since `helpers.start`, from every client of this
    process; refused ones cost nothing. In replay the price is what the same calls would cost live.
    A stream that was closed early counts in full in replay and record mode; live, it has no usage,
    and its price is unknown. Prices are those of data/models.csv, without discounts, on the file's
    day, `PRICE_DAY`, never today's.
    """
    print(summary(_calls, _paid, _server))


def summary(calls: Iterable[Call], paid: bool, server: str | None = None) -> str:
    """The line for these calls."""
    read = [(call, Usage.from_json(call.usage)) for call in calls]
    used = sum(usage.prompt_tokens for _, usage in read)
    out = sum(usage.completion_tokens for _, usage in read)
    line = f"{len(read)} call{'s' * (len(read) != 1)}, {used:,} tokens in, {out:,} out."
    if server:
        return f"{line} {server} answered: nothing is billed."
    # Requests without a model, such as lists of models and files, are not billed.
    billed = [(call, usage) for call, usage in read if call.status < 300 and call.model is not None]
    found = [_price(call, usage) for call, usage in billed]
    prices = [one for one in found if one is not None]
    if prices:
        dollars, euros = [one.usd for one in prices], [one.eur for one in prices]
        sums = [_total("$", dollars), _total("€", euros)]
        date = min(one.checked for one in prices)
        line += f" {'Billed' if paid else 'Live'}: {' or '.join(filter(None, sums))}"
        line += f", at the prices of {date}."
    if unknown := len(found) - len(prices):
        line += f" The price of {unknown} is not known."
    return line if paid else f"{line} This replay cost nothing."


def begin_count(paid: bool, server: str | None = None) -> None:
    """Start counting from zero.

    paid: whether the next calls are billed. server: the address of a server of your own.
    """
    global _paid, _server
    _calls.clear()
    _paid, _server = paid, server


def count_call(request: Json, status: int, answer: Json | None, host: str) -> None:
    """Count an answered request. Only the usage of the answer is kept."""
    body = request["body"] if isinstance(request["body"], dict) else {}
    _calls.append(Call(status, body.get("model"), find_usage(answer), host))


def _price(call: Call, usage: Usage) -> Price | None:
    if not usage.reported or not isinstance(call.model, str):
        return None
    try:
        return price(usage, call.model, region=region(call.host))
    except (UnknownPrice, OverflowError):
        return None


def _total(sign: str, amounts: list[float | None]) -> str:
    """The sum of these amounts, or "" if one of them is not known in this currency."""
    known = [amount for amount in amounts if amount is not None]
    return f"{sign}{money(sum(known))}" if len(known) == len(amounts) else ""
