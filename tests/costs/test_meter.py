"""The meter counts every client; tests/lessons/test_calls.py checks the meter line of each lesson."""

import asyncio
import json
import os
import re
import weakref

import httpx
import httpx2
import pytest

import helpers
from helpers.costs.meter import Call, begin_count, count_call, summary
from helpers.reply import Usage

URL = f"{helpers.client.API}/chat/completions"
ASK = {
    "model": "mistral-small-latest",
    "messages": [{"role": "user", "content": "What is the best French cheese?"}],
}


def line(capsys):
    helpers.meter()
    return capsys.readouterr().out.splitlines()[-1]


def key():
    """The placeholder that `start` has set, as a cell would send it."""
    return {"Authorization": f"Bearer {os.environ['MISTRAL_API_KEY']}"}


def ask_sync():
    httpx.Client().post(URL, json=ASK, headers=key())


def ask_httpx2():
    httpx2.Client().post(URL, json=ASK, headers=key())


def ask_async():
    async def post():
        async with httpx.AsyncClient() as client:
            await client.post(URL, json=ASK, headers=key())

    asyncio.run(post())


@pytest.mark.parametrize("ask", [ask_sync, ask_httpx2, ask_async])
def test_meter_counts_every_client(ask, capsys):
    helpers.start("02_first_call")
    assert line(capsys) == "0 calls, 0 tokens in, 0 out. This replay cost nothing."
    ask()
    assert line(capsys).startswith("1 call, 22 tokens in, 50 out. Live: $0.000033 or €0.000028")
    helpers.start("02_first_call")
    assert line(capsys).startswith("0 calls")


def live(monkeypatch, response):
    """Live mode over a network that answers so."""
    monkeypatch.setenv("MISTRAL_API_KEY", "mine")
    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", lambda *_: response)
    helpers.start("02_first_call", mode="live")


def chunk(**more):
    return f"data: {json.dumps({'choices': [], **more})}\n\n".encode()


USAGE = {"prompt_tokens": 1_000_000, "completion_tokens": 0}


def test_live_stream_is_billed_by_its_last_event(monkeypatch, capsys):
    content = chunk() + chunk(usage=USAGE) + b"data: [DONE]\n\n"
    headers = {"content-type": "text/event-stream"}
    live(monkeypatch, httpx.Response(200, headers=headers, content=content))
    httpx.Client().post(URL, json=ASK)
    assert "Billed: $0.15 or €0.12, at the prices of 2026-08-21." in line(capsys)


def test_live_stream_that_was_left_has_no_known_price(monkeypatch, capsys):
    class Endless(httpx.SyncByteStream):
        def __iter__(self):
            while True:
                yield chunk()

    headers = {"content-type": "text/event-stream"}
    live(monkeypatch, httpx.Response(200, headers=headers, stream=Endless()))
    with httpx.Client().stream("POST", URL, json=ASK) as response:
        next(response.iter_bytes())
    assert line(capsys) == "1 call, 0 tokens in, 0 out. The price of 1 is not known."


def test_refused_calls_are_free_and_a_regional_host_costs_more(monkeypatch, capsys):
    live(monkeypatch, httpx.Response(429, json={"message": "Rate limit exceeded"}))
    httpx.Client().post(URL, json=ASK)
    assert line(capsys) == "1 call, 0 tokens in, 0 out."
    live(monkeypatch, httpx.Response(200, json={"usage": USAGE}))
    httpx.Client().post(URL.replace("api.", "api.eu."), json=ASK)
    assert re.search(r"Billed: \$0\.1[67] or €0\.13,", line(capsys))


def test_upload_is_left_alone(monkeypatch):
    live(monkeypatch, httpx.Response(200, json={"id": "1"}))
    request = httpx.Request("POST", "https://api.mistral.ai/v1/files", files={"file": b"x"})
    httpx.HTTPTransport().handle_request(request)
    assert not hasattr(request, "_content"), "a large file would be read into memory"


USED = {"prompt_tokens": 5, "completion_tokens": 5}


@pytest.mark.parametrize(
    ("model", "usage", "counts"),
    [
        ("mistral-ocr-latest", USED, "5 tokens in, 5 out"),
        ("mistral-none", USED, "5 tokens in, 5 out"),
        (["mistral-small-latest"], USED, "5 tokens in, 5 out"),
        ("mistral-small-latest", None, "0 tokens in, 0 out"),
        ("mistral-small-latest", {"prompt_tokens": float("nan")}, "0 tokens in, 0 out"),
    ],
)
def test_call_without_a_known_price_is_counted_as_such(model, usage, counts):
    call = Call(200, model, usage, "api.mistral.ai")
    assert summary([call], paid=True) == f"1 call, {counts}. The price of 1 is not known."


def test_meter_keeps_only_the_usage_of_an_answer():
    """An embedding is large, and the meter is there for a whole session."""

    class Answer(dict):
        """Unlike a dict, it can be referred to weakly."""

    answer = Answer(body={"data": [[0.5] * 1024], "usage": USED})
    request = {"path": "/v1/embeddings", "body": {"model": "mistral-embed", "input": "hello"}}
    begin_count(paid=True)
    count_call(request, 200, answer, "api.mistral.ai")
    kept = weakref.ref(answer)
    del answer
    assert kept() is None
    begin_count(paid=False)


def test_meter_reads_a_usage_only_when_it_is_asked(monkeypatch, capsys):
    read, from_json = [], Usage.from_json
    monkeypatch.setattr(Usage, "from_json", lambda usage: read.append(usage) or from_json(usage))
    helpers.start("02_first_call")
    ask_sync()
    assert read == []
    helpers.meter()
    assert len(read) == 1
