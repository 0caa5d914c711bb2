"""`make deploy`: the same server, offline with questions to try, or live where the settings say so."""

import json
import os
import signal
import subprocess
import sys

import pytest

from tests.deploy.scripted import ScriptedApi
from tests.deploy.server import APP, HTTP, question, read_events

pytestmark = pytest.mark.slow


def deploy(text, wanted, **settings):
    """What the page offers, and what the chat answers up to these words, before the command is stopped."""
    command = [sys.executable, "-m", "tests.tools.deploy"]
    environment = os.environ | {"CHAT_PORT": "0", "PYTHONUNBUFFERED": "1", **settings}
    with subprocess.Popen(
        command, cwd=APP.parents[1], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            first_line, started = process.stdout.readline(), json.loads(process.stdout.readline())
            url = f"http://127.0.0.1:{started['port']}"
            offered = HTTP.get(f"{url}/suggestions").json()
            with HTTP.stream("POST", f"{url}/chat", json=question(text), timeout=60) as response:
                answer = read_to(wanted, response)
        finally:
            process.send_signal(signal.SIGTERM)
        process.wait(60)
    return first_line, offered, answer


def read_to(wanted, response):
    """The answer up to these words: a whole one takes seconds at its pace."""
    received = answer = ""
    for piece in response.iter_text():
        received += piece
        events = read_events(received.rpartition("\n\n")[0])
        answer = "".join(data["text"] for kind, data in events if kind == "piece")
        if wanted in answer:
            break
    return answer


def test_offline_it_offers_what_it_can_answer():
    first_line, offered, answer = deploy("What is a container?", "own view")
    assert "Ctrl-C stops it" in first_line
    assert ["What is a container?"] in offered
    assert ["What is a reverse proxy?", "Name two."] in offered
    assert "own view" in answer


def test_with_a_server_of_ones_own_it_asks_that_offers_nothing_and_sends_no_key():
    with ScriptedApi() as api:
        own = {"MISTRAL_BASE_URL": api.url, "MISTRAL_API_KEY": "not-for-others", "MISTRAL_MODE": ""}
        first_line, offered, answer = deploy("hello", "hello", **own)
    assert api.url in first_line
    assert offered == []
    assert answer == "hello", "the server's own, and not a written one"
    assert api.keys == {"Bearer no-key-needed-for-replay"}
