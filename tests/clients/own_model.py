"""Helpers and SDK against llama.cpp's own server with a real small model. Not in `make test`: `make local`.

Between them stands a proxy that hears every request, so that the tests see what left.
"""

import contextlib
import http.client
import http.server
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
from mistralai.client import Mistral
from mistralai.client.errors import MistralError, ResponseValidationError

import helpers
from helpers.reply import Usage

SERVER = Path(__file__).parent / "llama_server.py"
API = "https://api.mistral.ai/v1"
KEY = "Zq3vN8sK1xT5bW7yR2mC9dF4gH6jL0pA"
COUNT = [{"role": "user", "content": "Count from 1 to 5."}]
SHORT = {"temperature": 0, "max_tokens": 12}
ASK = {"model": "any-name", "messages": COUNT, **SHORT}


class Ear(http.server.BaseHTTPRequestHandler):
    """Passes each request on, and its answer back as it comes."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"] or 0))
        self.server.heard.append((self.path, str(self.headers), body))
        # A connection for each: llama.cpp closes them after a stream.
        upstream = http.client.HTTPConnection(self.server.behind, timeout=600)
        with contextlib.closing(upstream):
            upstream.request(self.command, self.path, body, {"content-type": "application/json"})
            answer = upstream.getresponse()
            self.send_response(answer.status)
            self.send_header("content-type", answer.headers["content-type"])
            self.end_headers()
            while piece := answer.read1():
                self.wfile.write(piece)

    def do_GET(self):
        self.headers["content-length"] = "0"
        self.do_POST()

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def llama():
    """The address of the model's server."""
    command, path = [sys.executable, str(SERVER)], os.pathsep.join(sys.path)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}
    ) as server:
        try:
            address = server.stdout.readline().strip()
            assert address, "the server did not start"
            yield urlsplit(address).netloc
        finally:
            server.kill()


@pytest.fixture
def own(llama, monkeypatch):
    """The proxy's base URL, with a key in the environment, which must not reach the proxy."""
    monkeypatch.delenv("MISTRAL_MODE")
    monkeypatch.setenv("MISTRAL_API_KEY", KEY)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Ear) as proxy:
        proxy.behind, proxy.heard = llama, []
        threading.Thread(target=proxy.serve_forever, args=[0.01], daemon=True).start()
        yield f"http://127.0.0.1:{proxy.server_port}/v1"
        proxy.shutdown()
    assert proxy.heard
    for path, headers, body in proxy.heard:
        assert "authorization" not in headers.lower(), path
        assert KEY not in headers and KEY.encode() not in body, path


def test_chat_streams_embeds_and_is_not_billed(own, capsys):
    helpers.start("02_first_call", base_url=own)
    whole = helpers.chat(COUNT, **SHORT)
    assert whole.text and whole.finish_reason == "length"
    assert whole.usage.completion_tokens == 12
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + 12

    streamed = helpers.stream(COUNT, **SHORT)
    pieces = list(streamed)
    assert len(pieces) > 5
    assert "".join(pieces) == whole.text == streamed.reply.text
    assert streamed.reply.finish_reason == "length"
    # This server counts a stream's tokens only when it is asked to.
    assert streamed.reply.usage == Usage(reported=False)

    counted = helpers.stream(COUNT, **SHORT, stream_options={"include_usage": True})
    assert "".join(counted) == whole.text
    assert counted.reply.usage.total_tokens == whole.usage.total_tokens

    vectors = helpers.embed(["We like cheese.", "We sat on the bank of the river."])
    assert vectors.shape == (2, 576)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)

    capsys.readouterr()
    helpers.meter()
    line = capsys.readouterr().out
    assert line.startswith("4 calls, ") and line.endswith(f"{own} answered: nothing is billed.\n")


def test_a_variable_sends_clients_of_mistral_urls_there(own, monkeypatch):
    monkeypatch.setenv("MISTRAL_BASE_URL", own)
    helpers.start("03_streaming")
    signed = {"Authorization": f"Bearer {KEY}"}
    answer = httpx.post(f"{API}/chat/completions", json=ASK, headers=signed, timeout=600).json()
    text = answer["choices"][0]["message"]["content"]
    assert text

    sdk = Mistral(api_key=os.environ["MISTRAL_API_KEY"], timeout_ms=600_000)
    whole = sdk.chat.complete(**ASK)
    assert (whole.choices[0].message.content, whole.usage.completion_tokens) == (text, 12)
    with sdk.chat.stream(**ASK) as events:
        deltas = [event.data.choices[0].delta.content or "" for event in events]
    assert "".join(deltas) == text


def test_its_errors_are_read(own):
    helpers.start("06_errors", base_url=own)
    with pytest.raises(helpers.APIError, match=r"400: Field 'n': Value must be between") as caught:
        helpers.chat(COUNT, **SHORT, n=0)
    assert caught.value.status == 400
    with pytest.raises(helpers.APIError, match="Invalid tool_choice: any"):
        list(helpers.stream(COUNT, **SHORT, tool_choice="any"))
    with pytest.raises(MistralError, match="Invalid tool_choice: any"):
        Mistral(api_key="x").chat.complete(**ASK, tool_choice="any")


def test_what_it_does_differently_from_mistral(own):
    """The README's table of such servers, as far as it is about this one."""
    helpers.start("04_system_prompts_and_temperature", base_url=own)

    def status(**fields):
        return httpx.post(f"{API}/chat/completions", json=ASK | fields, timeout=600).status_code

    taken = {
        "a field that does not exist": {"nonsense": 1},
        "a role that does not exist": {"messages": [{"role": "nobody", "content": "Hello"}]},
        "an answer last, without prefix": {
            "messages": [*COUNT, {"role": "assistant", "content": "1"}]
        },
        "no messages": {"messages": []},
        "a temperature of 3": {"temperature": 3},
        "OpenAI's seed": {"seed": 1},
        "OpenAI's max_completion_tokens": {"max_completion_tokens": 3},
    }
    refused = {"two answers, with one slot": {"n": 2}, "tool_choice any": {"tool_choice": "any"}}
    found = {name: status(**fields) for name, fields in {**taken, **refused}.items()}
    assert found == {**dict.fromkeys(taken, 200), **dict.fromkeys(refused, 400)}

    def texts(**seed):
        return {helpers.chat(COUNT, temperature=1.5, max_tokens=12, **seed).text for _ in range(3)}

    assert (len(texts(seed=1)), len(texts(random_seed=1)) > 1) == (1, True)

    listed = httpx.get(f"{API}/models").json()["data"]
    assert [(card["id"], "type" in card) for card in listed] == [("smollm2", False)]
    # Its models have no type, its embeddings no id: the SDK takes neither.
    sdk = Mistral(api_key="x", timeout_ms=600_000)
    for call in (
        sdk.models.list,
        lambda: sdk.embeddings.create(model="any-name", inputs=["We like cheese."]),
    ):
        with pytest.raises(ResponseValidationError):
            call()


def test_it_closes_the_connection_after_a_stream(llama):
    """So the next request of a client that keeps it open fails now and then, and Retry asks again."""
    closed = {}
    for stream in (False, True):
        connection = http.client.HTTPConnection(llama, timeout=600)
        with contextlib.closing(connection):
            connection.request("POST", "/v1/chat/completions", json.dumps(ASK | {"stream": stream}))
            with connection.getresponse() as answer:
                answer.read()
            connection.sock.settimeout(2)
            try:
                closed[stream] = connection.sock.recv(1) == b""
            except TimeoutError:
                closed[stream] = False
    assert closed == {False: False, True: True}
