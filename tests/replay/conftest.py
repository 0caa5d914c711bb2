"""What the tests of this room share."""

import json

import pytest

import helpers


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """Start a lesson of these recordings."""

    def start(*items):
        monkeypatch.setenv("MISTRAL_RECORDINGS", str(tmp_path))
        (tmp_path / "lesson.json").write_text(json.dumps({"recordings": items}), "utf-8")
        helpers.start("lesson")

    return start
