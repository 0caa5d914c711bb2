"""The checks themselves can fail: the network is shut, and other outputs and pictures are found."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parent.parent
PLOT = "import matplotlib.pyplot as plt\n_ = plt.plot([1, 2, {0}])"


@pytest.mark.parametrize(
    "code",
    [
        "import socket; socket.create_connection(('192.0.2.1', 80))",
        "import socket; socket.getaddrinfo('api.mistral.ai', 443)",
        "import httpx; httpx.get('https://api.mistral.ai')",
        "import asyncio, httpx; asyncio.run(httpx.AsyncClient().get('https://192.0.2.1'))",
    ],
)
def test_the_network_is_shut_in_child_processes(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "NetworkBlocked: no network in tests" in done.stderr


def validate(book, path):
    nbformat.write(book, path)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-c",
        ROOT / "pyproject.toml",
        "-p",
        "conftest",
        path,
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout


def test_stored_outputs_and_pictures_are_compared(tmp_path):
    sources = ["print(1 + 1)", PLOT.format(3)]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    NotebookClient(book, kernel_name="python3").execute()
    assert validate(book, tmp_path / "right.ipynb")[0] == 0
    book.cells[0].outputs[0].text = "3\n"
    book.cells[1].source = PLOT.format(4)  # another curve in the same frame
    code, said = validate(book, tmp_path / "wrong.ipynb")
    assert code == 1
    assert "2 failed" in said
