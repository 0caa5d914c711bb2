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
    """What pytest prints about notebooks with one mistake each; their other cells are right."""
    folder = tmp_path_factory.mktemp("books")
    text, text_2 = printing("2\n", count=1), printing("3\n", count=2)
    plot = nbformat.v4.new_code_cell(PLOT.format(3))
    NotebookClient(nbformat.v4.new_notebook(cells=[plot]), kernel_name="python3").execute()
    # Another curve in the same frame.
    plot_2 = plot | {"id": "other", "source": PLOT.format(4), "execution_count": 2}
    books = {
        "02_text": [text, text_2],
        "03_picture": [plot, plot_2],
        "04_stripped": [printing(count=None), printing(count=None)],
        "05_order": [text, printing("2\n", count=3)],
    }
    for name, cells in books.items():
        book = nbformat.v4.new_notebook(cells=[nbformat.from_dict(cell) for cell in cells])
        nbformat.write(book, folder / f"{name}.ipynb")
    command = [sys.executable, "-m", "pytest", "-q", "--color=no", "-p", "no:cacheprovider"]
    command += ["-c", ROOT / "pyproject.toml", "-p", "conftest", folder]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout


def printing(*outputs, count):
    """A cell that prints 2, and what is stored of it."""
    cell = nbformat.v4.new_code_cell("print(1 + 1)", execution_count=count)
    cell.outputs = [nbformat.v4.new_output("stream", text=text) for text in outputs]
    return cell


def failures(report, number):
    """The parts of a report on one notebook. nbval names none that is outside of the project."""
    parts = re.split(r"\n_{3,} .+ _{3,}\n", report.partition("short test summary")[0])
    return [part for part in parts if f"make lesson L={number}" in part]


def test_only_the_mistakes_fail(report):
    assert "4 failed, 8 passed" in report


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
