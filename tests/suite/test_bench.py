"""The README's table of measurements is the one that `make bench` stored."""

import importlib.util
import json
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
STORED = json.loads((ROOT / "data" / "measured" / "bench.json").read_text("utf-8"))


def test_the_readmes_table_is_that_of_the_stored_measurement():
    path = ROOT / "tests" / "benchmarks" / "calls.py"
    spec = importlib.util.spec_from_file_location("calls", path)
    spec.loader.exec_module(calls := importlib.util.module_from_spec(spec))
    readme = (ROOT / "README.md").read_text("utf-8")
    assert calls.table(STORED) in readme
    assert f"measured on {STORED['date']}, {STORED['system']}, Python {STORED['python']}" in readme
    assert (ROOT / "data" / "measured" / "bench.png").exists()
    assert set(calls.TARGETS) - {"chat against the SDK"} <= set(STORED["rows"])


def test_what_misses_its_target_is_named_in_the_readme():
    path = ROOT / "tests" / "benchmarks" / "calls.py"
    spec = importlib.util.spec_from_file_location("calls", path)
    spec.loader.exec_module(calls := importlib.util.module_from_spec(spec))
    rows = re.findall(
        r"^\| (.+?) \| .+ \| .+ \| ([\d.]+) \| ([\d.]+) \|$", calls.table(STORED), re.M
    )
    assert len(rows) == len(calls.TARGETS)
    missed = [what for what, ratio, wanted in rows if float(ratio) > float(wanted)]
    readme = (ROOT / "README.md").read_text("utf-8")
    assert [what for what in missed if f"{what.capitalize()} misses" not in readme] == []
