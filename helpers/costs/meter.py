"""`meter`: what the calls of a notebook amount to, in tokens and in money."""

from __future__ import annotations

from dataclasses import dataclass

from ..reply import Json, Usage, read_usage
from .prices import Price, UnknownPrice, money, price, region


@dataclass(frozen=True)
class Call:
    """One answered request. `model` is None where it named no model."""

    path: str
    status: int
    model: str | None
    usage: Usage
    host: str

    def price(self) -> Price | None:
        """What it costs at today's prices; None where nothing is billed by tokens, or unknown."""
        if not self.usage.reported or self.model is None:
            return None
        try:
            return price(self.usage, self.model, region=region(self.host))
        except UnknownPrice:
            return None


_calls: list[Call] = []
_paid = False
_server: str | None = None


def meter() -> None:
    """Print one line: calls, tokens in and out, and their price in US dollars and euros.

    It counts every request to a Mistral host since `helpers.start`, from every client of this
    process; refused ones cost nothing. In replay it says what the same calls would cost live. There,
    and in a recording, a stream that is left early counts whole; live, it has no usage and its price
    is unknown. The prices are those of data/models.csv, without discounts.
    """
    print(summary(list(_calls), _paid, _server))


def summary(calls: list[Call], paid: bool, server: str | None = None) -> str:
    """The line for these calls."""
    used = sum(call.usage.prompt_tokens for call in calls)
    out = sum(call.usage.completion_tokens for call in calls)
    line = f"{len(calls)} call{'s' * (len(calls) != 1)}, {used:,} tokens in, {out:,} out."
    if server:
        return f"{line} {server} answered: nothing is billed."
    prices = [found for call in calls if (found := call.price())]
    unknown = sum(
        call.status < 300 and call.model is not None and call.price() is None for call in calls
    )
    if prices:
        sums = [
            f"{mark}{money(sum(amounts))}"
            for mark, currency in (("$", "usd"), ("€", "eur"))
            if None not in (amounts := [getattr(found, currency) for found in prices])
        ]
        date = min(found.checked for found in prices)
        line += f" {'Billed' if paid else 'Live'}: {' or '.join(sums)}, at the prices of {date}."
    if unknown:
        line += f" The price of {unknown} is not known."
    return line if paid else f"{line} This replay cost nothing."


def begin_count(paid: bool, server: str | None = None) -> None:
    """Forget the calls so far.

    paid: whether those to come are billed. server: the address of a server of your own.
    """
    global _paid, _server
    _calls.clear()
    _paid, _server = paid, server


def count_call(request: Json, status: int, answer: Json | None, host: str) -> None:
    """Note an answered request, as a recording has both."""
    body = request["body"] if isinstance(request["body"], dict) else {}
    model = body.get("model")
    _calls.append(Call(request["path"], status, model, read_usage(answer), host))
