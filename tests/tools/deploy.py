"""Serves lesson 13's chat on http://127.0.0.1:8000: `make deploy`, or `python -m tests.tools.deploy`.

Offline, the course's offline API answers, and the page offers the questions that it has answers for. With
MISTRAL_MODE=live or MISTRAL_BASE_URL, in the environment or in `.env`, the chat asks the API or your own server.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from helpers.modes import live_url
from helpers.offline.answers import questions
from helpers.offline.server import Server

SERVE = Path(__file__).parents[2] / "notebooks" / "13_deploy" / "serve.py"


def main():
    port = os.environ.setdefault("CHAT_PORT", "8000")
    # Ctrl-C reaches both; another program's signal only this one.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.ExitStack() as stack:
        own = {"CHAT_STORE": os.environ.get("CHAT_STORE", ":memory:")}
        if not (url := live_url()):
            url = stack.enter_context(Server(lessons=["13_deploy"])).url
            own |= {"MISTRAL_API_KEY": "offline"}
            own |= {"CHAT_SUGGESTIONS": json.dumps(questions("13_deploy"))}
        print(
            f"The chat is on http://127.0.0.1:{port} and asks {url}. Ctrl-C stops it.", flush=True
        )
        environment = {**os.environ, **own, "MISTRAL_BASE_URL": url}
        with subprocess.Popen([sys.executable, SERVE], env=environment) as chat:
            try:
                chat.wait()
            except KeyboardInterrupt:
                chat.terminate()
                chat.wait()


if __name__ == "__main__":
    main()
