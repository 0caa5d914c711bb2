"""What the helpers cost per call, beside raw httpx, the official SDK and vcrpy.

python tests/benchmarks/calls.py [ROUNDS]

A server on this machine answers at once, so that only the clients' own work is measured. The rivals of a
row take turns, round by round; printed are medians in milliseconds and their ratios to the first.
"""

from __future__ import annotations

import contextlib
import http.server
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

import httpx
import numpy as np
from httpx_sse import EventSource
from mistralai.client import Mistral

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

import helpers  # noqa: E402
from helpers import client as core  # noqa: E402

QUESTION = "What is the best French cheese?"
ASK = {
    "model": "mistral-small-latest",
    "messages": [{"role": "user", "content": QUESTION}],
}
TEXTS = [f"Text number {number}." for number in range(64)]
USAGE = {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18}
Contestants = dict[str, Callable[[], object]]


def chat_answer() -> bytes:
    message = {"role": "assistant", "content": "Comté. " * 30, "tool_calls": None}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    head = {"id": "0" * 32, "created": 1, "model": ASK["model"], "object": "chat.completion"}
    return json.dumps({**head, "usage": USAGE, "choices": [choice]}).encode()


def stream_answer(events: int) -> bytes:
    head = {"id": "0" * 32, "object": "chat.completion.chunk", "created": 1, "model": ASK["model"]}
    parts = []
    for number in range(events):
        last = number == events - 1
        choice = {
            "index": 0,
            "delta": {"content": "word "},
            "finish_reason": "stop" if last else None,
        }
        chunk = {**head, "choices": [choice], "p": "abcdefghij"}
        parts.append(b"data: " + json.dumps(chunk | ({"usage": USAGE} if last else {})).encode())
    return b"\n\n".join([*parts, b"data: [DONE]\n\n"])


def embed_answer() -> bytes:
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((64, 1024)).astype(np.float16).astype(float).tolist()
    data = [{"object": "embedding", "embedding": row, "index": i} for i, row in enumerate(rows)]
    return json.dumps(
        {"id": "1", "object": "list", "data": data, "model": "mistral-embed", "usage": USAGE}
    ).encode()


class Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    bodies: ClassVar = {
        "chat": chat_answer(),
        "stream": stream_answer(2000),
        "embed": embed_answer(),
    }

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        kind = "embed" if "input" in asked else "stream" if asked.get("stream") else "chat"
        content = self.bodies[kind]
        self.send_response(200)
        self.send_header(
            "content-type", "text/event-stream" if kind == "stream" else "application/json"
        )
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextlib.contextmanager
def server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as found:
        found.daemon_threads = True
        threading.Thread(target=found.serve_forever, args=[0.01], daemon=True).start()
        yield f"http://127.0.0.1:{found.server_port}"
        found.shutdown()


def medians(rivals: Contestants, rounds: int, times: int = 1) -> dict[str, float]:
    """Milliseconds per call of each rival: they take turns, and each begins as often as the others."""
    found: dict[str, list[float]] = {name: [] for name in rivals}
    for call in rivals.values():
        call()
    names = list(rivals)
    for number in range(rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            began = time.perf_counter()
            for _ in range(times):
                rivals[name]()
            found[name].append((time.perf_counter() - began) * 1000 / times)
    return {name: statistics.median(values) for name, values in found.items()}


def live(url: str) -> Iterator[tuple[str, Contestants, int]]:
    raw = httpx.Client(base_url=f"{url}/v1", timeout=60)
    sdk = Mistral(api_key="x", server_url=url)

    def lines() -> None:
        with raw.stream("POST", "chat/completions", json={**ASK, "stream": True}) as response:
            for line in response.iter_lines():
                if line.startswith("data: {"):
                    json.loads(line[6:])

    def sse() -> None:
        with raw.stream("POST", "chat/completions", json={**ASK, "stream": True}) as response:
            for event in EventSource(response).iter_sse():
                if event.data != "[DONE]":
                    json.loads(event.data)

    def numpy_json() -> object:
        rows = raw.post("embeddings", json={"model": "mistral-embed", "input": TEXTS}).json()
        return np.array([row["embedding"] for row in rows["data"]])

    yield (
        "chat",
        {
            "httpx": lambda: raw.post("chat/completions", json=ASK).json(),
            "helpers": lambda: helpers.chat(QUESTION, client=raw),
            "SDK": lambda: sdk.chat.complete(**ASK),
        },
        20,
    )
    yield (
        "stream of 2,000 events",
        {
            "iter_lines + json": lines,
            "httpx-sse + json": sse,
            "helpers": lambda: list(helpers.stream(QUESTION, client=raw)),
            "SDK": lambda: list(sdk.chat.stream(**ASK)),
        },
        1,
    )
    yield (
        "64 x 1024 embeddings",
        {
            "httpx + json": numpy_json,
            "helpers": lambda: helpers.embed(TEXTS, client=raw),
            "SDK": lambda: np.array(
                [
                    row.embedding
                    for row in sdk.embeddings.create(model="mistral-embed", inputs=TEXTS).data
                ]
            ),
        },
        1,
    )


def imports() -> Contestants:
    def run(code: str) -> Callable[[], object]:
        return lambda: subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)

    sdk = "from mistralai.client import Mistral; Mistral(api_key='x').chat"
    return {"SDK": run(sdk), "helpers": run("import helpers"), "nothing": run("pass")}


def replayed(url: str, rounds: int) -> dict[str, float]:
    """A replayed call under vcrpy and under the course's replay; each alone, they share the seam."""
    import vcr

    with tempfile.TemporaryDirectory() as folder:
        cassette = Path(folder) / "cassette.yaml"
        with vcr.use_cassette(str(cassette)), httpx.Client() as client:
            client.post(f"{url}/v1/chat/completions", json=ASK)
        found = {}
        with (
            vcr.use_cassette(
                str(cassette),
                record_mode="none",
                allow_playback_repeats=True,
                match_on=["method", "uri", "body"],
            ),
            httpx.Client() as client,
        ):
            one = {"vcrpy": lambda: client.post(f"{url}/v1/chat/completions", json=ASK).json()}
            found |= medians(one, rounds, 20)
    with contextlib.redirect_stdout(io.StringIO()):
        helpers.start("02_first_call", mode="replay")
    key = {"Authorization": f"Bearer {os.environ['MISTRAL_API_KEY']}"}
    with httpx.Client(headers=key) as client:
        mine = {"replay": lambda: client.post(f"{core.API}/chat/completions", json=ASK).json()}
        found |= medians(mine, rounds, 20)
    return found


def report(what: str, found: dict[str, float]) -> None:
    first = next(iter(found.values()))
    row = ", ".join(f"{name} {ms:.2f} ms ({ms / first:.2f})" for name, ms in found.items())
    print(f"{what}: {row}", flush=True)


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    print(f"Python {sys.version.split()[0]}, httpx {httpx.__version__}, {rounds} rounds, medians")
    with server() as url:
        for what, rivals, times in live(url):
            report(what, medians(rivals, rounds, times))
        report("a replayed call", replayed(url, rounds))
    found = medians(imports(), max(3, rounds // 3))
    nothing = found.pop("nothing")
    report("import", {name: ms - nothing for name, ms in found.items()})


if __name__ == "__main__":
    main()
