"""`make deploy`: the same server, offline with questions to try, or live where the settings say so."""

import json
import os
import signal
import subprocess
import sys

import pytest

from tests.deploy.scripted import ScriptedApi
from tests.deploy.server import APP, HTTP, question, text_of

pytestmark = pytest.mark.slow


def deploy(**settings):
    """What the page offers and what the chat answers to one of it, before the command is stopped."""
    command = [sys.executable, "-m", "tests.tools.deploy"]
    environment = os.environ | {"CHAT_PORT": "0", "PYTHONUNBUFFERED": "1", **settings}
    with subprocess.Popen(
        command, cwd=APP.parents[1], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            first_line, started = process.stdout.readline(), json.loads(process.stdout.readline())
            url = f"http://127.0.0.1:{started['port']}"
            offered = HTTP.get(f"{url}/suggestions").json()
            answer = HTTP.post(f"{url}/chat", json=question("What is a container?"), timeout=60)
        finally:
            process.send_signal(signal.SIGTERM)
        process.wait(60)
    return first_line, offered, text_of(answer)


def test_offline_it_offers_what_it_can_answer():
    first_line, offered, answer = deploy()
    assert "Ctrl-C stops it" in first_line
    assert ["What is a container?"] in offered
    assert ["What is a reverse proxy?", "Name two."] in offered
    assert "own view of the machine" in answer


def test_with_a_server_of_ones_own_it_asks_that_offers_nothing_and_sends_no_key():
    with ScriptedApi() as api:
        own = {"MISTRAL_BASE_URL": api.url, "MISTRAL_API_KEY": "not-for-others", "MISTRAL_MODE": ""}
        first_line, offered, answer = deploy(**own)
    assert api.url in first_line
    assert offered == []
    assert "own view of the machine" in answer
    assert api.keys == {"Bearer no-key-needed-for-replay"}
