"""Every fault, under a whole answer, a stream and vectors, sync and async: each ends as it should."""

import itertools
import json
import logging
import traceback

import anyio
import httpx
import pytest

import helpers
from helpers.transports.faults import Fault, Faults, fault, fault_table

KEY = "Zq3vN8sK1xT5bW7yR2mC9dF4gH6jL0pA"
PASS_BY_RETRY = {
    *("request_limit", "token_limit", "capacity", "server_error", "bad_gateway", "overloaded"),
    *("gateway_timeout", "gateway_timeout_page", "no_connection", "connection_reset", "timeout"),
}
STAY = {
    *("unknown_model", "wrong_order", "context_too_long", "wrong_key", "not_in_plan", "no_route"),
    *("unknown_field", "no_allowance", "proxy_page", "invalid_json", "empty_body"),
}
TEXT = "One two three four."


def respond(request):
    """A small API."""
    body = json.loads(request.content)
    if "input" in body:
        rows = [{"index": i, "embedding": [0.6, 0.8]} for i, _ in enumerate(body["input"])]
        return httpx.Response(200, json={"data": rows, "model": body["model"]})
    if not body.get("stream"):
        choice = {"index": 0, "finish_reason": "stop", "message": {"content": TEXT}}
        return httpx.Response(200, json={"choices": [choice], "model": body["model"]})
    pieces = TEXT.split(" ")
    chunks = [
        {"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]}
        for piece in pieces
    ]
    chunks[-1]["choices"][0]["finish_reason"] = "stop"
    lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks] + ["data: [DONE]\n\n"]
    return httpx.Response(
        200, text="".join(lines), headers={"content-type": "text/event-stream; charset=utf-8"}
    )


class Played:
    """One call of a kind through Retry and Faults: what came, what went wrong, how long it took."""

    def __init__(self, kind, script, asynchronous):
        self.clock = helpers.transports.FakeClock()
        self.faults = Faults(httpx.MockTransport(respond), script, clock=self.clock)
        self.transport = helpers.Retry(self.faults, clock=self.clock)
        self.came, self.error = "", None
        try:
            if asynchronous:
                anyio.run(self.ask_async, kind)
            else:
                self.ask(kind)
        except httpx.HTTPError as error:
            self.error = error

    def ask(self, kind):
        with httpx.Client(transport=self.transport, timeout=60) as client:
            if kind == "chat":
                self.came = helpers.chat("Count.", client=client).text
            elif kind == "embed":
                self.came = str(helpers.embed(["a", "b"], client=client).tolist())
            else:
                for piece in helpers.stream("Count.", client=client):
                    self.came += piece + " "
                self.came = self.came.strip()

    async def ask_async(self, kind):
        """What a client without the helpers does: they have no async calls."""
        body = {"model": "m", "messages": [{"role": "user", "content": "Count."}]}
        body = {"model": "m", "input": ["a", "b"]} if kind == "embed" else body
        path = "embeddings" if kind == "embed" else "chat/completions"
        async with httpx.AsyncClient(
            transport=self.transport,
            base_url="https://api.mistral.ai/v1",
            headers={"Authorization": f"Bearer {KEY}"},
            timeout=60,
        ) as client:
            if kind == "stream":
                async with client.stream("POST", path, json={**body, "stream": True}) as response:
                    if not response.headers["content-type"].startswith("text/event-stream"):
                        await response.aread()
                        raise helpers.APIError(response)
                    async for line in response.aiter_lines():
                        if line.startswith("data: {"):
                            delta = json.loads(line[6:])["choices"][0]["delta"]
                            self.came += delta["content"] + " "
                self.came = self.came.strip()
                return
            response = await client.post(path, json=body)
            if not response.is_success:
                raise helpers.APIError(response)
            try:
                said = response.json()
            except ValueError:
                raise helpers.APIError(response) from None
            if kind == "chat":
                self.came = said["choices"][0]["message"]["content"]
            else:
                self.came = str([row["embedding"] for row in said["data"]])


WHOLE = {"chat": TEXT, "stream": TEXT, "embed": "[[0.6, 0.8], [0.6, 0.8]]"}
matrix = pytest.mark.parametrize(
    ("name", "kind", "asynchronous"),
    [
        pytest.param(name, kind, mode == "async", id=f"{name}-{kind}-{mode}")
        for name, kind, mode in itertools.product(fault_table(), WHOLE, ("sync", "async"))
    ],
)


def test_every_fault_is_in_the_matrix():
    assert PASS_BY_RETRY | STAY | {"cut"} == set(fault_table())
    assert not PASS_BY_RETRY & STAY


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("MISTRAL_API_KEY", KEY)


@matrix
def test_once(name, kind, asynchronous, caplog):
    caplog.set_level(logging.DEBUG)
    played = Played(kind, [name], asynchronous)
    if name in PASS_BY_RETRY or (name == "cut" and kind != "stream"):
        assert played.error is None
        assert played.came == WHOLE[kind], "nothing is lost, nothing comes twice"
        assert played.faults.played == [name, "through"]
    elif name == "cut":
        assert isinstance(played.error, httpx.RemoteProtocolError)
        assert played.came, "what had come is kept"
        assert WHOLE[kind].startswith(played.came.strip())
        assert played.faults.played == ["cut"], "never again after the first piece"
    else:
        assert isinstance(played.error, helpers.APIError)
        assert played.error.status == fault_table()[name].status
        assert played.faults.played == [name], "no second request where it can't help"
    assert KEY not in caplog.text


@matrix
def test_for_ever(name, kind, asynchronous, caplog):
    caplog.set_level(logging.DEBUG)
    played = Played(kind, itertools.repeat(name), asynchronous)
    again = name in PASS_BY_RETRY or (name == "cut" and kind != "stream")
    expected = {"timeout": 5}.get(name, 6)  # 5 times 60 s: the total of 300 s is over
    assert len(played.faults.played) == (expected if again else 1)
    assert played.error is not None, "it says so in the end"
    retried = (
        played.error.response.extensions["retried"]
        if isinstance(played.error, helpers.APIError)
        else getattr(played.error, "retried", None)
    )
    if name != "cut" or kind != "stream":
        assert retried.attempts == len(played.faults.played)
        assert retried.stopped
        assert str(retried) in "".join(traceback.format_exception(played.error))
    assert sum(played.clock.waits) <= 31 + (5 * 60 if name == "timeout" else 0)
    shown = repr(played.error) + "".join(traceback.format_exception(played.error)) + caplog.text
    assert KEY not in shown


def test_a_status_stands_for_the_answer_that_is_usual_with_it():
    assert fault(429) == fault("request_limit")
    assert fault(503).status == 503
    assert json.loads(fault(401).body) == {"detail": "Invalid API Key"}
    assert fault(418).body == ""


@pytest.mark.parametrize("wrong", ["no_such_fault", 200, 600, 3.5, None])
def test_an_entry_that_is_not_known_is_named(wrong):
    with pytest.raises(ValueError, match=str(wrong)):
        fault(wrong)


def test_what_a_fault_can_carry():
    made = fault("capacity", retry_after=7, delay=2)
    clock = helpers.transports.FakeClock()
    transport = Faults(httpx.MockTransport(respond), [made], clock=clock)
    with httpx.Client(transport=transport) as client:
        response = client.post("https://api.mistral.ai/v1/x", json={})
    assert response.status_code == 429
    assert response.headers["retry-after"] == "7"
    assert response.json()["code"] == "3505"
    assert clock.waits == [2]


def test_a_delay_beyond_the_time_out_is_a_time_out():
    clock = helpers.transports.FakeClock()
    slow = Fault("slow", "made up", delay=90)
    transport = Faults(httpx.MockTransport(respond), [slow, slow], clock=clock)
    with httpx.Client(transport=transport, timeout=5) as client:
        with pytest.raises(httpx.ReadTimeout):
            client.post("https://api.mistral.ai/v1/x", json={})
        assert clock.waits == [5]
        answer = client.post(
            "https://api.mistral.ai/v1/x", json={"input": ["a"], "model": "m"}, timeout=100
        )
        assert answer.is_success
        assert clock.waits == [5, 90]


def test_after_the_script_all_goes_through():
    transport = Faults(httpx.MockTransport(respond), [None, 500])
    body = {"model": "m", "input": ["a"]}
    with httpx.Client(transport=transport) as client:
        codes = [client.post("https://a.b/", json=body).status_code for _ in range(4)]
    assert codes == [200, 500, 200, 200]
    assert transport.played == ["through", "server_error", "through", "through"]


def test_bodies_are_those_that_were_seen():
    """Each JSON body parses; the error that the helpers make of it has the code and the hint."""
    for name, one in fault_table().items():
        if not one.status or one.status < 400 or not one.body.startswith("{"):
            continue
        said = json.loads(one.body)
        error = helpers.APIError(
            httpx.Response(
                one.status,
                content=one.body,
                request=httpx.Request("POST", "https://api.mistral.ai/v1"),
            )
        )
        assert error.code == said.get("code"), name
        assert error.hint


@pytest.mark.parametrize("alone", ["overloaded", 503, fault(503)])
def test_one_alone_is_a_script_of_one(alone):
    transport = Faults(httpx.MockTransport(respond), alone)
    with httpx.Client(transport=transport) as client:
        codes = [
            client.post("https://a.b/", json={"model": "m", "input": []}).status_code
            for _ in range(2)
        ]
    assert codes == [503, 200]
