"""How long `make test` takes, and how much of it the lessons' cells are: data/measured/suite.csv.

python tests/benchmarks/suite.py build/tests.xml     what `pytest --junitxml` wrote
"""

import csv
import datetime
import os
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

OUT = Path(__file__).resolve().parents[2] / "data" / "measured" / "suite.csv"


def main(path: str) -> None:
    suite = ElementTree.parse(path).getroot().find("testsuite")
    cells = [
        float(test.get("time"))
        for test in suite.iter("testcase")
        if re.fullmatch(r"Cell \d+", test.get("name"))
    ]
    rows = [
        ("the lessons' cells, one after another", len(cells), sum(cells)),
        ("all checks", int(suite.get("tests")), float(suite.get("time"))),
    ]
    with OUT.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(("what", "tests", "seconds", "cores", "date"))
        for what, tests, seconds in rows:
            row = (what, tests, f"{seconds:.0f}", os.cpu_count(), datetime.date.today())
            table.writerow(row)
            print(*row)


if __name__ == "__main__":
    main(sys.argv[1])
