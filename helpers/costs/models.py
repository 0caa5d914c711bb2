"""The models of `data/models.csv`: names, prices, dates, and what replaced what."""

from __future__ import annotations

import csv
import datetime
import difflib
import functools
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

DATA = Path(__file__).parent.parent.parent / "data"
MODELS_CSV = DATA / "models.csv"


def models() -> pd.DataFrame:
    """Every model that the API has served by name, one row each, oldest first.

    Prices are per million tokens. `stage` is the model's stage on the file's date, which is the
    latest `as_of`; `source` and `as_of` say where a row comes from; `note` says where sources
    disagree. Dates are `datetime64` columns, `NaT` where there is none.
    """
    import pandas as pd  # 0.8 s: only when somebody asks for the table

    dates = ["released", "deprecated", "retires", "as_of"]
    return pd.read_csv(MODELS_CSV, parse_dates=dates, keep_default_na=True)


def find_model(name: str, when: datetime.date | None = None) -> dict[str, str] | None:
    """The row of the model that goes by this id or alias, as strings, or None.

    A name that moved from a retired model to a newer one (`mistral-medium`) gives the newer one.
    With `when`, a name such as `mistral-large-latest` gives the model that was the newest of its
    family on that day: an alias is taken to move on the day of a release.
    """
    if when is not None and (family := _family(name)):
        then = [row for row in family if row["released"] <= when.isoformat()]
        if then:
            return then[-1]
    return _by_name().get(name)


def near(name: str, others: Iterable[str] = ()) -> str:
    """Words for an error: the known names that are most like this one."""
    found = difflib.get_close_matches(name, [*_by_name(), *others], n=3, cutoff=0.5)
    return f"Near names: {', '.join(found)}." if found else "helpers.models() lists the names."


def other_models() -> list[str]:
    """The models of other vendors that have a price."""
    with (DATA / "prices_other_vendors.csv").open(encoding="utf-8", newline="") as lines:
        return list(dict.fromkeys(row["api_name"] for row in csv.DictReader(lines)))


def _family(name: str) -> list[dict[str, str]]:
    """The dated models that an alias without a date has meant in turn, oldest first."""
    ids = re.compile(re.escape(name.removesuffix("-latest")) + r"-(\d{4}|\d-\d)")
    return [row for row in _rows() if row["released"] and ids.fullmatch(row["id"])]


@functools.cache
def _by_name() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for row in _rows():
        for name in [row["id"], *row["aliases"].split()]:
            if name not in found or row["stage"] != "retired":
                found[name] = row
    return found


@functools.cache
def _rows() -> list[dict[str, str]]:
    with MODELS_CSV.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))
