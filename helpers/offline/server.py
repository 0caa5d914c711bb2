"""`LocalServer`: a server on this machine that says no, to try clients on."""

from __future__ import annotations

import http.server
import json
import threading
import uuid
from typing import Any

from ..transports.clock import Clock
from ..transports.faults import make_fault

MINUTE = 60.0


class LocalServer:
    """Answers chat requests over real HTTP on 127.0.0.1, as many a minute as it is told.

    requests_per_minute: those of the last 60 seconds; further ones get the 429 of `make_fault(429)`. Answers
    carry the API's rate-limit headers. Tokens are not limited, and the answers say nothing.
    clock: its seconds; with `Clock(speed=60)`, a minute takes one real second.

    answered, refused: how many requests got a 200 and a 429. `url` is the base address, "…/v1".

    with LocalServer(40) as server:
        httpx.post(f"{server.url}/chat/completions", json={"model": …, "messages": …})
    """

    def __init__(self, requests_per_minute: int, clock: Clock | None = None) -> None:
        self.limit, self.clock = requests_per_minute, clock or Clock()
        self.answered = self.refused = 0
        self._times: list[float] = []
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.owner = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> LocalServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, model: str) -> tuple[int, dict[str, str], bytes]:
        """(status, headers, body) for one request that arrives now."""
        with self._lock:
            now = self.clock.now()
            self._times = [time for time in self._times if time > now - MINUTE]
            if len(self._times) >= self.limit:
                self.refused += 1
                refusal = make_fault(429)
                return 429, self._headers(), refusal.body.encode()
            self._times.append(now)
            self.answered += 1
            message = {"role": "assistant", "content": "Answered."}
            choice = {"index": 0, "finish_reason": "stop", "message": message}
            usage = {"prompt_tokens": 10, "total_tokens": 12, "completion_tokens": 2}
            said = {"model": model, "usage": usage, "choices": [choice]}
            cost = {"x-ratelimit-tokens-query-cost": "12"}
            return 200, {**self._headers(), **cost}, json.dumps(said).encode()

    def _headers(self) -> dict[str, str]:
        return {
            "content-type": "application/json",
            "mistral-correlation-id": str(uuid.uuid4()),
            "x-ratelimit-limit-req-minute": str(self.limit),
            "x-ratelimit-remaining-req-minute": str(self.limit - len(self._times)),
        }


class _Server(http.server.ThreadingHTTPServer):
    request_queue_size = 256
    owner: LocalServer


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet for headers and body
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        status, headers, answer = self.server.owner.answer(json.loads(body)["model"])
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(answer))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        """Nothing: a notebook's outputs are for the lesson."""
