"""What a recorder must not lose, and what it must not keep."""

import base64
import concurrent.futures
import contextlib
import errno
import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

import helpers
from helpers.replay.recordings import Recordings

URL = "https://api.mistral.ai/v1/chat/completions"
KEY = "Zq3vN8sK1xT5bW7yR2mC9dF4gH6jL0pA"
SIGNED = {"Authorization": f"Bearer {KEY}"}
SSE = {"content-type": "text/event-stream"}
JSON = {"content-type": "application/json"}


@pytest.fixture
def network(tmp_path, monkeypatch):
    """Record a lesson from a network that answers each request by this function."""

    def record(answer):
        monkeypatch.setattr(httpx.HTTPTransport, "handle_request", lambda _, r: answer(r))
        monkeypatch.setenv("MISTRAL_API_KEY", KEY)
        monkeypatch.setenv("MISTRAL_RECORDINGS", str(tmp_path))
        helpers.start("lesson", mode="record")
        return tmp_path / "lesson.json"

    return record


def answering(content, headers=JSON):
    return lambda _: httpx.Response(200, headers=headers, content=content)


def echo(suffix):
    """An answer that is the question and this suffix."""

    def answer(request):
        question = json.loads(request.content)["question"]
        return httpx.Response(200, headers=JSON, json={"answer": f"{question} {suffix}"})

    return answer


@pytest.mark.slow
def test_recording_again_over_a_file_keeps_every_new_answer(network):
    for suffix in ("first", "second"):
        path = network(echo(suffix))
        with httpx.Client(headers=SIGNED) as client:
            for number in range(400):
                client.post(URL, json={"question": number})
    items = json.loads(path.read_text("utf-8"))["recordings"]
    wrong = [
        item
        for item in items
        if item["response"]["body"]["answer"] != f"{item['request']['body']['question']} second"
    ]
    assert (len(items), wrong) == (400, [])


@pytest.mark.slow
def test_threads_lose_nothing(network):
    path = network(echo("once"))
    with httpx.Client(headers=SIGNED) as client, concurrent.futures.ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda number: client.post(URL, json={"question": number}), range(200)))
    assert len(json.loads(path.read_text("utf-8"))["recordings"]) == 200


SECOND = """
import sys, helpers
try:
    helpers.start("lesson", mode="record")
except RuntimeError as error:
    print(error)
"""


@pytest.mark.slow
def test_a_second_process_that_records_the_same_lesson_is_refused(network):
    network(echo("here"))
    root = Path(__file__).parent.parent.parent
    done = subprocess.run(
        [sys.executable, "-c", SECOND], cwd=root, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.startswith("Another process is recording lesson: wait for it"), done.stderr
    helpers.start("lesson", mode="record")


def test_a_full_disk_hands_on_the_paid_answer_and_says_so(network, monkeypatch, capsys):
    path = network(echo("paid"))
    httpx.post(URL, json={"question": 1}, headers=SIGNED)
    before = path.read_bytes()
    full = OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(full))
    response = httpx.post(URL, json={"question": 2}, headers=SIGNED)
    assert response.json() == {"answer": "2 paid"}
    assert "Not recorded: " in (out := capsys.readouterr().out) and "No space left" in out
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir() if p.suffix != ".lock"] == ["lesson.json"]


def test_a_recording_keeps_the_mode_of_its_file(network):
    path = network(echo("once"))
    httpx.post(URL, json={"question": 1}, headers=SIGNED)
    path.chmod(0o600)
    httpx.post(URL, json={"question": 2}, headers=SIGNED)
    assert path.stat().st_mode & 0o777 == 0o600


def chunks(*texts):
    return b"".join(
        b"data: %s\n\n"
        % json.dumps({"choices": [{"index": 0, "delta": {"content": text}}]}).encode()
        for text in texts
    )


escaped = "".join(f"\\u{ord(c):04x}" for c in KEY)
encoded = {n: base64.b64encode(b"x" * n + KEY.encode() + b" and more").decode() for n in range(3)}
LEAKS = {
    "a text": answering(json.dumps({"text": f"it is {KEY}."}).encode()),
    "a name": answering(json.dumps({KEY: 1}).encode()),
    "escaped": answering(f'{{"text":"{escaped}"}}'.encode()),
    "escaped, in a body that is no JSON": answering(f'{{"text":"{escaped}'.encode()),
    "URL-encoded": answering(json.dumps({"next": quote(f"/?key={KEY}", safe="")}).encode()),
    "percent signs throughout": answering(
        json.dumps({"next": "".join(f"%{ord(c):02X}" for c in KEY)}).encode()
    ),
    **{f"base64 {n}": answering(json.dumps({"data": encoded[n]}).encode()) for n in range(3)},
    "cut at the end": answering(json.dumps({"text": f"the key {KEY[:20]}"}).encode()),
    "split over chunks": answering(chunks("my key: ", KEY[:7], KEY[7:18], KEY[18:], "!"), SSE),
    "bytes": answering(b"\xff\x00" + KEY.encode(), {"content-type": "audio/mpeg"}),
    "a header": answering(b"{}", JSON | {"x-ratelimit-note": KEY}),
}


def leaks(text):
    """Whether eight characters of the key in a row, or of its other forms, stand in a text."""
    forms = [KEY, escaped, *encoded.values(), "".join(f"%{ord(c):02X}" for c in KEY)]
    for form, size in zip(forms, (8, 48, 24, 24, 24, 24), strict=True):
        inner = form[4:-12] if form in encoded.values() else form
        if any(inner[at : at + size] in text for at in range(len(inner) - size + 1)):
            return True
    return False


def test_the_check_for_leaks_can_fail():
    for text in (KEY[5:14], escaped, encoded[1], "".join(f"%{ord(c):02X}" for c in KEY)):
        assert leaks(f"… {text} …")


def test_no_form_of_the_key_is_recorded(network):
    problems = []
    for name, answer in LEAKS.items():
        path = network(answer)
        with contextlib.suppress(httpx.HTTPError):
            httpx.post(URL, json={"note": f"my key is {KEY}", KEY: 1}, headers=SIGNED)
        text = path.read_text("utf-8")
        if leaks(text) or "\\u0000" in text:
            problems.append(name)
        Recordings.load(path)
        path.unlink()
    assert problems == []


def test_an_endless_answer_is_not_kept_in_memory(network, monkeypatch):
    monkeypatch.setattr("helpers.replay.tape.MAX_BYTES", 1000)
    path = network(lambda _: httpx.Response(200, headers=JSON, content=iter([b"x" * 600] * 4)))
    assert len(httpx.post(URL, json={}, headers=SIGNED).content) == 2400
    assert not path.exists()
