"""What the helpers cost per call, beside raw httpx, the official SDK, other clients and vcrpy.

python tests/benchmarks/calls.py [ROUNDS]

A server on this machine answers at once, so that only the clients' own work is measured. The rivals of a
row take turns, round by round; stored are medians in milliseconds, in data/measured/bench.json. The README's
table is made of them, and `bench.png` beside them is their picture.
"""

from __future__ import annotations

import asyncio
import contextlib
import csv
import datetime
import http.server
import io
import json
import os
import platform
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from collections.abc import Awaitable, Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar

import httpx
import numpy as np
from httpx_sse import EventSource
from mistralai.client import Mistral
from uv import find_uv_bin

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

import helpers  # noqa: E402
from helpers import client as core  # noqa: E402
from helpers.offline.server import Server  # noqa: E402

QUESTION = "What is the best French cheese?"
ASK = {
    "model": "mistral-small-latest",
    "messages": [{"role": "user", "content": QUESTION}],
}
TEXTS = [f"Text number {number}." for number in range(64)]
USAGE = {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18}
Contestants = dict[str, Callable[[], object]]
OUT = ROOT / "data" / "measured" / "bench.json"
# Each row's rival to compare helpers with, and the ratio that the course wants to stay under.
TARGETS = {
    "chat": ("httpx", 1.05),
    "chat against the SDK": ("SDK", 0.2),
    "64 chats at once": ("httpx", 1.1),
    "300 chats over TLS, no client passed": ("SDK", 1),
    "stream of 2,000 events": ("iter_lines + json", 1.5),
    "64 × 1024 embeddings to numpy": ("httpx + json", 0.6),
    "import": ("SDK", 0.35),
    "a replayed call": ("vcrpy", 0.5),
    "memory after import": ("SDK", 0.5),
    "check of a million lines": ("pandas", 0.4),
}
MEASURED = ROOT / "data" / "measured"
# Clients of other projects, each in an environment of its own: how to ask, with `url` and `ASK`.
OTHERS = {
    "openai": "import openai; c = openai.OpenAI(base_url=url + '/v1', api_key='x'); "
    "ask = lambda: c.chat.completions.create(**ASK)",
    "litellm": "import litellm; ask = lambda: litellm.completion(model='mistral/' + ASK['model'], "
    "messages=ASK['messages'], api_base=url + '/v1', api_key='x')",
    "langchain": "from langchain_mistralai import ChatMistralAI; "
    "c = ChatMistralAI(model=ASK['model'], base_url=url + '/v1', api_key='x'); "
    "ask = lambda: c.invoke(ASK['messages'][0]['content'])",
}
OTHER = """
import json, statistics, time, httpx
url, ASK = {url!r}, {ask!r}
{setup}
raw = httpx.Client(base_url=url + "/v1")
rivals = [lambda: raw.post("chat/completions", json=ASK).json(), ask]
times = [[], []]
[call() for call in rivals for _ in range(5)]
for _ in range({rounds}):
    for call, found in zip(rivals, times):
        began = time.perf_counter()
        [call() for _ in range(10)]
        found.append((time.perf_counter() - began) * 100)
print(json.dumps([statistics.median(found) for found in times]))
"""


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


class LocalServer(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


@contextlib.contextmanager
def server(certificate: Path | None = None) -> Iterator[str]:
    """Its address, with TLS where a certificate (with its key) is given."""
    with LocalServer(("127.0.0.1", 0), Answers) as found:
        scheme = "http"
        if certificate:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(certificate)
            found.socket = context.wrap_socket(found.socket, server_side=True)
            scheme = "https"
        threading.Thread(target=found.serve_forever, args=[0.01], daemon=True).start()
        yield f"{scheme}://localhost:{found.server_port}"
        found.shutdown()


def make_certificate(folder: str) -> Path:
    """A certificate for localhost that lasts for a day. Needs the program openssl."""
    path, key = Path(folder) / "both.pem", Path(folder) / "key.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost"
    command += " -addext subjectAltName=DNS:localhost"
    subprocess.run(
        [*command.split(), "-keyout", key, "-out", path], check=True, capture_output=True
    )
    path.write_text(path.read_text() + key.read_text())
    return path


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
        "64 × 1024 embeddings to numpy",
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
    yield "64 chats at once", at_once(url), 1


def at_once(url: str) -> Contestants:
    """64 tasks that share a client; the event loop and the client are new each time."""

    def run(ask: Callable[[httpx.AsyncClient], Awaitable[object]]) -> Callable[[], object]:
        async def main() -> None:
            async with httpx.AsyncClient(base_url=f"{url}/v1", timeout=60) as client:
                await asyncio.gather(*(ask(client) for _ in range(64)))

        return lambda: asyncio.run(main())

    async def raw(client: httpx.AsyncClient) -> object:
        return (await client.post("chat/completions", json=ASK)).json()

    async def read(client: httpx.AsyncClient) -> object:
        response = await client.post("chat/completions", json=ASK)
        response.raise_for_status()
        return helpers.Reply.from_json(response.json())

    async def sdk() -> None:
        async with Mistral(api_key="x", server_url=url) as client:
            await asyncio.gather(*(client.chat.complete_async(**ASK) for _ in range(64)))

    return {"httpx": run(raw), "helpers": run(read), "SDK": lambda: asyncio.run(sdk())}


def over_tls(rounds: int) -> dict[str, float]:
    """300 calls, without a client of one's own, as a notebook makes them."""
    with tempfile.TemporaryDirectory() as folder:
        certificate = make_certificate(folder)
        os.environ["SSL_CERT_FILE"] = str(certificate)
        with server(certificate) as url:
            api, core.API = core.API, f"{url}/v1"
            os.environ["MISTRAL_API_KEY"] = "x" * 32
            sdk = Mistral(api_key="x", server_url=url)
            rivals: Contestants = {
                "SDK": lambda: sdk.chat.complete(**ASK),
                "helpers": lambda: helpers.chat(QUESTION),
            }
            found = medians(rivals, rounds, 300 // rounds)
            core.API = api
        del os.environ["SSL_CERT_FILE"], os.environ["MISTRAL_API_KEY"]
    return found


def others(url: str, rounds: int) -> Iterator[tuple[str, dict[str, float]]]:
    """Clients of other projects beside httpx, in one process each."""
    versions = tomllib.loads((ROOT / "tests" / "clients" / "versions.toml").read_text("utf-8"))
    for name, setup in OTHERS.items():
        packages = [*versions["clients"][name]["packages"], "httpx==0.28.1"]
        command = [find_uv_bin(), "run", "--quiet", "--isolated", "--no-project"]
        command += ["--python", sys.executable, *(f"--with={one}" for one in packages)]
        code = OTHER.format(url=url, ask=ASK, setup=setup, rounds=rounds)
        done = subprocess.run([*command, "python", "-c", code], capture_output=True, text=True)
        if done.returncode:
            print(f"{name} did not run: {done.stderr.strip().splitlines()[-1]}")
            continue
        raw, own = json.loads(done.stdout.splitlines()[-1])
        yield f"chat, {packages[0].replace('==', ' ')}", {"httpx": raw, name: own}


IMPORTS = {
    "SDK": "from mistralai.client import Mistral; Mistral(api_key='x').chat",
    "helpers": "import helpers; helpers.chat",
    "nothing": "pass",
}


def imports() -> Contestants:
    def run(code: str) -> Callable[[], object]:
        return lambda: subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)

    return {name: run(code) for name, code in IMPORTS.items()}


def memory() -> dict[str, float]:
    """Megabytes that each adds to a bare Python."""
    size = "; import psutil; print(psutil.Process().memory_info().rss / 2**20)"
    found = {
        name: float(subprocess.check_output([sys.executable, "-c", code + size], cwd=ROOT))
        for name, code in IMPORTS.items()
    }
    return {name: found[name] - found["nothing"] for name in ("SDK", "helpers")}


def stored() -> Iterator[tuple[str, dict[str, float]]]:
    """What the other programs of `make bench` have written, in milliseconds."""

    def rows(name: str) -> list[dict[str, str]]:
        with (MEASURED / name).open(encoding="utf-8", newline="") as lines:
            return list(csv.DictReader(lines))

    cpu = {row["way"]: float(row["cpu"]) for row in rows("jsonl_check.csv")}
    yield (
        "check of a million lines",
        {"pandas": 1000 * cpu["pandas"], "helpers": 1000 * cpu["finetuning.check"]},
    )
    search = {
        row["method"]: float(row["search_ms"])
        for row in rows("vector_search.csv")
        if row["vectors"] == "10000"
    }
    yield (
        "search among 10,000 vectors",
        {name: search[name] for name in ("numpy", "Qdrant, on disk")},
    )
    cells, checks = (1000 * float(row["seconds"]) for row in rows("suite.csv"))
    yield "make test", {"the lessons' cells, one after another": cells, "all checks": checks}
    first, through = (float(row["median_ms"]) for row in rows("deploy.csv")[:2])
    yield "first piece of an answer", {"API": first, "through lesson 13's server": through}


def replayed(rounds: int) -> dict[str, float]:
    """A replayed call under vcrpy and under the course's replay, of the same answer. They take turns."""
    import vcr

    def time_calls(url: str, key: str) -> float:
        with httpx.Client(headers={"Authorization": f"Bearer {key}"}) as client:
            client.post(url, json=ASK).raise_for_status()
            began = time.perf_counter()
            for _ in range(20):
                client.post(url, json=ASK).json()
            return (time.perf_counter() - began) * 1000 / 20

    found: dict[str, list[float]] = {"vcrpy": [], "replay": []}
    with tempfile.TemporaryDirectory() as folder, Server(lessons=["02_first_call"], key="") as api:
        cassette, url = str(Path(folder) / "cassette.yaml"), f"{api.url}/chat/completions"
        with vcr.use_cassette(cassette):
            httpx.post(url, json=ASK, headers={"Authorization": "Bearer any"}).raise_for_status()
        with contextlib.redirect_stdout(io.StringIO()):
            helpers.start("02_first_call", mode="replay")
        for _ in range(rounds):
            # In this block, vcrpy stands in the place of the course's replay.
            with vcr.use_cassette(
                cassette,
                record_mode="none",
                allow_playback_repeats=True,
                match_on=["method", "uri", "body"],
            ):
                found["vcrpy"].append(time_calls(url, "any"))
            found["replay"].append(
                time_calls(f"{core.API}/chat/completions", os.environ["MISTRAL_API_KEY"])
            )
    return {name: statistics.median(values) for name, values in found.items()}


def report(rows: dict[str, dict[str, float]], what: str, found: dict[str, float]) -> None:
    rows[what] = {name: round(ms, 3) for name, ms in found.items()}
    first = next(iter(found.values()))
    row = ", ".join(f"{name} {show(what, n)} ({n / first:.2f})" for name, n in found.items())
    print(f"{what}: {row}", flush=True)


def show(what: str, number: float) -> str:
    """A number of a row with its unit."""
    if what.startswith("memory"):
        return f"{number:.0f} MB"
    return f"{number:.2f} ms" if number < 2000 else f"{number / 1000:.0f} s"


def table(bench: dict[str, Any]) -> str:
    """The README's table: helpers against one rival in each row, and the ratio wanted."""
    rows = bench["rows"] | {"chat against the SDK": bench["rows"].get("chat", {})}
    lines = ["| what | helpers | beside | ratio | wanted at most |", "|---|---|---|---|---|"]
    for what, (rival, wanted) in TARGETS.items():
        if found := rows.get(what):
            mine = found.get("helpers", found.get("replay"))
            lines.append(
                f"| {what} | {show(what, mine)} | {rival} {show(what, found[rival])} "
                f"| {mine / found[rival]:.2f} | {wanted} |"
            )
    for what, found in rows.items():
        if not set(found) & {"helpers", "replay"}:
            (name, first), (other, second) = found.items()
            shown = f"{name} {show(what, first)}, {other} {show(what, second)}"
            lines.append(f"| {what} | | {shown} | {second / first:.1f} | |")
    return "\n".join(lines)


def draw(bench: dict[str, Any]) -> None:
    """A bar for each row's ratio, beside its target."""
    import matplotlib.pyplot as plt

    rows = bench["rows"] | {"chat against the SDK": bench["rows"].get("chat", {})}
    shown = {what: target for what, target in TARGETS.items() if rows.get(what)}
    ratios = [
        rows[what].get("helpers", rows[what].get("replay")) / rows[what][rival]
        for what, (rival, _) in shown.items()
    ]
    plt.style.use(helpers.STYLE)
    figure, axes = plt.subplots(figsize=(8.5, 6.5), layout="constrained")
    names = [f"{what}\n(beside {rival})" for what, (rival, _) in shown.items()]
    axes.barh(names, ratios, color="C0", label="measured")
    axes.scatter(
        [wanted for _, wanted in shown.values()],
        names,
        marker="|",
        s=300,
        color="C1",
        label="wanted",
    )
    axes.invert_yaxis()
    axes.set_xlabel("time of helpers / time of the other")
    axes.legend()
    figure.savefig(OUT.with_suffix(".png"), dpi=110)


def main() -> None:
    rounds, rows = int(sys.argv[1]) if len(sys.argv) > 1 else 15, {}
    about = {
        "date": str(datetime.date.today()),
        "python": sys.version.split()[0],
        "system": f"{platform.system()}, {os.cpu_count()} cores",
        "rounds": rounds,
        "versions": {name: metadata.version(name) for name in ("httpx", "mistralai", "vcrpy")},
    }
    print(about)
    with server() as url:
        for what, rivals, times in live(url):
            report(rows, what, medians(rivals, rounds, times))
        for what, found in others(url, rounds):
            report(rows, what, found)
        report(rows, "a replayed call", replayed(rounds))
    report(rows, "300 chats over TLS, no client passed", over_tls(rounds))
    found = medians(imports(), max(3, rounds // 3))
    nothing = found.pop("nothing")
    report(rows, "import", {name: ms - nothing for name, ms in found.items()})
    report(rows, "memory after import", memory())
    for what, found in stored():
        report(rows, what, found)
    bench = {**about, "rows": rows}
    OUT.write_text(json.dumps(bench, indent=2, ensure_ascii=False) + "\n", "utf-8")
    draw(bench)
    print(table(bench))


if __name__ == "__main__":
    main()
