"""Coverage-guided fuzzing by atheris of what reads bytes that nobody controls.

PYTHONPATH=build/atheris python tests/benchmarks/fuzz.py TARGET [-max_total_time=600] [CORPUS]

`make fuzz` runs each target for ten minutes. A crash is stored beside the corpus in build/fuzz. Each
target states what must hold; any other exception is a finding.
"""

import base64
import contextlib
import json
import os
import sys
import tempfile
from pathlib import Path

import atheris

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))
with atheris.instrument_imports(include=["helpers"]):
    import httpx

    import helpers
    from helpers.errors import from_json
    from helpers.finetuning import checker
    from helpers.replay import matching, wire
    from helpers.replay.recordings import Recordings

SEEDS = {
    "stream": [
        b'data: {"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\n'
        b"data: [DONE]\n\n",
        b'\xef\xbb\xbfdata: {"choices":[]}\r\n\r\nevent: x\r\rdata: {"object":"error"}\n\n',
    ],
    "matcher": [
        b'{"model":"m","messages":[{"role":"user","content":"Hi"}],"n":1,"stop":null}',
        b'{"model":"mistral-embed","input":["x"]}\x00{"model":"mistral-embed","input":"x"}',
    ],
    "recorder": [
        b'{"object":"list","data":[{"embedding":[0.5,-0.25]}]}',
        b'data: {"a":1}\n\ndata: [DONE]\n\n\xff',
    ],
    "checker": [
        b'{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Yes"}]}\n\xff\n',
        b'{"text":"x"}\n\n{"text":"x","text":"y"}\n{"labels":{"a":"b"},"text":"c"}\n',
    ],
}


def stream(data: bytes) -> None:
    """Any bytes, cut anywhere, end in a reply or in one of the two documented exceptions."""
    size = 1 + data[0] if data else 1
    pieces = [data[i : i + size] for i in range(1, len(data), size)]
    kind = {"content-type": "text/event-stream"}
    answer = httpx.MockTransport(lambda _: httpx.Response(200, headers=kind, content=iter(pieces)))
    with httpx.Client(transport=answer) as client:
        found = helpers.stream("?", client=client)
        try:
            text = "".join(found)
        except (helpers.APIError, helpers.StreamCut):
            return
        assert found.reply.text == text


def matcher(data: bytes) -> None:
    """Equal requests have equal keys; a key says the same each time; a difference has words."""
    requests = []
    for part in data.split(b"\x00")[:2]:
        try:
            body = from_json(part)
        except ValueError:
            return
        requests.append({"method": "POST", "path": "/v1/chat/completions", "body": body})
    keys = [matching.key_of(request) for request in requests]
    assert keys == [matching.key_of(json.loads(json.dumps(request))) for request in requests]
    if len(keys) == 2 and requests[0] == requests[1]:
        assert keys[0] == keys[1]


def recorder(data: bytes) -> None:
    """What is recorded gives the same JSON, the same text or the same events again."""
    whole = wire.to_body(data, "application/json")
    ((_, again),) = wire.to_pieces(whole)
    if "body" in whole:
        assert from_json(again) == from_json(data)
    else:
        assert again == data
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.json"
        request = {"method": "POST", "path": "/v1/x", "body": data.decode("utf-8", "replace")}
        item = {"origin": "x", "recorded": "2026-11-24", "request": request}
        item["response"] = {"status": 200, "headers": {}, **whole}
        Recordings(path).add(item)
        (stored,) = Recordings.load(path)
        assert stored == json.loads(json.dumps(item))
    try:
        data.decode()
    except UnicodeDecodeError:
        # A stream is kept as text: what is no UTF-8 becomes U+FFFD.
        return
    events = wire.to_events([(0.0, data[:7]), (0.1, data[7:])]) if data else []
    back = b"".join(piece for _, piece in wire.to_pieces({"events": events}))
    assert wire.to_events([(0.0, back)] if back else []) == [
        {**event, "at": 0.0} for event in events
    ]


def check(data: bytes) -> None:
    """Any file: each line is good or rejected, byte for byte; or the documented ValueError."""
    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder) / "x.jsonl", Path(folder) / "good.jsonl"
        path.write_bytes(data)
        try:
            report = checker.check(path)
            cleaned = helpers.finetuning.clean(path, out)
        except ValueError:
            return
        good = out.read_bytes().split(b"\n")[:-1]
        beside = out.with_suffix(".rejected.jsonl")
        rejected = [json.loads(line) for line in beside.read_bytes().splitlines()]
        assert len(good) + len(rejected) == report.lines == cleaned.lines
        lines = data.split(b"\n")
        for item in rejected:
            line = lines[item["line"] - 1]
            assert line == (
                base64.b64decode(item["base64"]) if "base64" in item else item["text"].encode()
            )
        left = [line for n, line in enumerate(lines, 1) if n not in {i["line"] for i in rejected}]
        assert good == left[: len(good)]


TARGETS = {"stream": stream, "matcher": matcher, "recorder": recorder, "checker": check}


def main() -> None:
    name, *options = sys.argv[1:]
    corpus = ROOT / "build" / "fuzz" / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(SEEDS[name]):
        (corpus / f"seed{number}").write_bytes(seed)
    os.chdir(corpus.parent)
    with contextlib.suppress(ImportError):
        atheris.Setup([sys.argv[0], *options, str(corpus)], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
