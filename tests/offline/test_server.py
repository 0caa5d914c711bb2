"""The API over HTTP on this machine: the same answers, limits, faults, keys, and other clients."""

import concurrent.futures
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import nbformat
import pytest
from mistralai.client import Mistral

from helpers.offline.server import Server
from helpers.transports import Clock, FakeClock

ROOT = Path(__file__).parents[2]
AUTH = {"authorization": "Bearer some-key"}
HELLO = {"model": "mistral-small-latest", "messages": [{"role": "user", "content": "Hello"}]}
CHEESE = {
    "model": "mistral-small-latest",
    "messages": [{"role": "user", "content": "What is the best French cheese?"}],
}
STORY = {
    "model": "mistral-small-latest",
    "messages": [{"role": "user", "content": "Tell me a short story about a lighthouse."}],
    "stream": True,
}


def post(server, body=HELLO, path="/chat/completions", headers=None, **options):
    headers = {**AUTH, **(headers or {})}
    return httpx.post(f"{server.url}{path}", json=body, headers=headers, timeout=30, **options)


@pytest.fixture(scope="module")
def server():
    with Server(pace=0) as running:
        yield running


def test_who_answers_in_which_order(server):
    text = {"model": "mistral-embed", "input": "The bank raised its rates."}
    own = {**HELLO, "messages": [{"role": "user", "content": "How tall is the Eiffel Tower?"}]}
    found = [
        (answer.status_code, answer.headers["x-answered-by"])
        for answer in (
            post(server, CHEESE),
            post(server, HELLO),
            post(server, {**HELLO, "foo": 1}),
            post(server, text, "/embeddings"),
            post(server, own),
            httpx.get(f"{server.url}/models/mistral-small-latest", headers=AUTH),
            httpx.get(f"{server.url}/nothing", headers=AUTH),
        )
    ]
    assert found == [
        (200, "recording"),
        (200, "written"),
        (422, "refused"),
        (200, "vectors"),
        (501, "nobody"),
        (200, "models"),
        (404, "refused"),
    ]
    assert "Questions with a written answer here" in post(server, own).json()["message"]


def test_keys(server):
    assert httpx.post(f"{server.url}/chat/completions", json=HELLO).status_code == 401
    assert post(server, headers={"authorization": "Bearer"}).json() == {"detail": "Invalid API Key"}
    with Server(key="right", pace=0) as strict:
        assert post(strict).status_code == 401
        assert post(strict, headers={"authorization": "Bearer right"}).status_code == 200


def test_only_recordings_answer_in_strict_mode(server):
    assert post(server, headers={"x-strict": "1"}).status_code == 501
    assert post(server, STORY, headers={"x-strict": "1"}).status_code == 200
    with Server(strict=True, lessons=["03_streaming"], pace=0) as strict:
        assert post(strict).status_code == 501
        assert post(strict, STORY).status_code == 200
        assert post(strict, STORY, headers={"authorization": ""}).status_code == 401


def test_streams_come_in_chunks_at_their_pace():
    clock = Clock(speed=20)
    with Server(clock=clock) as server:
        times, began = [], clock.now()
        with httpx.stream(
            "POST", f"{server.url}/chat/completions", json=STORY, headers=AUTH
        ) as answer:
            assert answer.headers["transfer-encoding"] == "chunked"
            assert not [name for name in answer.headers if "ratelimit" in name]
            pieces = []
            for piece in answer.iter_bytes():
                pieces.append(piece)
                times.append(clock.now() - began)
    assert b"".join(pieces).endswith(b"data: [DONE]\n\n")
    # Recorded: the first piece after 0.4 s, the last after more than 2 s.
    assert times[0] >= 0.4
    assert times[-1] >= 2


def test_limits_per_minute_and_their_headers():
    clock = FakeClock()
    with Server(2, pace=0, clock=clock) as server:
        first, second, third = post(server), post(server), post(server)
        left = "x-ratelimit-remaining-req-minute"
        assert [answer.headers[left] for answer in (first, second, third)] == ["1", "0", "0"]
        assert first.headers["x-ratelimit-limit-req-minute"] == "2"
        assert third.status_code == 429
        assert third.json()["code"] == "1300"
        assert "retry-after" not in third.headers
        other = post(server, {**HELLO, "model": "mistral-large-latest"})
        assert other.status_code == 200, "each model has its own"
        clock.time += 60
        assert post(server).status_code == 200
        assert post(server, {**HELLO, "foo": 1}).status_code == 422
        assert (server.answered, server.refused) == (4, 1)


def test_limits_of_tokens():
    with Server(tokens_per_minute=60, pace=0, clock=FakeClock()) as server:
        answers = [post(server) for _ in range(3)]
    cost = answers[0].json()["usage"]["total_tokens"]
    assert answers[0].headers["x-ratelimit-remaining-tokens-minute"] == str(60 - cost)
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].headers["x-ratelimit-limit-tokens-minute"] == "60"


@pytest.mark.slow
def test_many_at_once_get_exactly_what_the_limit_admits():
    with Server(40, pace=0, clock=FakeClock()) as server:
        with concurrent.futures.ThreadPoolExecutor(32) as pool:
            codes = list(pool.map(lambda _: post(server).status_code, range(64)))
        assert (codes.count(200), codes.count(429)) == (40, 24)
        assert (server.answered, server.refused) == (40, 24)


def test_faults_on_demand(server):
    assert post(server, headers={"x-fault": "overloaded"}).status_code == 503
    assert post(server, headers={"x-fault": "429"}).json()["code"] == "1300"
    assert post(server, headers={"x-fault": "overlooded"}).status_code == 400
    for name in ("connection_reset", "no_connection", "cut"):
        with pytest.raises(httpx.TransportError):
            post(server, headers={"x-fault": name})
    with pytest.raises(httpx.RemoteProtocolError):
        post(server, STORY, headers={"x-fault": "cut"})
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            f"{server.url}/chat/completions",
            json=HELLO,
            headers={**AUTH, "x-fault": "timeout"},
            timeout=0.2,
        )
    assert post(server).status_code == 200


def test_a_script_of_faults_is_played_once():
    with Server(faults=["overloaded", None, 500], pace=0) as server:
        codes = [post(server).status_code for _ in range(5)]
    assert codes == [503, 200, 500, 200, 200]


def test_bodies_in_chunks_and_bodies_that_are_no_json(server):
    content = (part for part in (b'{"model": "m', b'istral-smal"}'))
    url = f"{server.url}/chat/completions"
    chunked = httpx.post(url, content=content, headers={**AUTH, "content-type": "application/json"})
    assert chunked.status_code == 422
    assert chunked.json()["detail"][0]["loc"] == ["body", "messages"]
    broken = httpx.post(url, content=b"{no", headers={**AUTH, "content-type": "application/json"})
    assert broken.json()["detail"][0]["type"] == "json_invalid"


def test_the_official_sdk(server):
    client = Mistral(api_key="some-key", server_url=server.url.removesuffix("/v1"))
    answer = client.chat.complete(model=HELLO["model"], messages=HELLO["messages"])
    assert answer.choices[0].message.content == "Hello! How can I help you today?"
    pieces = client.chat.stream(model=STORY["model"], messages=STORY["messages"])
    text = "".join(event.data.choices[0].delta.content or "" for event in pieces)
    assert text.startswith("The lighthouse at Cap Noir")
    assert "mistral-small-latest" in [card.id for card in client.models.list().data]


@pytest.mark.skipif(not shutil.which("curl"), reason="no curl")
def test_the_curl_command_of_lesson_02(server):
    book = nbformat.read(ROOT / "notebooks" / "02_first_call.ipynb", as_version=4)
    source = next(cell.source for cell in book.cells if cell.id == "curl")
    command = re.search(r"```bash\n(.*?)```", source, re.DOTALL)[1]
    command = command.replace("https://api.mistral.ai/v1", server.url)
    environment = {**os.environ, "MISTRAL_API_KEY": "some-key"}
    done = subprocess.run(
        ["bash", "-c", command], env=environment, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["choices"][0]["message"]["content"]


def test_it_listens_on_this_machine_only(server):
    assert server._http.server_address[0] == "127.0.0.1"


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_the_command_says_how_to_ask_and_stops_when_it_is_told_to(end):
    command = [sys.executable, "-m", "helpers.offline", "--port", "0", "--strict", "--rpm", "1"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        first, curl = process.stdout.readline(), process.stdout.readline()
        assert "stand-ins, not a model" in first
        url = re.search(r"http://127\.0\.0\.1:\d+/v1", curl)[0]
        asked = {"json": CHEESE, "headers": AUTH, "timeout": 60}
        codes = [httpx.post(f"{url}/chat/completions", **asked).status_code for _ in range(2)]
        process.send_signal(end)
        last = process.stdout.read()
    assert codes == [200, 429]
    assert process.returncode == 0
    assert "Answered 1 chat" in last


def test_a_client_that_waits_does_not_keep_it_from_stopping():
    arrived = threading.Event()

    def script():
        arrived.set()
        yield "timeout"

    with Server(faults=script()) as server:
        waiting = http.client.HTTPConnection("127.0.0.1", httpx.URL(server.url).port)
        waiting.request("GET", "/v1/models", headers=AUTH)
        assert arrived.wait(60)
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        waiting.getresponse()


def test_it_counts_who_is_open_and_who_has_left():
    with Server(faults=["timeout"], pace=3) as server:
        url = f"{server.url}/chat/completions"
        waiting = http.client.HTTPConnection("127.0.0.1", httpx.URL(url).port)
        waiting.request("GET", "/v1/models", headers=AUTH)
        until(lambda: server.open == 1)
        with httpx.stream("POST", url, json=STORY, headers=AUTH, timeout=60) as read:
            next(read.iter_raw())
            assert (server.open, server.left) == (2, 0)
        waiting.close()
        until(lambda: server.left == 2)
        assert server.open == 0


def until(is_true):
    end = time.monotonic() + 60
    while not is_true():
        assert time.monotonic() < end
        time.sleep(0.01)
