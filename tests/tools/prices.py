"""Compares our prices with genai-prices: the installed version, and the newest one if there is a network.

    make prices

For each, it prints what differs from `data/models.csv` and `data/price_history.csv`, and what the newest
version has that the installed one lacks. Then it lists what somebody has to look at: prices that differ
today, prices of other vendors' models that changed, models of `data/models.csv` and `data/other_models.csv`
that end within 60 days. It ends with 1 if there is any, or if the newest version could not be fetched. It
changes nothing: read the vendor's page before you do.
"""

from __future__ import annotations

import contextlib
import csv
import datetime
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
DATA = ROOT / "data"
VENDORS = ("mistral", "openai", "anthropic", "google")
KINDS = {"input": "input_mtok", "output": "output_mtok", "cached_input": "cache_read_mtok"}
NOTICE = datetime.timedelta(days=60)
TODAY = datetime.datetime.now(datetime.UTC).date()
MISSING = "not in genai-prices"
NO_NETWORK = "The newest genai-prices can't be fetched: there is no network, or no package index."
# Runs in an environment that has another version; prints what `table` returns.
NEWEST = "import runpy; runpy.run_path({path!r}, run_name='newest')"
UV = str(Path(sys.executable).with_name("uv"))
FETCH = [UV, "run", "--quiet", "--isolated", "--no-project", "--refresh-package", "genai-prices"]
FETCH += ["--with", "genai-prices", "python", "-c", NEWEST.format(path=__file__)]

Table = dict[str, dict[str, float]]


def table(days: list[str]) -> dict[str, Any]:
    """The version of genai-prices here, and its prices per million tokens by "vendor model day"."""
    import genai_prices
    from genai_prices.data import providers

    found: Table = {}
    for provider in (p for p in providers if p.id in VENDORS):
        for model in provider.models:
            for day in days:
                noon = datetime.datetime.fromisoformat(f"{day}T12:00:00+00:00")
                price = model.get_prices(noon)
                kinds = {kind: getattr(price, name, None) for kind, name in KINDS.items()}
                # The price of a short request: some rise with its length.
                bases = {k: getattr(v, "base", v) for k, v in kinds.items() if v is not None}
                found[f"{provider.id} {model.id} {day}"] = {k: float(v) for k, v in bases.items()}
    return {"version": genai_prices.__version__, "prices": found, "names": _names(providers)}


def _names(providers: Any) -> dict[str, str]:
    """The model of genai-prices behind each id and alias of `data/models.csv` that it knows."""
    mistral = next(p for p in providers if p.id == "mistral")
    ids = [name for row in rows("models.csv") for name in (row["id"], *row["aliases"].split())]
    found = {name: mistral.find_model(name) for name in ids}
    return {name: model.id for name, model in found.items() if model}


def rows(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def our_day() -> str:
    """The day on which our prices were last confirmed."""
    return max(max(row["as_of"], row["confirmed"]) for row in rows("models.csv"))


def days() -> list[str]:
    """Today, and the days of our history. Ours must be true today, not on the day we wrote them."""
    past = {row["as_of"] for row in rows("price_history.csv")}
    return [str(TODAY), *sorted(past - {str(TODAY)})]


def ours() -> dict[str, dict[str, str]]:
    """Our living models' prices by "id day", and those of the history, as strings."""
    living = [row for row in rows("models.csv") if row["stage"] != "retired"]
    found = {f"{row['id']} {days()[0]}": row for row in living if row["usd_per_million_input"]}
    past = [row for row in rows("price_history.csv") if row["usd_per_million_input"]]
    return found | {f"{row['id']} {row['as_of']}": row for row in past}


def differences(theirs: dict[str, Any]) -> list[str]:
    """One line for each of our prices that is another one there, or that is missing there."""
    lines = []
    for key, row in ours().items():
        name, day = key.split()
        there = theirs["prices"].get(f"mistral {theirs['names'].get(name)} {day}")
        if there is None:
            lines.append(f"{key}: {MISSING}")
            continue
        for kind in KINDS:
            here = row[f"usd_per_million_{kind}"]
            if here and kind in there and float(here) != there[kind]:
                lines.append(f"{key}: {kind} {float(here):g} here, {there[kind]:g} there")
    return lines


def changes(old: Table, new: Table) -> list[str]:
    """One line for each model whose prices differ between two versions."""
    lines = []
    for key in sorted(old.keys() | new.keys()):
        before, after = old.get(key), new.get(key)
        if before is None or after is None:
            lines.append(f"{key}: {'gone' if after is None else f'new, {shown(after)}'}")
        elif before != after:
            lines.append(f"{key}: {shown(before)}, now {shown(after)}")
    return lines


def ends() -> list[str]:
    """One line for each model of our tables that has ended by now, or will within 60 days."""
    dates = {
        row["id"]: row["retires"] for row in rows("models.csv") if row["stage"] != "retired"
    } | {row["model"]: row["ends"] for row in rows("other_models.csv")}
    last = str(TODAY + NOTICE)
    return [f"{name}: ends on {day}" for name, day in dates.items() if "" < day <= last]


def to_do(here: dict[str, Any], there: dict[str, Any] | None) -> list[str]:
    """What somebody has to look at. That genai-prices lacks a model says nothing about its price."""
    found = [line for line in differences(here) if not line.endswith(MISSING)]
    if there is None:
        return [*found, *ends(), "the newest genai-prices was not compared"]
    found += [line for line in differences(there) if line not in differences(here)]
    others = {row["model"] for row in rows("other_models.csv")}
    changed = changes(_today(here), _today(there))
    found += [line for line in changed if line.partition(":")[0].partition(" ")[2] in others]
    return [*found, *ends()]


def shown(prices: dict[str, float]) -> str:
    return (
        ", ".join(f"{kind} {amount:g}" for kind, amount in prices.items()) or "no price per token"
    )


def newest() -> dict[str, Any] | None:
    """The table of the newest version, or None where it can't be fetched."""
    with contextlib.suppress(OSError, subprocess.SubprocessError, ValueError):
        done = subprocess.run(FETCH, capture_output=True, text=True, check=True, timeout=120)
        found: dict[str, Any] = json.loads(done.stdout)
        return found
    return None


def report(here: dict[str, Any], there: dict[str, Any] | None) -> str:
    """What `make prices` prints."""
    text = io.StringIO()
    print(f"Our prices of {our_day()} and genai-prices {here['version']}, as installed:", file=text)
    lines = differences(here) or ["no differences"]
    print(*(f"  {line}" for line in lines), sep="\n", file=text)
    if there is None:
        print(NO_NETWORK, file=text)
    elif there["version"] == here["version"]:
        print(f"genai-prices {here['version']} is the newest version.", file=text)
    else:
        print(f"Our prices and genai-prices {there['version']}, the newest:", file=text)
        lines = differences(there) or ["no differences"]
        print(*(f"  {line}" for line in lines), sep="\n", file=text)
        print(f"Changed from {here['version']} to {there['version']}:", file=text)
        lines = changes(_today(here), _today(there)) or ["nothing"]
        print(*(f"  {line}" for line in lines), sep="\n", file=text)
    lines = to_do(here, there)
    print("To look at:" if lines else "Nothing to do.", file=text)
    print(*(f"  {line}" for line in lines), sep="\n", end="\n" if lines else "", file=text)
    return text.getvalue()


def _today(found: dict[str, Any]) -> Table:
    """The prices of today alone: the history needs no second line for each change."""
    day = days()[0]
    return {k.removesuffix(f" {day}"): v for k, v in found["prices"].items() if k.endswith(day)}


def main() -> int:
    here, there = table(days()), newest()
    sys.stdout.write(report(here, there))
    return bool(to_do(here, there))


if __name__ == "newest":
    print(json.dumps(table(days())))
if __name__ == "__main__":
    sys.exit(main())
