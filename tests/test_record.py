"""What a live run writes down, against a real server on this machine; and what it never does."""

import asyncio
import contextlib
import datetime
import gzip
import http.server
import json
import logging
import os
import threading
import time
import traceback
from typing import ClassVar

import anyio
import httpx
import httpx2
import nbformat
import pytest
from nbclient import NotebookClient

import helpers

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
    """Answers by path, in the ways of the API; every answer carries what must not be recorded."""

    protocol_version = "HTTP/1.1"
    counts: ClassVar[dict] = {}

    def handle(self):
        with contextlib.suppress(ConnectionError):  # a client that leaves early
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
        said = {"you": self.headers["authorization"], "organization_id": ACCOUNT, "text": "ok"}
        self.send(200, JSON, json.dumps(said).encode())

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
        for event in EVENTS:
            raw = event.encode()
            self.piece(raw[:30])  # the network cuts where it likes
            self.piece(raw[30:])
            time.sleep(0.1)
        self.wfile.write(b"0\r\n\r\n")

    def answer_cut(self, body):
        self.begin(200, SSE | {"transfer-encoding": "chunked"})
        self.piece(EVENTS[0].encode())
        self.piece(EVENTS[1].encode()[:20])
        self.close_connection = True

    def log_message(self, *_):
        pass


@pytest.fixture
def url(monkeypatch):
    """A server of this test, which the recorder takes for Mistral's."""
    Upstream.counts = {}
    monkeypatch.setattr("helpers.replay.seam.is_mistral", lambda host: host == "127.0.0.1")
    monkeypatch.setenv("MISTRAL_API_KEY", KEY)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream) as server:
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setenv("MISTRAL_RECORDINGS", str(tmp_path))
    return tmp_path / "lesson.json"


def recordings(file):
    return json.loads(file.read_text("utf-8"))["recordings"]


def signed(lib=httpx):
    return lib.Client(headers={"Authorization": f"Bearer {KEY}"})


def test_an_answer_is_written_down_and_replayed(url, file):
    helpers.start("lesson", mode="record")
    live = signed().post(f"{url}/json?b=2&a=1", json={"question": "é"})
    (item,) = recordings(file)
    assert item["origin"] == "127.0.0.1", "the host that answered"
    assert item["recorded"] == datetime.datetime.now(datetime.UTC).date().isoformat()
    assert item["request"] == {
        "method": "POST",
        "path": "/v1/json?a=1&b=2",
        "body": {"question": "é"},
    }
    assert item["response"]["status"] == 200
    assert item["response"]["headers"] == {
        "content-type": "application/json",
        "retry-after": "3",
        "x-ratelimit-limit-req-minute": "100",
    }
    helpers.start("lesson", mode="replay")
    again = signed().post(f"{url}/json?a=1&b=2", json={"question": "é"})
    assert again.content == live.content
    assert again.headers["x-ratelimit-limit-req-minute"] == "100"


def test_a_stream_is_written_down_with_its_times(url, file, monkeypatch):
    helpers.start("lesson", mode="record")
    with signed().stream("POST", f"{url}/stream", json={}) as response:
        live = b"".join(response.iter_raw())
    assert live.decode() == "".join(EVENTS)
    (item,) = recordings(file)
    events = item["response"]["events"]
    assert events[0]["data"]["choices"][0]["delta"] == {"content": "Com"}
    assert events[2]["data"] == "[DONE]"
    times = [event["at"] for event in events]
    assert 0 <= times[0] < 0.1 <= times[1] < 0.2 <= times[2] < 0.5
    assert "cut" not in item["response"]
    helpers.start("lesson", mode="replay")
    with signed().stream("POST", f"{url}/stream", json={}) as response:
        assert b"".join(response.iter_raw()) == live


def test_async_and_httpx2_are_written_down_too(url, file):
    async def ask(lib, number):
        async with lib.AsyncClient(headers={"Authorization": f"Bearer {KEY}"}) as client:
            await client.post(f"{url}/json", json={"number": number})
            async with client.stream("POST", f"{url}/stream", json={"number": number}) as response:
                await response.aread()

    helpers.start("lesson", mode="record")
    asyncio.run(ask(httpx, 1))
    asyncio.run(ask(httpx2, 2))
    signed(httpx2).post(f"{url}/json", json={"number": 3})
    kinds = ["events" if "events" in item["response"] else "body" for item in recordings(file)]
    assert kinds == ["body", "events", "body", "events", "body"]


@pytest.mark.parametrize(
    ("name", "part", "value"),
    [
        ("zipped", "body", {"answer": 2}),
        ("html", "text", "<title>504</title>"),
        ("bytes", "base64", "AP8="),
    ],
)
def test_other_bodies_are_written_down(url, file, name, part, value):
    helpers.start("lesson", mode="record")
    live = signed().get(f"{url}/{name}")
    assert recordings(file)[0]["response"][part] == value
    helpers.start("lesson", mode="replay")
    assert signed().get(f"{url}/{name}").content == live.content


def test_a_cut_stream_is_written_down_as_cut(url, file):
    def read():
        with pytest.raises(httpx.RemoteProtocolError) as error:
            signed().post(f"{url}/cut", json={})
        return error

    helpers.start("lesson", mode="record")
    read()
    response = recordings(file)[0]["response"]
    assert response["cut"] is True
    assert response["events"][1]["raw"] == EVENTS[1][:20]
    helpers.start("lesson", mode="replay")
    read()


async def leave_early_async(url):
    async with (
        httpx.AsyncClient(headers={"Authorization": f"Bearer {KEY}"}) as client,
        client.stream("POST", f"{url}/stream", json={}) as response,
    ):
        async for _ in response.aiter_raw():
            break


def leave_early(url):
    with signed().stream("POST", f"{url}/stream", json={}) as response:
        next(response.iter_raw())


@pytest.mark.parametrize("leave", [leave_early, lambda url: asyncio.run(leave_early_async(url))])
def test_a_stream_that_was_left_early_is_written_down_to_its_end(url, file, leave):
    """So that a replay has an answer for whoever reads on."""
    helpers.start("lesson", mode="record")
    leave(url)
    response = recordings(file)[0]["response"]
    assert [event["data"] for event in response["events"]][-1] == "[DONE]"
    assert "cut" not in response


async def cancel_by_asyncio(ask):
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(ask(), 0.15)


async def cancel_by_anyio(ask):
    with anyio.move_on_after(0.15):
        await ask()


@pytest.mark.parametrize("cancel", [cancel_by_asyncio, cancel_by_anyio])
def test_a_cancelled_task_keeps_what_came(url, file, cancel):
    async def ask():
        async with httpx.AsyncClient(headers={"Authorization": f"Bearer {KEY}"}) as client:
            await client.post(f"{url}/stream", json={})

    helpers.start("lesson", mode="record")
    asyncio.run(cancel(ask))
    response = recordings(file)[0]["response"]
    assert response["cut"] is True
    assert response["events"][0]["data"]["id"] == "1"


def test_half_a_body_is_not_written_down(url, file):
    helpers.start("lesson", mode="record")
    with signed().stream("GET", f"{url}/json"):
        pass  # closed without being read
    assert not file.exists()


def test_a_changing_answer_is_kept_in_turn(url, file):
    helpers.start("lesson", mode="record")
    for _ in range(3):
        signed().post(f"{url}/busy", json={})
    assert [item["response"]["status"] for item in recordings(file)] == [429, 429, 200]


def test_the_same_answer_is_kept_once(url, file, monkeypatch):
    helpers.start("lesson", mode="record")
    for number in (1, 2, 3):  # ids and times differ at each call of the real API
        answer = json.dumps(
            {"object": "chat.completion", "id": str(number), "created": number}
        ).encode()
        say = lambda self, body, answer=answer: self.send(200, JSON, answer)  # noqa: E731
        monkeypatch.setattr(Upstream, "answer_json", say)
        signed().post(f"{url}/json", json={})
    assert len(recordings(file)) == 1


def test_different_objects_are_different_answers(url, file, monkeypatch):
    helpers.start("lesson", mode="record")
    for number in (1, 2):
        answer = json.dumps({"object": "file", "id": f"file-{number}"}).encode()
        monkeypatch.setattr(Upstream, "answer_json", lambda s, body, a=answer: s.send(200, JSON, a))
        signed().post(f"{url}/json", json={})
    assert [item["response"]["body"]["id"] for item in recordings(file)] == ["file-1", "file-2"]


@pytest.mark.parametrize(
    ("content", "headers"),
    [(b'{"text":"\\ud83d"}', JSON), (b"1.10", {"content-type": "text/plain"})],
    ids=["half an emoji", "a number as text"],
)
def test_what_is_no_plain_json_is_kept_as_text(url, file, monkeypatch, content, headers):
    monkeypatch.setattr(Upstream, "answer_json", lambda s, body: s.send(200, headers, content))
    helpers.start("lesson", mode="record")
    signed().get(f"{url}/json")
    signed().get(f"{url}/echo")
    assert len(recordings(file)) == 2
    helpers.start("lesson", mode="replay")
    assert signed().get(f"{url}/json").content == content


def test_a_stream_of_an_earlier_start_overwrites_nothing(url, file):
    helpers.start("lesson", mode="record")
    with signed().stream("POST", f"{url}/stream", json={}) as response:
        next(response.iter_raw())
        helpers.start("lesson", mode="record")  # the first cell, run again
        signed().get(f"{url}/echo")
    assert {item["request"]["path"] for item in recordings(file)} == {"/v1/echo", "/v1/stream"}


def test_a_folder_that_cannot_be_written_is_found_before_anything_is_asked(url, monkeypatch):
    monkeypatch.setenv("MISTRAL_RECORDINGS", "/proc/nowhere")
    with pytest.raises(OSError):
        helpers.start("lesson", mode="record")


def test_an_upload_of_any_kind_is_written_down(url, file):
    helpers.start("lesson", mode="record")
    signed().post(f"{url}/bytes", files={"file": ("mail.eml", b"Subject: x\r\n\r\nHello")})
    (part,) = recordings(file)[0]["request"]["body"]["form"]
    assert (part["name"], part["filename"], part["bytes"]) == ("file", "mail.eml", 19)


def test_recording_again_replaces_only_what_was_asked_again(url, file):
    old = {
        "origin": "stand-in",
        "recorded": "2026-11-22",
        "response": {"status": 200, "headers": {}, "body": "old"},
    }
    requests = [{"method": "GET", "path": path, "body": None} for path in ("/v1/echo", "/v1/other")]
    file.write_text(json.dumps({"recordings": [old | {"request": r} for r in requests]}), "utf-8")
    helpers.start("lesson", mode="record")
    signed().get(f"{url}/echo")
    assert sorted((item["request"]["path"], item["origin"]) for item in recordings(file)) == [
        ("/v1/echo", "127.0.0.1"),
        ("/v1/other", "stand-in"),
    ]


def test_a_crash_while_writing_leaves_the_old_file(url, file, monkeypatch):
    helpers.start("lesson", mode="record")
    signed().post(f"{url}/echo", json={})
    before = file.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
        with pytest.raises(OSError, match="disk full"):
            signed().post(f"{url}/json", json={"more": 1})
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == ["lesson.json"], "and nothing beside it"
    signed().get(f"{url}/models")
    assert len(recordings(file)) == 2, "the next answer is kept as ever"


def test_a_broken_file_is_not_overwritten(url, file):
    file.write_text("{broken", "utf-8")
    with pytest.raises(ValueError, match="not a file of recordings"):
        helpers.start("lesson", mode="record")
    assert file.read_text("utf-8") == "{broken"


# Nothing of the key, of cookies or of the account is kept, in any mode, by any way.


def test_files_hold_no_key_no_cookie_no_account(url, file):
    helpers.start("lesson", mode="record")
    client = signed()
    client.get(f"{url}/echo")  # an answer that repeats the key, and names the account
    client.get(f"{url}/models")
    client.post(f"{url}/echo", json={"messages": [{"role": "user", "content": f"my key is {KEY}"}]})
    client.get(f"{url}/json", params={"key": KEY})
    other = "AnotherKey9876543210"
    httpx.get(f"{url}/echo", headers={"Authorization": f"Bearer {other}"})
    text = file.read_text("utf-8")
    for secret in (KEY, other, "Bearer Pl", "secret-cookie", ACCOUNT, "authorization"):
        assert secret.lower() not in text.lower()
    assert '"text": "ok"' in text, "what is no secret stays"


def test_logs_hold_no_key(url, file, caplog):
    caplog.set_level(logging.DEBUG)
    for mode in ("record", "replay", "live"):
        helpers.start("lesson", mode=mode)
        signed().post(f"{url}/echo", json={})
        with signed().stream("POST", f"{url}/stream", json={}) as response:
            response.read()
    assert "HTTP Request" in caplog.text
    assert KEY not in caplog.text


def everything(error):
    """A traceback as the strictest reader sees it: with the variables of each of our own frames."""
    told = "".join(traceback.format_exception(error))
    while error:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if "helpers" in frame.f_code.co_filename:
                told += repr(frame.f_locals)
        error = error.__cause__ or error.__context__
    return told


def failures(url):
    base = url.removesuffix("/v1")

    def answer(content, status=200, **headers):
        transport = httpx.MockTransport(
            lambda r: httpx.Response(status, content=content, headers=headers)
        )
        return httpx.Client(transport=transport)

    def refuse(request):
        raise httpx.ConnectError("refused", request=request)

    broken = httpx.Client(transport=httpx.MockTransport(refuse))
    for call in (helpers.chat, helpers.embed, lambda *a, **k: list(helpers.stream(*a, **k))):
        yield lambda call=call: call("Hello", client=answer(b'{"detail":"Invalid API Key"}', 401))
        yield lambda call=call: call("Hello", client=answer(f"<p>{KEY}</p>".encode(), 502))
        yield lambda call=call: call("Hello", client=answer(b"{}"))
        yield lambda call=call: call("Hello", client=broken)
        yield lambda call=call: call("Hello", client=httpx.Client(base_url=base + "/nowhere"))
    yield lambda: list(helpers.stream("Hello", client=answer(EVENTS[0].encode(), **SSE)))


def test_tracebacks_and_reprs_hold_no_key(url, file, monkeypatch):
    monkeypatch.setattr("helpers.client.is_mistral", lambda host: True)
    helpers.start("lesson", mode="live")
    count = 0
    for fail in failures(url):
        with pytest.raises(Exception) as caught:
            fail()
        assert KEY not in everything(caught.value) + repr(caught.value)
        count += 1
    assert count == 16


def test_a_server_that_repeats_the_key_is_not_quoted(monkeypatch):
    monkeypatch.setenv("MISTRAL_API_KEY", KEY)
    said = f"data: Authorization: Bearer {KEY}\n\n".encode()
    transport = httpx.MockTransport(lambda _: httpx.Response(200, headers=SSE, content=said))
    with pytest.raises(helpers.StreamCut, match="unreadable") as caught:
        list(helpers.stream("Hello", client=httpx.Client(transport=transport)))
    assert KEY not in "".join(traceback.format_exception(caught.value)) + repr(caught.value)


@pytest.mark.parametrize("key", [KEY + " and more", KEY + "\n\nx", KEY + "é"])
def test_a_malformed_key_is_not_shown(url, monkeypatch, key):
    monkeypatch.setenv("MISTRAL_API_KEY", key)
    with pytest.raises(helpers.keys.MissingKey) as caught:
        helpers.chat("Hello")
    assert KEY not in everything(caught.value)


def test_a_key_with_a_line_end_works(monkeypatch):
    monkeypatch.setenv("MISTRAL_API_KEY", KEY + "\n")  # as from $(cat key.txt) on some systems
    seen = []
    transport = httpx.MockTransport(
        lambda r: (seen.append(r.headers["authorization"]), httpx.Response(500))[1]
    )
    with pytest.raises(helpers.APIError):
        helpers.chat("Hello", client=httpx.Client(transport=transport))
    assert seen == [f"Bearer {KEY}"]


def test_outputs_of_a_lesson_hold_no_key(monkeypatch):
    monkeypatch.setenv("MISTRAL_API_KEY", KEY)
    book = nbformat.read("notebooks/01_keys.ipynb", as_version=4)
    NotebookClient(book, timeout=60, resources={"metadata": {"path": "notebooks"}}).execute()
    assert "…CDEF" in json.dumps(book, ensure_ascii=False), "the notebook did see the planted key"
    assert KEY not in json.dumps(book)
