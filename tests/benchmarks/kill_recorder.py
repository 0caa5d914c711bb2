"""Kill a run that records a lesson at random moments: are notebook and recordings both old or both new?

PYTHONPATH=. .venv/bin/python tests/benchmarks/kill_recorder.py 200
"""

import collections
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from tqdm import tqdm

from tests.tools.record import ROOT

LESSON = "02_first_call"
RECORD = [sys.executable, "-m", "tests.tools.record", "--stand-ins", LESSON[:2]]
CLEAN_UP = [sys.executable, "-c", f"from tests.tools import record; record.clean_up({LESSON!r})"]


def start(command, folder):
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, cwd=folder, start_new_session=True, **quiet)


def make_old(files):
    """What a run replaces: recordings without the first one, a notebook without outputs."""
    recordings, notebook = (path.read_text("utf-8") for path in files)
    recordings = json.loads(recordings)
    del recordings["recordings"][0]
    book = nbformat.reads(notebook, as_version=4)
    for cell in book.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    return json.dumps(recordings), nbformat.writes(book)


def main(kills):
    chance, found = random.Random(1), collections.Counter()
    with tempfile.TemporaryDirectory() as name:
        for part in ("helpers", "data", "notebooks", "tests"):
            shutil.copytree(ROOT / part, Path(name, part), ignore=shutil.ignore_patterns(".*"))
        files = (
            Path(name, "data", "recordings", f"{LESSON}.json"),
            Path(name, "notebooks", f"{LESSON}.ipynb"),
        )
        began = time.monotonic()
        start(RECORD, name).wait()
        longest = time.monotonic() - began
        new = tuple(path.read_text("utf-8") for path in files)
        old = make_old(files)
        for number in (bar := tqdm(range(kills))):
            for path, text in zip(files, old, strict=True):
                path.write_text(text, "utf-8")
            process = start(RECORD, name)
            # Half of the kills come about when the files are replaced.
            time.sleep(chance.uniform(0.85 if number % 2 else 0, 1.1) * longest)
            os.killpg(process.pid, signal.SIGKILL) if process.poll() is None else None
            over = process.wait() == 0
            start(CLEAN_UP, name).wait()
            state = tuple(path.read_text("utf-8") for path in files)
            kind = {old: "both old", new: "both new"}.get(state, "MIXED")
            found[kind + (", not killed in time" if over else "")] += 1
            bar.set_postfix(found)
    print(dict(found))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
