"""A server on this machine that answers as the API does, and with what must not be recorded."""

import contextlib
import gzip
import http.server
import json
import threading
from typing import ClassVar

import httpx

KEY = "PlantedKey0123456789abcdefABCDEF"
ACCOUNT = "org-7d41c0de"
EVENTS = [
    'data: {"id":"1","choices":[{"index":0,"delta":{"content":"Com"},"finish_reason":null}]}\n\n',
    'data: {"id":"1","choices":[{"index":0,"delta":{"content":"té\u2028."},"finish_reason":"stop"}]}\n\n',
    "data: [DONE]\n\n",
]
SSE = {"content-type": "text/event-stream; charset=utf-8"}
JSON = {"content-type": "application/json"}


class Upstream(http.server.BaseHTTPRequestHandler):
    """Answers by path, in the ways of the API; every answer carries what must not be recorded.

    gate: where a test has set one, each event of a stream but the first waits until it is released.
    """

    protocol_version = "HTTP/1.1"
    counts: ClassVar[dict] = {}
    gate: ClassVar[threading.Semaphore | None] = None

    def handle(self):
        # A client may leave early.
        with contextlib.suppress(ConnectionError):
            super().handle()

    def answer_completions(self, body):
        self.send(500, JSON, b"{}")

    answer_embeddings = answer_completions

    def do_GET(self):
        self.do_POST()

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        name = self.path.split("?")[0].rpartition("/")[2]
        getattr(self, f"answer_{name}")(body)

    def send(self, status, headers, content):
        self.begin(status, headers | {"content-length": str(len(content))})
        self.wfile.write(content)

    def begin(self, status, headers):
        self.send_response(status)
        own = {
            "set-cookie": "__cf_bm=secret-cookie",
            "cf-ray": "9f",
            "x-account": ACCOUNT,
            "x-ratelimit-limit-req-minute": "100",
            "Retry-After": "3",
        }
        for name, value in (own | headers).items():
            self.send_header(name, value)
        self.end_headers()

    def piece(self, content):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))
        self.wfile.flush()

    def answer_json(self, body):
        self.send(200, JSON, body or b'{"answer":1}')

    def answer_echo(self, body):
        answer = {"you": self.headers["authorization"], "organization_id": ACCOUNT, "text": "ok"}
        self.send(200, JSON, json.dumps(answer).encode())

    def answer_models(self, body):
        cards = [
            {"id": "mistral-small-latest", "type": "base"},
            {"id": f"ft:x:{ACCOUNT}", "type": "fine-tuned"},
        ]
        self.send(200, JSON, json.dumps({"data": cards}).encode())

    def answer_zipped(self, body):
        assert self.headers["accept-encoding"] == "identity"
        self.send(200, JSON | {"content-encoding": "gzip"}, gzip.compress(b'{"answer":2}'))

    def answer_html(self, body):
        self.send(504, {"content-type": "text/html"}, b"<title>504</title>")

    def answer_bytes(self, body):
        self.send(200, {"content-type": "audio/mpeg"}, b"\x00\xff")

    def answer_busy(self, body):
        count = self.counts["busy"] = self.counts.get("busy", 0) + 1
        self.send(
            *((429, JSON, b'{"message":"wait"}') if count < 3 else (200, JSON, b'{"answer":3}'))
        )

    def answer_stream(self, body):
        self.begin(200, SSE | {"transfer-encoding": "chunked"})
        for number, event in enumerate(EVENTS):
            if self.gate and number:
                self.gate.acquire()
            raw = event.encode()
            # The network cuts where it likes.
            self.piece(raw[:30])
            self.piece(raw[30:])
        self.wfile.write(b"0\r\n\r\n")

    def answer_cut(self, body):
        self.begin(200, SSE | {"transfer-encoding": "chunked"})
        self.piece(EVENTS[0].encode())
        self.piece(EVENTS[1].encode()[:20])
        self.close_connection = True

    def log_message(self, *_):
        pass


def recordings(file):
    return json.loads(file.read_text("utf-8"))["recordings"]


def signed(lib=httpx):
    """A client with the key."""
    return lib.Client(headers={"Authorization": f"Bearer {KEY}"})
