"""The models of `data/models.csv`: names, prices, dates, and what replaced what."""

from __future__ import annotations

import datetime
import difflib
import functools
import re
from typing import TYPE_CHECKING, NamedTuple

from ..data import DATA, read_table

if TYPE_CHECKING:
    import pandas as pd
    from genai_prices.types import Provider

TABLE = "models.csv"
# Other vendors whose prices are known, by their names in the package genai-prices.
VENDORS = ("openai", "anthropic", "google")

Row = dict[str, str]


def models() -> pd.DataFrame:
    """Every model that the API has served by name, one row each, oldest first.

    Prices are per million tokens. `stage` is the model's stage on the latest `as_of`. `source` and
    `as_of` say where a row comes from, and when; `confirmed` is the day on which another
    source last had the same prices in dollars. `alias_seen` holds the days since which an alias is
    known to mean this model. `note` says where sources disagree. Dates are `datetime64` columns,
    `NaT` where there is none.
    """
    # This takes 0.8 seconds, so only a call of this function pays for it.
    import pandas as pd

    dates = ["released", "deprecated", "retires", "as_of", "confirmed"]
    return pd.read_csv(DATA / TABLE, parse_dates=dates, keep_default_na=True)


def find_model(name: str, when: datetime.date | None = None) -> Row | None:
    """The row of the model with this id or alias, as strings, or None.

    An alias that moved from a retired model to a newer one (`mistral-medium`) gives the newer one.
    With `when`, an alias such as `mistral-large-latest` gives the model that it meant on that day.
    It is taken to move on the day after a release, since `mistral-small-latest` was still the older
    model on the evening of one; to another family, on the day on which it was first seen there.
    """
    if when is not None:
        past = [meaning for meaning in _meanings(name) if meaning.since <= when]
        if past:
            return past[-1].row
    return _by_name().get(name)


def is_settled(name: str, when: datetime.date | None = None) -> bool:
    """Whether recorded traffic or the documentation shows which model a name meant on a day.

    It is not settled from the release of a newer model until the alias was seen to mean that model.
    """
    if when is None:
        return True
    past = [meaning for meaning in _meanings(name) if meaning.released <= when]
    if len(past) < 2:
        return True
    return past[-1].seen is not None and past[-1].seen <= when


def find_vendor(name: str) -> str | None:
    """The vendor of a model that is not Mistral's: "openai", "anthropic", "google", or None."""
    for provider in _providers():
        if provider.find_model(name):
            return provider.id
    return None


def suggest(name: str) -> str:
    """A sentence for an error message: the known names most similar to this one."""
    others = [model.id for provider in _providers() for model in provider.models]
    found = difflib.get_close_matches(name, [*_by_name(), *others], n=3, cutoff=0.5)
    return f"Similar names: {', '.join(found)}." if found else "helpers.models() lists the names."


class _Meaning(NamedTuple):
    """A model that an alias has meant: since when, and the day on which that was first seen."""

    released: datetime.date
    since: datetime.date
    seen: datetime.date | None
    row: Row


@functools.lru_cache(1000)
def _meanings(name: str) -> list[_Meaning]:
    """The models that an alias has meant in turn, oldest first. An id with a date has none."""
    dated_id = re.compile(re.escape(name.removesuffix("-latest")) + r"-\d{4}")
    found: list[_Meaning] = []
    for row in read_table(TABLE):
        seen = _seen(row).get(name)
        in_family = bool(row["released"] and dated_id.fullmatch(row["id"]))
        if not in_family and seen is None:
            continue
        released = since = datetime.date.fromisoformat(row["released"])
        if not in_family and seen is not None:
            since = seen
        elif found:
            since += datetime.timedelta(days=1)
        found.append(_Meaning(released, since, seen, row))
    return found


def _seen(row: Row) -> dict[str, datetime.date]:
    pairs = (pair.split("=") for pair in row["alias_seen"].split())
    return {alias: datetime.date.fromisoformat(day) for alias, day in pairs}


@functools.cache
def _by_name() -> dict[str, Row]:
    found: dict[str, Row] = {}
    for row in read_table(TABLE):
        for name in [row["id"], *row["aliases"].split()]:
            if name not in found or row["stage"] != "retired":
                found[name] = row
    return found


@functools.cache
def _providers() -> list[Provider]:
    # This takes over a second, so only a question about another vendor's model pays for it.
    from genai_prices.data import providers

    return [provider for provider in providers if provider.id in VENDORS]
