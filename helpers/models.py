"""The models of `data/models.csv`: names, prices, dates, and what replaced what."""

from __future__ import annotations

import csv
import functools
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

MODELS_CSV = Path(__file__).parent.parent / "data" / "models.csv"


def models() -> pd.DataFrame:
    """Every model that the API has served by name, one row each, oldest first.

    Prices are per million tokens. `stage` is the model's stage on the file's date, which is the
    latest `as_of`; `source` and `as_of` say where a row comes from; `note` says where sources
    disagree. Dates are `datetime64` columns, `NaT` where there is none.
    """
    import pandas as pd  # 0.8 s: only when somebody asks for the table

    dates = ["released", "deprecated", "retires", "as_of"]
    return pd.read_csv(MODELS_CSV, parse_dates=dates, keep_default_na=True)


def find_model(name: str) -> dict[str, str] | None:
    """The row of the model that goes by this id or alias, as strings, or None.

    A name that moved from a retired model to a newer one (`mistral-medium`) gives the newer one.
    """
    return _by_name().get(name)


@functools.cache
def _by_name() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    with MODELS_CSV.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            for name in [row["id"], *row["aliases"].split()]:
                if name not in found or row["stage"] != "retired":
                    found[name] = row
    return found
