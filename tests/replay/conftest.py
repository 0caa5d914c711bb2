"""What the tests of this room share."""

import http.server
import json
import threading

import pytest

import helpers
from tests.replay.upstream import KEY, Upstream


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """Start a lesson of these recordings."""

    def start(*items):
        monkeypatch.setenv("MISTRAL_RECORDINGS", str(tmp_path))
        (tmp_path / "lesson.json").write_text(json.dumps({"recordings": items}), "utf-8")
        helpers.start("lesson")

    return start


@pytest.fixture
def url(monkeypatch):
    """The address of an `Upstream` of this test, which the recorder takes for Mistral's."""
    monkeypatch.setattr(Upstream, "counts", {})
    monkeypatch.setattr(Upstream, "gate", None)
    monkeypatch.setattr("helpers.replay.seam.is_mistral", lambda host: host == "127.0.0.1")
    monkeypatch.setenv("MISTRAL_API_KEY", KEY)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream) as server:
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()


@pytest.fixture
def file(tmp_path, monkeypatch):
    """Where a recording of "lesson" goes."""
    monkeypatch.setenv("MISTRAL_RECORDINGS", str(tmp_path))
    return tmp_path / "lesson.json"
