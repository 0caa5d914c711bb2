"""`base_url` sends a lesson's requests to a server of one's own: no key leaves, nothing is billed."""

import asyncio
import contextlib
import http.server
import json
import os
import threading

import httpx
import httpx2
import pytest
from mistralai.client import Mistral

import helpers
from helpers import modes

URL = "https://api.mistral.ai/v1/chat/completions"
ASK = {"model": "mistral-small-latest", "messages": [{"role": "user", "content": "Hello"}]}
ANSWER = {
    "id": "1",
    "object": "chat.completion",
    "created": 1,
    "model": "own",
    "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Own."}}
    ],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}


class Own(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.server.seen.append((self.path, self.headers["host"], self.headers["authorization"]))
        content = json.dumps(ANSWER).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.delenv("MISTRAL_MODE")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Own) as server:
        server.seen, server.host = [], f"127.0.0.1:{server.server_port}"
        server.base_url = f"http://{server.host}/v1"
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield server
        server.shutdown()


async def ask_async():
    async with httpx.AsyncClient() as client:
        return (await client.post(URL, json=ASK)).json()


def ask_sdk():
    client = Mistral(api_key=os.environ["MISTRAL_API_KEY"])
    return client.chat.complete(**ASK).choices[0].message.content


ASKS = {
    "helpers": lambda: helpers.chat("Hello").text,
    "httpx": lambda: httpx.post(URL, json=ASK, headers={"Authorization": "Bearer real"}).json(),
    "httpx2": lambda: httpx2.post(URL, json=ASK).json(),
    "async": lambda: asyncio.run(ask_async()),
    "SDK": ask_sdk,
    "upload": lambda: httpx.post(URL.replace("chat/completions", "files"), files={"file": b"x"}),
}


def test_every_client_reaches_the_server_and_no_key_does(server, monkeypatch, capsys):
    monkeypatch.setenv("MISTRAL_BASE_URL", server.base_url)
    helpers.start("02_first_call")
    assert f"calls go to {server.base_url}, without a key" in capsys.readouterr().out
    for name, ask in ASKS.items():
        ask()
        path, host, key = server.seen.pop()
        assert (host, key) == (server.host, None), name
        assert path == ("/v1/files" if name == "upload" else "/v1/chat/completions"), name
    helpers.meter()
    assert capsys.readouterr().out == (
        f"6 calls, 18 tokens in, 12 out. {server.base_url} answered: nothing is billed.\n"
    )


def test_the_argument_wins_and_a_prefix_of_the_path_stays(server, monkeypatch):
    monkeypatch.setenv("MISTRAL_BASE_URL", "http://127.0.0.1:9/v1")
    helpers.start("02_first_call", base_url=f"http://{server.host}/models/own/v1/")
    assert helpers.chat("Hello").text == "Own."
    assert server.seen[0][0] == "/models/own/v1/chat/completions"


def test_replay_stays_replay(server, monkeypatch):
    monkeypatch.setenv("MISTRAL_BASE_URL", server.base_url)
    helpers.start("02_first_call", mode="replay")
    assert helpers.chat("What is the best French cheese?").text != "Own."
    assert server.seen == []


def test_the_settings_may_stand_in_the_env_file(server, monkeypatch, tmp_path):
    monkeypatch.setattr(modes, "ENV_FILE", tmp_path / ".env")
    (tmp_path / ".env").write_text(f"MISTRAL_BASE_URL={server.base_url}\nMISTRAL_API_KEY=real\n")
    helpers.start("02_first_call")
    assert helpers.chat("Hello").text == "Own."
    assert os.environ["MISTRAL_API_KEY"] != "real"


def test_programs_of_a_lesson_follow_the_same_settings(monkeypatch, tmp_path):
    monkeypatch.setattr(modes, "ENV_FILE", env := tmp_path / ".env")
    for name in ("MISTRAL_MODE", "MISTRAL_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    for lines, url, key in (
        ("", None, None),
        ("MISTRAL_MODE=record", None, None),
        (
            "MISTRAL_MODE=live\nMISTRAL_API_KEY=mine-alone",
            "https://api.mistral.ai/v1",
            "mine-alone",
        ),
        ("MISTRAL_BASE_URL=http://127.0.0.1:9/v1", "http://127.0.0.1:9/v1", modes.PLACEHOLDER),
    ):
        monkeypatch.delenv("MISTRAL_API_KEY", raising=False)
        env.write_text(lines)
        assert (modes.live_url(), os.environ.get("MISTRAL_API_KEY")) == (url, key)
    monkeypatch.setenv("MISTRAL_API_KEY", "not-for-others")
    assert modes.live_url() and os.environ["MISTRAL_API_KEY"] == modes.PLACEHOLDER


def test_what_makes_no_sense_is_refused(server, monkeypatch):
    for options, words in (
        ({"mode": "record", "base_url": server.base_url}, "needs Mistral's own API"),
        ({"base_url": "localhost:8080"}, "it must be a URL"),
    ):
        with pytest.raises(ValueError, match=words):
            helpers.start("02_first_call", **options)


def test_helpers_alone_call_any_server(server):
    """Without `start`: what an engineer copies."""
    with contextlib.closing(httpx.Client(base_url=server.base_url)) as client:
        assert helpers.chat("Hello", client=client).text == "Own."
    assert server.seen[0][2] is None
