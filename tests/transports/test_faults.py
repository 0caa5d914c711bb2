"""Every fault, in a whole answer, a stream and vectors, sync and async: each ends as it should."""

import itertools
import json
import logging
import traceback

import anyio
import httpx
import pytest

import helpers
from helpers.transports import FakeClock, Faults, FaultSpec, load_faults, make_fault

KEY = "Zq3vN8sK1xT5bW7yR2mC9dF4gH6jL0pA"
TEMPORARY = {
    "request_limit",
    "token_limit",
    "capacity",
    "server_error",
    "bad_gateway",
    "overloaded",
    "gateway_timeout",
    "gateway_timeout_page",
    "no_connection",
    "connection_reset",
    "timeout",
}
PERMANENT = {
    "unknown_model",
    "wrong_order",
    "context_too_long",
    "wrong_key",
    "not_in_plan",
    "no_route",
    "unknown_field",
    "no_allowance",
    "proxy_page",
    "invalid_json",
    "empty_body",
}
TEXT = "One two three four."
WHOLE = {"chat": TEXT, "stream": TEXT, "embed": "[[0.6, 0.8], [0.6, 0.8]]"}
URL = "https://api.mistral.ai/v1/x"
BODY = {"model": "m", "input": ["a"]}


def respond(request):
    """A small API."""
    body = json.loads(request.content)
    if "input" in body:
        rows = [{"index": i, "embedding": [0.6, 0.8]} for i, _ in enumerate(body["input"])]
        return httpx.Response(200, json={"data": rows, "model": body["model"]})
    if not body.get("stream"):
        choice = {"index": 0, "finish_reason": "stop", "message": {"content": TEXT}}
        return httpx.Response(200, json={"choices": [choice], "model": body["model"]})
    chunks = [
        {"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]}
        for piece in TEXT.split(" ")
    ]
    chunks[-1]["choices"][0]["finish_reason"] = "stop"
    lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks] + ["data: [DONE]\n\n"]
    return httpx.Response(
        200, text="".join(lines), headers={"content-type": "text/event-stream; charset=utf-8"}
    )


API = httpx.MockTransport(respond)


class Call:
    """One call of a kind through Retry and Faults: what arrived, what failed, how long it took."""

    def __init__(self, kind, script, asynchronous):
        self.clock = FakeClock()
        self.faults = Faults(API, script, clock=self.clock)
        self.transport = helpers.Retry(self.faults, clock=self.clock)
        self.arrived, self.error = "", None
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
                self.arrived = helpers.chat("Count.", client=client).text
            elif kind == "embed":
                self.arrived = str(helpers.embed(["a", "b"], client=client).tolist())
            else:
                for piece in helpers.stream("Count.", client=client):
                    self.arrived += piece + " "
                self.arrived = self.arrived.strip()

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
                    await self.read_stream(response)
                return
            response = await client.post(path, json=body)
            if not response.is_success:
                raise helpers.APIError(response)
            try:
                answer = response.json()
            except ValueError:
                raise helpers.APIError(response) from None
            if kind == "chat":
                self.arrived = answer["choices"][0]["message"]["content"]
            else:
                self.arrived = str([row["embedding"] for row in answer["data"]])

    async def read_stream(self, response):
        if not response.headers["content-type"].startswith("text/event-stream"):
            await response.aread()
            raise helpers.APIError(response)
        async for line in response.aiter_lines():
            if line.startswith("data: {"):
                self.arrived += json.loads(line[6:])["choices"][0]["delta"]["content"] + " "
        self.arrived = self.arrived.strip()

    def shown(self):
        return repr(self.error) + "".join(traceback.format_exception(self.error))


def is_retried(name, kind):
    return name in TEMPORARY or (name == "cut" and kind != "stream")


def outcome_of_one(name, kind, call):
    """What is wrong with a call that met this fault once, or None."""
    if is_retried(name, kind):
        # Nothing is lost, nothing comes twice.
        right = call.error is None and call.arrived == WHOLE[kind]
        right = right and call.faults.played == [name, "through"]
    elif name == "cut":
        # What had arrived is kept, and nothing is sent again after the first piece.
        right = isinstance(call.error, httpx.RemoteProtocolError) and call.arrived
        right = right and WHOLE[kind].startswith(call.arrived.strip())
        right = right and call.faults.played == ["cut"]
    else:
        # No second request where it can't help.
        right = isinstance(call.error, helpers.APIError) and call.faults.played == [name]
        right = right and call.error.status == load_faults()[name].status
    return None if right else (call.error, call.arrived, call.faults.played)


def outcome_of_many(name, kind, call):
    """What is wrong with a call that met this fault each time, or None."""
    # Each time-out takes 60 s, so five of them reach the total of 300 s.
    attempts = (5 if name == "timeout" else 6) if is_retried(name, kind) else 1
    if call.error is None or len(call.faults.played) != attempts:
        return call.error, call.faults.played
    if sum(call.clock.waits) > 31 + (5 * 60 if name == "timeout" else 0):
        return call.clock.waits
    if name == "cut" and kind == "stream":
        return None
    if isinstance(call.error, helpers.APIError):
        retried = call.error.response.extensions["retried"]
    else:
        retried = call.error.retried
    right = retried.attempts == attempts and retried.stopped and str(retried) in call.shown()
    return None if right else (retried, call.shown())


def problems_of(outcome, script, caplog, monkeypatch):
    """All calls of the matrix that end otherwise than `outcome` allows, or that show the key."""
    monkeypatch.setenv("MISTRAL_API_KEY", KEY)
    caplog.set_level(logging.DEBUG)
    problems = []
    for name, kind, asynchronous in itertools.product(load_faults(), WHOLE, (False, True)):
        call = Call(kind, script(name), asynchronous)
        if problem := outcome(name, kind, call):
            problems.append((name, kind, asynchronous, problem))
        if KEY in call.shown() + caplog.text:
            problems.append((name, kind, asynchronous, "shows the key"))
        caplog.clear()
    return problems


def test_every_fault_is_temporary_or_permanent():
    assert TEMPORARY | PERMANENT | {"cut"} == set(load_faults())
    assert not TEMPORARY & PERMANENT


def test_single_fault_ends_in_the_answer_or_the_right_error(caplog, monkeypatch):
    assert problems_of(outcome_of_one, lambda name: [name], caplog, monkeypatch) == []


@pytest.mark.slow
def test_repeated_fault_ends_in_an_error_that_reports_the_attempts(caplog, monkeypatch):
    assert problems_of(outcome_of_many, itertools.repeat, caplog, monkeypatch) == []


def test_status_stands_for_its_usual_answer():
    assert make_fault(429) == make_fault("request_limit")
    assert make_fault(503).status == 503
    assert json.loads(make_fault(401).body) == {"detail": "Invalid API Key"}
    assert make_fault(418).body == ""


@pytest.mark.parametrize("wrong", ["no_such_fault", 200, 600, 3.5, None])
def test_make_fault_names_an_unknown_entry(wrong):
    with pytest.raises(ValueError, match=str(wrong)):
        make_fault(wrong)


def test_fault_carries_a_retry_after_and_a_delay():
    clock = FakeClock()
    fault = make_fault("capacity", retry_after=7, delay=2)
    with httpx.Client(transport=Faults(API, [fault], clock=clock)) as client:
        response = client.post(URL, json={})
    assert response.status_code == 429
    assert response.headers["retry-after"] == "7"
    assert response.json()["code"] == "3505"
    assert clock.waits == [2]


def test_delay_beyond_the_read_timeout_is_a_timeout():
    clock = FakeClock()
    slow = FaultSpec("slow", "made up", delay=90)
    with httpx.Client(transport=Faults(API, [slow, slow], clock=clock), timeout=5) as client:
        with pytest.raises(httpx.ReadTimeout):
            client.post(URL, json={})
        assert clock.waits == [5]
        assert client.post(URL, json=BODY, timeout=100).is_success
        assert clock.waits == [5, 90]


def test_endless_delay_without_a_timeout_fails_at_once():
    clock = FakeClock()
    with (
        httpx.Client(
            transport=Faults(API, "timeout", clock=clock), timeout=httpx.Timeout(None)
        ) as client,
        pytest.raises(httpx.ReadTimeout),
    ):
        client.post(URL, json={})
    assert clock.waits == []


def test_all_requests_go_through_after_the_script():
    transport = Faults(API, [None, 500])
    with httpx.Client(transport=transport) as client:
        codes = [client.post(URL, json=BODY).status_code for _ in range(4)]
    assert codes == [200, 500, 200, 200]
    assert transport.played == ["through", "server_error", "through", "through"]


@pytest.mark.parametrize("alone", ["overloaded", 503, make_fault(503)])
def test_script_may_be_a_single_fault(alone):
    with httpx.Client(transport=Faults(API, alone)) as client:
        codes = [client.post(URL, json=BODY).status_code for _ in range(2)]
    assert codes == [503, 200]


def test_error_of_each_body_has_its_code_and_a_hint():
    problems = []
    for name, fault in load_faults().items():
        if not fault.status or fault.status < 400 or not fault.body.startswith("{"):
            continue
        request = httpx.Request("POST", URL)
        error = helpers.APIError(httpx.Response(fault.status, content=fault.body, request=request))
        if error.code != json.loads(fault.body).get("code") or not error.hint:
            problems.append((name, error))
    assert problems == []
