"""Put a dozen clients in front of the lessons' recordings: `make clients`. Prints a table.

Each runs in an environment of its own, with no network; see ask.py. It fails where an answer differs
from what versions.toml says.
"""

import concurrent.futures
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

from uv import find_uv_bin

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
TABLE = tomllib.loads((HERE / "versions.toml").read_text("utf-8"))
COLUMNS = ("chat", "async", "stream", "embeddings", "models", "changed request", "wrong key")
# What each client must end in: replay's sentence, the API's refusal.
FAILURES = {"changed request": "miss", "wrong key": "401"}


def ask(name):
    """What came of each question of ask.py, or why it did not run."""
    packages = TABLE["helpers"]["packages"] + TABLE["clients"][name]["packages"]
    command = [find_uv_bin(), "run", "--quiet", "--isolated", "--no-project"]
    command += ["--python", sys.executable, *(f"--with={package}" for package in packages)]
    done = subprocess.run(
        [*command, "python", str(HERE / "ask.py"), name],
        cwd=ROOT,
        env={
            **{k: v for k, v in os.environ.items() if not k.startswith("MISTRAL_")},
            "PYTHONPATH": os.pathsep.join([str(ROOT / "tests" / "no_network"), str(ROOT)]),
            "MISTRAL_MODE": "replay",
            "MISTRAL_PACE": "0",
        },
        capture_output=True,
        text=True,
    )
    if done.returncode:
        return {"it did not run": done.stderr[-2000:]}
    return json.loads(done.stdout.splitlines()[-1])


def problems(name, found):
    """Where a client's answers are not as expected."""
    expected = TABLE["clients"][name].get("expected", {})
    for way in {*found, *expected}:
        answer, wanted = found.get(way, "nothing"), expected.get(way, "recording")
        if way in FAILURES:
            # In what exception, is the client's choice.
            answer, wanted = answer.partition(" ")[0], FAILURES[way]
        if answer != wanted:
            yield f"{name}, {way}: {answer}; expected: {wanted}"


def row(name, found):
    package, version = TABLE["clients"][name]["packages"][0].split("==")
    others = "; ".join(f"{way}: {found[way]}" for way in found if way not in COLUMNS)
    return [package, version, *(found.get(way, "–") for way in COLUMNS), others]


def line(cells):
    return f"| {' | '.join(cells)} |"


def main(names):
    names = names or list(TABLE["clients"])
    wrong = []
    print(line(["client", "version", *COLUMNS, "else"]))
    print("|---" * (len(COLUMNS) + 3) + "|")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for name, found in zip(names, pool.map(ask, names), strict=True):
            print(line(row(name, found)), flush=True)
            wrong += problems(name, found)
    print(*wrong, f"{len(names)} clients, {len(wrong)} problems", sep="\n")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
