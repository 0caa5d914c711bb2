"""The checks themselves can fail: the network is shut, and what is wrong in a notebook is found."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parent.parent.parent
PLOT = "import matplotlib.pyplot as plt\n_ = plt.plot([1, 2, {0}])"

pytestmark = pytest.mark.slow


def test_the_network_is_shut_in_child_processes():
    problems = []
    for code in (
        "import socket; socket.create_connection(('192.0.2.1', 80))",
        "import socket; socket.getaddrinfo('api.mistral.ai', 443)",
        "import httpx; httpx.get('https://api.mistral.ai')",
        "import asyncio, httpx; asyncio.run(httpx.AsyncClient().get('https://192.0.2.1'))",
    ):
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=60
        )
        if done.returncode != 1 or "NetworkBlocked: no network in tests" not in done.stderr:
            problems.append((code, done.stderr))
    assert problems == []


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """What pytest prints about notebooks with known mistakes, each beside one without."""
    folder = tmp_path_factory.mktemp("books")
    sources = ["print(1 + 1)", PLOT.format(3)]
    right = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(s, id=i) for s, i in zip(sources, "ab", strict=True)]
    )
    right.cells[0].outputs = [nbformat.v4.new_output("stream", text="2\n")]
    NotebookClient(right, kernel_name="python3").execute()

    def write(name, change):
        book = nbformat.from_dict(right)
        change(book.cells)
        nbformat.write(book, folder / f"{name}.ipynb")

    def strip(cells):
        for cell in cells:
            cell.outputs, cell.execution_count = [], None

    write("01_right", lambda cells: None)
    write("02_text", lambda cells: cells[0].outputs[0].update(text="3\n"))
    # Another curve in the same frame.
    write("03_picture", lambda cells: cells[1].update(source=PLOT.format(4)))
    write("04_stripped", strip)
    write("05_order", lambda cells: cells[1].update(execution_count=3))
    command = [sys.executable, "-m", "pytest", "-q", "--color=no", "-p", "no:cacheprovider"]
    command += ["-c", ROOT / "pyproject.toml", "-p", "conftest", folder]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout


def failures(report, number):
    """The parts of a report on one notebook. nbval names none that is outside of the project."""
    parts = re.split(r"\n_{3,} .+ _{3,}\n", report.partition("short test summary")[0])
    return [part for part in parts if f"make lesson L={number}" in part]


def test_a_right_notebook_passes(report):
    assert failures(report, "01") == []
    assert "4 failed" in report


def test_another_text_fails_and_the_command_that_stores_it_is_named(report):
    (part,) = failures(report, "02")
    assert "mismatch 'stdout'" in part


def test_another_picture_fails_and_both_are_saved(report):
    (part,) = failures(report, "03")
    paths = [ROOT / path for path in re.findall(r"  (?:stored|new): (\S+\.png)", part)]
    stored, new = (path.read_bytes() for path in paths)
    assert stored != new
    assert stored[:8] == new[:8] == b"\x89PNG\r\n\x1a\n"
    for path in paths:
        path.unlink()


def test_a_stripped_notebook_fails_and_the_command_that_mends_it_is_named(report):
    (part,) = failures(report, "04")
    assert "04_stripped.ipynb was stored without outputs." in part


def test_a_notebook_stored_out_of_order_fails_and_the_command_that_mends_it_is_named(report):
    (part,) = failures(report, "05")
    assert "was not run from top to bottom before it was stored" in part


def test_kernels_do_not_read_the_persons_own_profile():
    own = Path.home() / ".ipython"
    assert not Path(os.environ["IPYTHONDIR"]).is_relative_to(own)
