"""`make watch` reports what has another shape than the recordings, and nothing else."""

import importlib.util
from pathlib import Path

import httpx
import pytest

from helpers.offline.server import Server
from helpers.replay.recordings import Recordings

ROOT = Path(__file__).parent.parent.parent
SPEC = importlib.util.spec_from_file_location("watch", ROOT / "tests" / "tools" / "watch.py")
SPEC.loader.exec_module(watch := importlib.util.module_from_spec(SPEC))
USAGE = {"prompt_tokens": 1, "total_tokens": 2, "completion_tokens": 1}
BODY = {"id": "1", "usage": USAGE, "choices": [{"index": 0, "message": {"content": "Hi"}}]}

GONE = ["choices", "choices[]", "choices[].index", "choices[].message", "choices[].message.content"]
NO_CHOICES = [f"no field {name}" for name in GONE]


@pytest.mark.parametrize(
    ("new", "found"),
    [
        (BODY | {"id": "2"}, []),
        ({**BODY, "choices": [{"index": 1, "message": {"content": None}}]}, []),
        ({**BODY, "tier": 1}, ["new field tier"]),
        (BODY | {"id": 1}, ["id: number instead of text"]),
        (BODY | {"usage": {**USAGE, "total_tokens": "2"}}, ["usage.total_tokens: text instead of number"]),
        ({"id": "1", "usage": USAGE}, NO_CHOICES),
    ],
)  # fmt: skip
def test_differences_name_fields_and_types_and_no_text(new, found):
    assert watch.differences(BODY, new) == found


@pytest.fixture
def recorded():
    paths = [
        ROOT / "data" / "recordings" / f"{name}.json" for name in ("02_first_call", "05_embeddings")
    ]
    paths.append(ROOT / "data" / "recordings" / "03_streaming.json")
    return watch.cheapest(item for path in paths for item in Recordings.load(path))


@pytest.mark.slow
def test_the_same_wire_has_no_differences(recorded):
    with Server(pace=0) as server, httpx.Client(base_url=server.url) as client:
        found = {
            (item["request"]["path"], line)
            for item in recorded
            for line in watch.compare(client, item, "k" * 32)
        }
    assert len(recorded) > 5
    assert found == set()


def test_another_status_and_header_are_reported(recorded):
    item = next(item for item in recorded if item["response"]["status"] == 200)
    gone = httpx.MockTransport(lambda request: httpx.Response(404))
    with httpx.Client(base_url="http://api", transport=gone) as client:
        assert watch.compare(client, item, "k") == ["status 404 instead of 200"]
    recorded_body = watch.body_of(item["response"])
    bare = httpx.MockTransport(lambda request: httpx.Response(200, json=recorded_body))
    with httpx.Client(base_url="http://api", transport=bare) as client:
        found = watch.compare(client, item, "k")
    assert "no header mistral-correlation-id" in found
    assert all(line.startswith("no header ") for line in found)


def test_the_cheapest_request_of_each_kind_is_asked(recorded):
    kinds = [
        (
            item["request"]["path"],
            item["response"]["status"],
            *sorted(item["request"]["body"] or {}),
        )
        for item in recorded
    ]
    assert len(kinds) == len(set(kinds))
    assert 0 < watch.price_of(recorded) < 0.01
