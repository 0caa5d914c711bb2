"""What is recorded of a live run, against a real server on this machine."""

import asyncio
import contextlib
import datetime
import json
import threading

import anyio
import httpx
import httpx2
import pytest

import helpers
from helpers.replay import seam
from helpers.transports.clock import FakeClock
from tests.replay.upstream import EVENTS, JSON, KEY, Upstream, recordings, signed


def test_an_answer_is_recorded_and_replayed(url, file):
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


def test_a_stream_is_recorded_with_its_times(url, file, monkeypatch):
    monkeypatch.setattr(Upstream, "gate", gate := threading.Semaphore(0))
    clock = FakeClock()
    monkeypatch.setattr(seam, "clock", clock.now)
    helpers.start("lesson", mode="record")
    live = b""
    with signed().stream("POST", f"{url}/stream", json={}) as response:
        for piece in response.iter_raw():
            live += piece
            if live.endswith(b"\n\n"):
                clock.sleep(0.25)
                gate.release()
    assert live.decode() == "".join(EVENTS)
    (item,) = recordings(file)
    events = item["response"]["events"]
    assert events[0]["data"]["choices"][0]["delta"] == {"content": "Com"}
    assert events[2]["data"] == "[DONE]"
    assert [event["at"] for event in events] == [0, 0.25, 0.5]
    assert "cut" not in item["response"]
    helpers.start("lesson", mode="replay")
    with signed().stream("POST", f"{url}/stream", json={}) as response:
        assert b"".join(response.iter_raw()) == live


def test_async_and_httpx2_clients_are_recorded(url, file):
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
def test_bodies_other_than_json_are_recorded(url, file, name, part, value):
    helpers.start("lesson", mode="record")
    live = signed().get(f"{url}/{name}")
    assert recordings(file)[0]["response"][part] == value
    helpers.start("lesson", mode="replay")
    assert signed().get(f"{url}/{name}").content == live.content


def test_a_cut_stream_is_recorded_as_cut(url, file):
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
def test_a_stream_that_is_left_early_is_recorded_to_its_end(url, file, leave):
    """So that a replay has an answer for whoever reads on."""
    helpers.start("lesson", mode="record")
    leave(url)
    response = recordings(file)[0]["response"]
    assert [event["data"] for event in response["events"]][-1] == "[DONE]"
    assert "cut" not in response


async def cancel_by_asyncio(ask):
    arrived = asyncio.Event()
    task = asyncio.create_task(ask(arrived))
    await arrived.wait()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def cancel_by_anyio(ask):
    arrived = anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask, arrived)
        await arrived.wait()
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("cancel", [cancel_by_asyncio, cancel_by_anyio])
def test_a_cancelled_task_keeps_what_came(url, file, monkeypatch, cancel):
    """The task is cancelled when the first event has come, and waits for the second."""
    monkeypatch.setattr(Upstream, "gate", gate := threading.Semaphore(0))

    async def ask(arrived):
        came = b""
        async with (
            httpx.AsyncClient(headers={"Authorization": f"Bearer {KEY}"}) as client,
            client.stream("POST", f"{url}/stream", json={}) as response,
        ):
            async for piece in response.aiter_raw():
                came += piece
                if came.endswith(b"\n\n"):
                    arrived.set()

    helpers.start("lesson", mode="record")
    asyncio.run(cancel(ask))
    gate.release(len(EVENTS))
    response = recordings(file)[0]["response"]
    assert response["cut"] is True
    assert [event["data"]["id"] for event in response["events"]] == ["1"]


def test_half_a_body_is_not_recorded(url, file):
    helpers.start("lesson", mode="record")
    with signed().stream("GET", f"{url}/json"):
        # Closed without being read.
        pass
    assert not file.exists()


def test_changing_answers_are_recorded_in_turn(url, file):
    helpers.start("lesson", mode="record")
    for _ in range(3):
        signed().post(f"{url}/busy", json={})
    assert [item["response"]["status"] for item in recordings(file)] == [429, 429, 200]


def test_equal_answers_are_recorded_once(url, file, monkeypatch):
    helpers.start("lesson", mode="record")
    # Ids and times differ at each call of the real API.
    for number in (1, 2, 3):
        answer = json.dumps(
            {"object": "chat.completion", "id": str(number), "created": number}
        ).encode()
        say = lambda self, body, answer=answer: self.send(200, JSON, answer)  # noqa: E731
        monkeypatch.setattr(Upstream, "answer_json", say)
        signed().post(f"{url}/json", json={})
    assert len(recordings(file)) == 1


def test_answers_about_different_objects_are_all_recorded(url, file, monkeypatch):
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
def test_text_that_is_not_plain_json_is_recorded_as_text(url, file, monkeypatch, content, headers):
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
        # The first cell, run again.
        helpers.start("lesson", mode="record")
        signed().get(f"{url}/echo")
    assert {item["request"]["path"] for item in recordings(file)} == {"/v1/echo", "/v1/stream"}


def test_a_folder_that_cannot_be_written_is_found_before_anything_is_asked(url, monkeypatch):
    monkeypatch.setenv("MISTRAL_RECORDINGS", "/proc/nowhere")
    with pytest.raises(OSError):
        helpers.start("lesson", mode="record")


def test_an_upload_of_any_kind_is_recorded(url, file):
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


def test_a_broken_file_is_not_overwritten(url, file):
    file.write_text("{broken", "utf-8")
    with pytest.raises(ValueError, match="not a file of recordings"):
        helpers.start("lesson", mode="record")
    assert file.read_text("utf-8") == "{broken"
