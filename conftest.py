"""How every check runs, notebooks included: offline, without a key, pictures compared."""

import importlib.util
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent
NO_NETWORK, CLOCK_AHEAD = ROOT / "tests" / "no_network", ROOT / "tests" / "clock_ahead"

# Kernels and other child processes of the tests inherit this.
for name in ("MISTRAL_API_KEY", "MISTRAL_RECORDINGS", "MISTRAL_BASE_URL"):
    os.environ.pop(name, None)
# Set, so that no `.env` file of the author's decides; strict, so that only recordings answer.
os.environ["MISTRAL_MODE"] = "replay"
os.environ["MISTRAL_STRICT"] = "1"
os.environ["MISTRAL_PACE"] = "0"
os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.null.Keyring"
# `make future` asks for the clock a year ahead, which also blocks the network.
ahead = str(CLOCK_AHEAD) in os.environ.get("PYTHONPATH", "").split(os.pathsep)
os.environ["PYTHONPATH"] = str(CLOCK_AHEAD if ahead else NO_NETWORK)

if "NetworkBlocked" not in dir(sys.modules.get("sitecustomize")):  # and in this process, too
    spec = importlib.util.spec_from_file_location("no_network", NO_NETWORK / "sitecustomize.py")
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Let nbval compare pictures, which it leaves out by default.

    With one version of matplotlib a figure gives the same bytes on every run.
    """
    for item in items:
        if hasattr(book := item.parent, "skip_compare"):
            book.skip_compare = tuple(kind for kind in book.skip_compare if kind != "image/png")


def pytest_terminal_summary(terminalreporter):
    """Say when the prices are old: no test fails for that, since nobody's change caused it."""
    from helpers.costs.prices import reminder

    if said := reminder():
        terminalreporter.write_line(said)


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
    monkeypatch.setattr("helpers.modes.ENV_FILE", ROOT / "tests" / "no.env")  # not the author's own
    monkeypatch.delenv("MISTRAL_API_KEY", raising=False)
    monkeypatch.setenv("MISTRAL_PACE", "0")
