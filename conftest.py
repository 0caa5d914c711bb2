"""How every check runs, notebooks included: offline, without a key, pictures compared."""

import importlib.util
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

from tests.lessons import calls, solutions, stored

ROOT = Path(__file__).parent
NO_NETWORK = ROOT / "tests" / "no_network"

# Kernels and other child processes of the tests inherit this.
for name in ("MISTRAL_API_KEY", "MISTRAL_RECORDINGS", "MISTRAL_BASE_URL"):
    os.environ.pop(name, None)
# Set, so that no `.env` file of the author's decides; strict, so that only recordings answer.
os.environ["MISTRAL_MODE"] = "replay"
os.environ["MISTRAL_STRICT"] = "1"
os.environ["MISTRAL_PACE"] = "0"
os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.null.Keyring"

# Also this process has no network. `make` has it so from the start, perhaps with the clock ahead.
if not hasattr(first := sys.modules.get("sitecustomize"), "NetworkBlocked"):
    spec = importlib.util.spec_from_file_location("no_network", NO_NETWORK / "sitecustomize.py")
    spec.loader.exec_module(first := importlib.util.module_from_spec(spec))
os.environ["PYTHONPATH"] = str(Path(first.__file__).resolve().parent)

# Kernels start with this profile instead of the person's own.
PROFILE = tempfile.TemporaryDirectory(prefix="ipython-")
(startup := Path(PROFILE.name, "profile_default", "startup")).mkdir(parents=True)
shutil.copy(ROOT / "tests" / "lessons" / "log_calls.py", startup)
os.environ["IPYTHONDIR"] = PROFILE.name
os.environ["COURSE_PROGRESS"] = str(Path(PROFILE.name, "progress.jsonl"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Check also how notebooks are stored, and solutions; what needs their calls comes after them."""
    solutions.add_solutions(items)
    stored.add_checks(items)
    items.sort(key=lambda item: "calls_of" in getattr(item, "fixturenames", ()))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """One process takes a whole notebook with the tests that read its calls, or a file of tests."""
    from xdist.scheduler import LoadFileScheduling

    class ByFile(LoadFileScheduling):
        def _split_scope(self, nodeid):
            lesson = re.fullmatch(r".*test_calls\.py::.*\[(\w+)\]", nodeid)
            return f"notebooks/{lesson[1]}.ipynb" if lesson else super()._split_scope(nodeid)

    return ByFile(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Name the log to the kernel that the first cell of a notebook starts."""
    if item.path.suffix == ".ipynb":
        os.environ["CALLS_LOG"] = str(calls.log_of(item.path.stem))
    else:
        os.environ.pop("CALLS_LOG", None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed and hasattr(item, "test_outputs"):
        stored.explain(item, report)
    return report


def pytest_terminal_summary(terminalreporter):
    """Say when the prices are old: no test fails for that, since nobody's change caused it."""
    from helpers.costs.prices import reminder

    if line := reminder():
        terminalreporter.write_line(line)


@pytest.fixture
def calls_of():
    """The calls of a lesson in order, see `tests/lessons/calls.py`."""
    return calls.calls_of


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """Each test begins without a key, and leaves httpx and httpx2 as it found them."""
    import httpx
    import httpx2

    for lib in (httpx, httpx2):
        for transport, name in (
            (lib.HTTPTransport, "handle_request"),
            (lib.AsyncHTTPTransport, "handle_async_request"),
        ):
            monkeypatch.setattr(transport, name, getattr(transport, name))
    monkeypatch.setattr("helpers.replay.seam._source", None)
    # Not the author's own file.
    monkeypatch.setattr("helpers.modes.ENV_FILE", ROOT / "tests" / "no.env")
    monkeypatch.delenv("MISTRAL_API_KEY", raising=False)
    monkeypatch.setenv("MISTRAL_PACE", "0")
