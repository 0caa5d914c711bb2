"""Finds names of models in a text and says which of them nobody should use."""

import csv
import datetime
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
ROWS = list(csv.DictReader((ROOT / "data" / "models.csv").open(encoding="utf-8", newline="")))
DAYS = [row[name] for row in ROWS for name in ("as_of", "confirmed") if row[name]]
FILE_DATE = max(map(datetime.date.fromisoformat, DAYS))
NOTICE = datetime.timedelta(days=60)

FAMILIES = (
    "mistral|ministral|magistral|mixtral|mathstral|codestral|devstral|pixtral|voxtral|leanstral"
)
NAME = re.compile(rf"(?<![\w/.@-])(?:open-|labs-)?(?:{FAMILIES})-[a-z0-9][a-z0-9.-]*[a-z0-9]\b")
# Not models: packages, headers and folders whose names look like one.
OTHERS = {
    "mistral-api-by-notebook",
    "mistral-client-python",
    "mistral-common",
    "mistral-correlation-id",
    "mistral-does-not-exist",  # in an error of the API
    "mistral-finetune",
}


def rows_of(name):
    return [row for row in ROWS if name in (row["id"], *row["aliases"].split())]


def problem(name, past=False):
    """Why this name should not be used, or None; where the text is about the past, retired is fine."""
    if not (rows := rows_of(name)):
        return f"{name} is not in data/models.csv"
    ends = [datetime.date.fromisoformat(row["retires"]) for row in rows if row["retires"]]
    if len(ends) < len(rows) or past:  # one of the models of this name has no end
        return None
    if max(ends) <= FILE_DATE + NOTICE:
        return f"{name} retires on {max(ends)}"
    return None


def problems(text, past=False):
    names = set(NAME.findall(text)) - OTHERS
    return [fault for name in sorted(names) if (fault := problem(name, past))]
