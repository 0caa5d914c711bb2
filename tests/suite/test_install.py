"""The helpers outside of this repository: installed with their data, and with httpx alone."""

import importlib.metadata
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
WHEEL = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]

pytestmark = pytest.mark.slow

# Refuses to import what is neither in Python nor in ADMITTED.
BLOCK = """
import importlib.abc, sys

class Block(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in ADMITTED and top not in sys.stdlib_module_names:
            raise ModuleNotFoundError(f"No module named {name!r}: blocked", name=name)

sys.meta_path.insert(0, Block())
"""
ANSWER = """
import os
import httpx
import helpers

os.environ["MISTRAL_API_KEY"] = "k" * 32
USAGE = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
CHOICE = {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}

def client(status, answer):
    transport = httpx.MockTransport(lambda request: httpx.Response(status, json=answer))
    return httpx.Client(transport=transport)

whole = client(200, {"id": "1", "model": "m", "choices": [CHOICE], "usage": USAGE})
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder of packages with what the wheel would hold, as pyproject.toml says."""
    site = tmp_path_factory.mktemp("installed") / "site"
    for package in WHEEL["packages"]:
        shutil.copytree(
            ROOT / package, site / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    for source, target in WHEEL["force-include"].items():
        shutil.copytree(ROOT / source, site / target)
    return site


def run(site, source, folder, admitted=None):
    """What a program prints that finds the helpers in `site` only, started in a folder."""
    block = f"ADMITTED = {admitted!r}{BLOCK}" if admitted else ""
    path = f"import sys; sys.path.insert(0, {str(site)!r})\n"
    done = subprocess.run(
        [sys.executable, "-I", "-c", path + block + source],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def httpx_alone():
    """The modules of httpx and of what it needs, and the helpers."""
    names, waiting = set(), ["httpx"]
    while waiting:
        name = waiting.pop()
        if name not in names:
            names.add(name)
            needs = map(Requirement, importlib.metadata.requires(name) or [])
            waiting += [n.name for n in needs if not n.marker or n.marker.evaluate({"extra": ""})]
    modules = {name.replace("-", "_").lower() for name in names}
    return sorted(modules | {"helpers"})


def test_the_core_needs_httpx_alone(installed, tmp_path):
    source = """
import helpers.data
print(helpers.chat("Hello", client=whole).text)
print(helpers.price((1_000_000, 0), "mistral-small-latest").usd)
try:
    helpers.chat("Hello", client=client(429, {"message": "Too many"}))
except helpers.APIError as error:
    print(error)
try:
    helpers.chat("Hello", client=client(404, {"message": "Invalid model: mistral-tiny"}))
except helpers.APIError as error:
    print("mistral-tiny" in str(error))
"""
    printed = run(installed, ANSWER + source, tmp_path, httpx_alone()).splitlines()
    assert printed[:3] == ["Hi", "0.15", "429: Too many"]
    assert printed[3].startswith("Hint: ") and printed[-1] == "True"


def test_what_the_core_does_not_need_is_blocked(installed, tmp_path):
    """Or else the test above couldn't fail."""
    with pytest.raises(AssertionError, match="No module named 'numpy': blocked"):
        run(installed, "import numpy", tmp_path, httpx_alone())
    assert "numpy" not in httpx_alone() and "pydantic_core" not in httpx_alone()


def test_embed_needs_numpy_and_a_stream_httpx_sse(installed, tmp_path):
    source = """
for call in (lambda: helpers.embed(["a"], client=whole), lambda: list(helpers.stream("a", client=whole))):
    try:
        call()
    except ModuleNotFoundError as error:
        print(error.name)
"""
    assert run(installed, ANSWER + source, tmp_path, httpx_alone()) == "numpy\nhttpx_sse\n"


def test_all_data_is_found_where_it_is_installed(installed, tmp_path):
    source = """
import helpers.data
from helpers.offline import answers, labels, vectors
from helpers.transports import faults
print(helpers.data.DATA.name, helpers.data.PROJECT == __import__("pathlib").Path.cwd())
print(len(helpers.models()) > 20, vectors.FILE.exists(), faults.FILE.exists(), len(answers.lessons()) >= 10)
helpers.start("02_first_call")
print(helpers.chat("What is the best French cheese?").finish_reason)
"""
    printed = run(installed, source, tmp_path).splitlines()
    assert printed[0] == "_data True"
    assert printed[1] == "True True True True"
    assert printed[2].startswith("Replay, offline.") and printed[3] == "stop"


def test_in_a_clone_the_data_is_that_of_the_clone():
    from helpers import data

    assert ROOT / "data" == data.DATA and data.PROJECT == ROOT
    assert not (ROOT / "helpers" / "_data").exists()


def test_no_module_looks_for_data_by_itself():
    """Two parents up from a module is the clone, which an installed package doesn't have."""
    problems = []
    for path in sorted((ROOT / "helpers").rglob("*.py")):
        # These work in a clone only, on its notebooks.
        if path.name in ("data.py", "record.py", "setup_check.py"):
            continue
        for line in path.read_text("utf-8").splitlines():
            if "parent.parent" in line:
                problems.append(f"{path.relative_to(ROOT)}: {line.strip()}")
    assert problems == []
