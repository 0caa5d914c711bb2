"""The course's offline API, in which each question decides what is answered.

`helpers.offline` does the HTTP, the keys, the errors and faults, the pace and the counting. Its answers are
those written for lesson 13. What no written answer can be is scripted here: an answer of chosen pieces, one that
never ends, one that waits for the test, and an error inside a stream.
"""

from __future__ import annotations

import json
import threading

from helpers.offline.server import Response, Server

# What each scripted answer costs: 210 millionths of a dollar at the server's default prices.
USAGE = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
ERROR = {"object": "error", "message": "secret-detail-of-the-api"}
LONG = 60


def event(data):
    return f"data: {data if isinstance(data, str) else json.dumps(data)}\n\n".encode()


def chunk(text="", finish=None, **more):
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return event(
        {"object": "chat.completion.chunk", "model": "mistral-small-latest", "choices": [choice]}
        | more
    )


WORD = chunk("word ")


def answer_in(pieces):
    """A whole stream of these pieces of bytes, each with its second."""
    last = pieces[-1][0] if pieces else 0
    end = b"".join([chunk(finish="stop", usage=USAGE), event("[DONE]")])
    return [*pieces, (last, end)]


class ScriptedApi(Server):
    """Answers on 127.0.0.1 while its `with` block runs. The last message says what to do:

    "pieces 5 0.01" sends five pieces, one every 0.01 seconds; "held" sends one, and nine more once the
    test opens the gate; "endless" writes for a minute. "fault 429" plays a fault of helpers.offline.
    "error inside" and "cut" break after a piece. A question that lesson 13 answers gets that answer, and
    any other text is sent back.

    script: faults for the next requests. seen, keys: all bodies and keys. most_open: the most streams
    at the same time.
    """

    def __init__(self):
        super().__init__(lessons=["13_deploy"], faults=iter(self._next_fault, ...))
        self.seen, self.keys, self.most_open = [], set(), 0
        self.script, self.gate = [], threading.Event()

    def _next_fault(self):
        return self.script.pop(0) if self.script else None

    def respond(self, method, path, headers, content):
        body = json.loads(content)
        self.seen.append(body)
        self.keys.add(headers.get("authorization"))
        with self._lock:
            self.most_open = max(self.most_open, self.open)
        task = body["messages"][-1]["content"]
        kind, *rest = task.split()
        if kind == "fault":
            return super().respond(method, path, {**headers, "x-fault": rest[0]}, content)
        if kind == "pieces":
            pieces = [(n * float(rest[1]), chunk(f"{n} ")) for n in range(int(rest[0]))]
        elif kind == "held":
            return stream(self._held())
        elif kind == "endless":
            return stream((n / 20, WORD) for n in range(20 * LONG))
        elif task == "error inside":
            return stream([(0, chunk(task) + event(ERROR))])
        elif task == "cut":
            return stream([(0, chunk(task) + b"data: {")], cut=1)
        else:
            written = super().respond(method, path, headers, content)
            if written.status != 501:
                return written
            pieces = [(0, chunk(task))]
        return stream(answer_in(pieces))

    def _held(self):
        yield 0, chunk("0 ")
        assert self.gate.wait(LONG), f"the gate has not been opened in {LONG} s"
        yield from answer_in([(0, chunk(f"{n} ")) for n in range(1, 10)])


def stream(pieces, cut=None):
    return Response(200, {"content-type": "text/event-stream"}, pieces, "script", cut, True)
