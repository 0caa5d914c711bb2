"""A budget refuses before it is crossed, and counts what answers have really cost."""

import asyncio
import concurrent.futures
import json
import pickle
import threading

import httpx
import pytest

import helpers
from helpers import Budget
from helpers.costs import BudgetExceeded, TokenCount
from helpers.offline.server import Server

URL = f"{helpers.client.API}/chat/completions"
ASK = {
    "model": "mistral-small-latest",
    "messages": [{"role": "user", "content": "hello"}],  # 16 tokens in
    "max_tokens": 1000,
}
MOST = (16 * 0.15 + 1000 * 0.6) / 1e6  # US dollars
USAGE = {"prompt_tokens": 16, "completion_tokens": 10}
COST = (16 * 0.15 + 10 * 0.6) / 1e6
SSE = {"content-type": "text/event-stream"}


def answering(**response):
    sent = []

    def handler(request):
        sent.append(request)
        return httpx.Response(**{"status_code": 200, **response})

    transport = httpx.MockTransport(handler)
    transport.sent = sent
    return transport


def post(budget, body=ASK, url=URL):
    with httpx.Client(transport=budget) as client:
        return client.post(url, json=body)


@pytest.mark.slow
def test_usage_replaces_the_estimate():
    budget = Budget(MOST + COST, inside := answering(json={"usage": USAGE}))
    post(budget)
    post(budget)
    assert budget.spent == budget.paid == pytest.approx(2 * COST)
    with pytest.raises(BudgetExceeded) as refused:
        post(budget)
    assert len(inside.sent) == 2, "the third was not sent"
    error = refused.value
    assert (error.spent, error.limit) == (budget.spent, budget.limit)
    assert error.estimate == pytest.approx(MOST)
    assert "Not sent: it may cost $0.000602" in str(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert budget.reserved == pytest.approx(0)


class Chunks(httpx.SyncByteStream):
    def __init__(self, *chunks, fails=None):
        self.chunks, self.fails = chunks, fails

    def __iter__(self):
        for chunk in self.chunks:
            yield f"data: {json.dumps(chunk)}\n\n".encode()
        if self.fails:
            raise self.fails


def test_stream_costs_what_its_last_chunk_reports():
    stream = Chunks({"choices": []}, {"choices": [], "usage": USAGE})
    budget = Budget(1, answering(stream=stream, headers=SSE))
    post(budget)
    assert budget.spent == pytest.approx(COST)


def test_stream_that_is_left_or_cut_costs_its_estimate():
    stream = Chunks({"choices": []}, {"choices": [], "usage": USAGE})
    budget = Budget(1, answering(stream=stream, headers=SSE))
    with httpx.Client(transport=budget) as client, client.stream("POST", URL, json=ASK) as answer:
        next(answer.iter_bytes())
        assert budget.reserved == pytest.approx(MOST)
    assert (budget.spent, budget.reserved) == pytest.approx((MOST, 0))

    stream = Chunks({"choices": []}, fails=httpx.ReadError("cut"))
    budget = Budget(1, answering(stream=stream, headers=SSE))
    with pytest.raises(httpx.ReadError):
        post(budget)
    assert (budget.spent, budget.reserved) == pytest.approx((MOST, 0))


@pytest.mark.parametrize(
    ("error", "cost"), [(httpx.ConnectError("no"), 0), (httpx.ReadTimeout("late"), MOST)]
)
def test_failed_call_costs_its_estimate_where_it_may_have_been_sent(error, cost):
    def handler(request):
        raise error

    budget = Budget(1, httpx.MockTransport(handler))
    with pytest.raises(type(error)):
        post(budget)
    assert (budget.spent, budget.reserved) == pytest.approx((cost, 0))


def test_refused_request_costs_nothing():
    budget = Budget(1, answering(status_code=429, json={"message": "Rate limit exceeded"}))
    assert post(budget).status_code == 429
    assert (budget.spent, budget.reserved) == (0, 0)


def test_threads_can_not_cross_the_limit_together():
    budget = Budget(
        5.5 * MOST,
        inside := answering(json={"usage": {"prompt_tokens": 16, "completion_tokens": 1000}}),
    )

    def one(_):
        try:
            post(budget)
        except BudgetExceeded:
            return False
        return True

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        done = list(pool.map(one, range(40)))
    assert sum(done) == len(inside.sent) == 5
    assert budget.spent == pytest.approx(5 * MOST)


def test_tasks_can_not_cross_the_limit_together():
    """All hold their estimates before the first answer comes."""
    sent = []

    async def handler(request):
        sent.append(request)
        await asyncio.sleep(0.01)
        return httpx.Response(200, json={"usage": USAGE})

    async def main():
        budget = Budget(3.5 * MOST, httpx.MockTransport(handler))
        async with httpx.AsyncClient(transport=budget) as client:
            asks = (client.post(URL, json=ASK) for _ in range(10))
            return budget, await asyncio.gather(*asks, return_exceptions=True)

    budget, done = asyncio.run(main())
    assert len(sent) == 3
    assert sum(isinstance(one, BudgetExceeded) for one in done) == 7
    assert (budget.spent, budget.reserved) == pytest.approx((3 * COST, 0))


@pytest.mark.parametrize(
    ("body", "most"),
    [
        ({**ASK, "n": 3}, (16 * 0.15 + 3000 * 0.6) / 1e6),
        ({**ASK, "max_tokens": None}, (16 * 0.15 + 4096 * 0.6) / 1e6),
        ({**ASK, "service_tier": "auto"}, 1.75 * MOST),
        ({"model": "mistral-embed", "input": ["Hello world"]}, 4 * 0.1 / 1e6),
    ],
)
def test_estimate_is_the_input_and_the_longest_output(body, most):
    url = URL if "messages" in body else URL.replace("chat/completions", "embeddings")
    request = httpx.Request("POST", url, json=body)
    assert Budget(1, answering()).estimate(request) == pytest.approx(most)
    request = httpx.Request("POST", url.replace("api.", "api.eu."), json=body)
    assert Budget(1, answering()).estimate(request) == pytest.approx(1.1 * most)


def test_lists_of_models_and_uploads_are_free_and_what_has_no_token_price_is_refused():
    budget = Budget(0.01, answering(json={}))
    with httpx.Client(transport=budget) as client:
        assert client.get("https://api.mistral.ai/v1/models").is_success
        assert client.post("https://api.mistral.ai/v1/files", files={"file": b"x"}).is_success
        with pytest.raises(ValueError, match="cost of /v1/ocr can't be known"):
            client.post("https://api.mistral.ai/v1/ocr", json={"model": "mistral-ocr-latest"})
        with pytest.raises(helpers.costs.UnknownPrice, match="no price per token"):
            client.post(URL, json={**ASK, "model": "mistral-ocr-4-1"})
    assert (budget.spent, budget.reserved) == (0, 0)


@pytest.mark.parametrize("limit", [0, -1, float("inf"), float("nan")])
def test_limit_is_an_amount_of_money(limit):
    with pytest.raises(ValueError, match="US dollars"):
        Budget(limit, answering())


def test_replayed_answers_count_but_nothing_is_paid():
    helpers.start("02_first_call")
    budget = Budget(0.01, httpx.HTTPTransport())
    with httpx.Client(transport=budget) as client:
        reply = helpers.chat("What is the best French cheese?", client=client)
    assert budget.spent == pytest.approx(helpers.price(reply, "mistral-small-latest").usd)
    assert budget.paid == 0


def test_the_transport_is_optional():
    budget = Budget(0.50)
    assert type(budget.transport) is httpx.HTTPTransport
    with httpx.Client(transport=budget) as client:
        assert client._transport is budget


@pytest.mark.parametrize(
    "change",
    [
        {"messages": None},
        {"messages": [{}]},
        {"messages": "hello"},
        {"model": 3},
        {"model": "mistral-none"},
        {"tools": [{}]},
        {"max_tokens": "5"},
        {"max_tokens": -5},
        {"max_tokens": 1e3},
        {"max_tokens": 10**400},
        {"n": 0.5},
        {"n": -1},
    ],
)
def test_request_that_can_not_be_counted_is_not_sent(change):
    inside = answering(json={"usage": USAGE})
    body = {name: value for name, value in {**ASK, **change}.items() if value is not None}
    with pytest.raises((ValueError, LookupError)):
        post(budget := Budget(1, inside), body)
    assert (budget.spent, budget.reserved, inside.sent) == (0, 0, [])


@pytest.mark.parametrize("content", ['{"max_tokens": NaN}', "[" * 100_000, "{", ""])
def test_request_that_is_no_sane_json_is_not_sent(content):
    inside = answering(json={"usage": USAGE})
    body = json.dumps(ASK)[:-1] + ", " + content[1:] if "NaN" in content else content
    headers = {"content-type": "application/json"}
    client = httpx.Client(transport=(budget := Budget(1, inside)))
    with client, pytest.raises(ValueError, match=r"can't (count|be known)"):
        client.post(URL, content=body, headers=headers)
    assert (budget.spent, budget.reserved, inside.sent) == (0, 0, [])


PICTURE = {"type": "image_url", "image_url": "https://example.com/a.png"}
DOCUMENT = {"type": "document_url", "document_url": "https://example.com/a.pdf"}
SOUND = {"type": "input_audio", "input_audio": "aGVsbG8="}
TEXT = {"type": "text", "text": "hello"}


@pytest.mark.parametrize(
    "change",
    [
        *(
            {"messages": [{"role": "user", "content": [TEXT, part]}]}
            for part in (PICTURE, DOCUMENT, SOUND, {"type": "file", "file_id": "1"})
        ),
        {"documents": [{"id": "1"}]},
        {"prediction": {"type": "content", "content": "hello"}},
        {"safe_prompt": True},
    ],
)
def test_input_that_can_not_be_counted_is_refused(change):
    inside, body = answering(json={"usage": USAGE}), {**ASK, **change}
    with pytest.raises(ValueError, match="send this with another client"):
        post(budget := Budget(1, inside), body)
    assert (budget.spent, budget.reserved, inside.sent) == (0, 0, [])


def test_count_that_was_never_compared_gives_way_to_the_size_of_the_request():
    """Each token has a byte at least."""
    request = httpx.Request("POST", URL, json={**ASK, "model": "codestral-latest"})
    most = (len(request.content) * 0.3 + 1000 * 0.9) / 1e6
    assert Budget(1, answering()).estimate(request) == pytest.approx(most)


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": float("nan"), "completion_tokens": 10},
        {"prompt_tokens": float("inf"), "completion_tokens": 10},
        {"prompt_tokens": -16, "completion_tokens": 10},
        {"prompt_tokens": "16", "completion_tokens": "10"},
        {"prompt_tokens": [16], "completion_tokens": {}},
        {"prompt_tokens": 10**400, "completion_tokens": 10},
        {"prompt_tokens": 16},
        {"completion_tokens": 10},
        {"prompt_tokens": None, "completion_tokens": None},
        {},
        [],
        "16",
        None,
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_usage_that_is_not_sane_keeps_the_estimate(usage, stream):
    answer = {"choices": [], "usage": usage}
    content = json.dumps(answer)
    if stream:
        content = f"data: {content}\n\ndata: [DONE]\n\n"
    headers = SSE if stream else {"content-type": "application/json"}
    budget = Budget(1, answering(content=content.encode(), headers=headers))
    assert post(budget).text == content
    assert (budget.spent, budget.reserved) == pytest.approx((MOST, 0))


BROKEN = [
    "[" * 100_000 + "]" * 100_000,
    json.dumps({"numbers": [10**400] * 32}),
    "{",
    "\ud800",
    "null",
    "[1]",
]


@pytest.mark.parametrize("body", BROKEN, ids=range(len(BROKEN)))
@pytest.mark.parametrize("type", ["application/json", "text/event-stream"])
def test_answer_that_is_no_sane_json_keeps_the_estimate(body, type):
    content = body.encode("utf-8", "surrogatepass")
    if type == "text/event-stream":
        content = b"data: " + content + b"\n\n"
    budget = Budget(1, answering(content=content, headers={"content-type": type}))
    assert post(budget).content == content
    assert (budget.spent, budget.reserved) == pytest.approx((MOST, 0))


def test_counting_does_not_block_the_event_loop(monkeypatch):
    """Loading the tokenizer takes seconds, in which other tasks go on."""
    counting, other = threading.Event(), threading.Event()

    def count(*args, **options):
        counting.set()
        assert other.wait(30), "no other task went on"
        return TokenCount(16, True, 0, "")

    async def main():
        budget = Budget(1, answering(json={"usage": USAGE}))
        async with httpx.AsyncClient(transport=budget) as client:
            task = asyncio.create_task(client.post(URL, json=ASK))
            await asyncio.to_thread(counting.wait, 30)
            other.set()
            return await task

    monkeypatch.setattr("helpers.costs.budget.count_tokens", count)
    assert asyncio.run(main()).is_success


@pytest.mark.parametrize("inside", [True, False])
def test_each_retry_around_a_budget_is_counted(inside):
    """And those inside are not, as its docstring says."""

    def late(request):
        raise httpx.ReadTimeout("late")

    network, options = httpx.MockTransport(late), {"attempts": 3, "base": 0}
    if inside:
        budget = transport = Budget(1, helpers.Retry(network, **options))
    else:
        transport = helpers.Retry(budget := Budget(1, network), **options)
    with pytest.raises(httpx.ReadTimeout):
        post(transport)
    assert budget.spent == pytest.approx(MOST if inside else 3 * MOST)


def test_stream_that_is_cancelled_while_it_closes_reserves_nothing():
    class Slow(httpx.AsyncByteStream):
        async def __aiter__(self):
            yield b'data: {"choices": []}\n\n'
            await asyncio.sleep(10)

        async def aclose(self):
            closing.set()
            await asyncio.sleep(10)

    async def answer(request):
        return httpx.Response(200, headers=SSE, stream=Slow())

    async def read(budget):
        client = httpx.AsyncClient(transport=budget)
        async with client, client.stream("POST", URL, json=ASK) as response:
            async for _ in response.aiter_bytes():
                reading.set()

    async def main():
        budget = Budget(1, httpx.MockTransport(answer))
        task = asyncio.create_task(read(budget))
        await reading.wait()
        task.cancel()
        await closing.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return budget

    reading, closing = asyncio.Event(), asyncio.Event()
    budget = asyncio.run(main())
    assert (budget.spent, budget.reserved) == pytest.approx((MOST, 0))


def test_many_tasks_can_not_cross_the_limit_over_a_real_connection():
    """64 at once, of which the budget lets ten through: each holds its estimate."""

    async def main(budget, url):
        async with httpx.AsyncClient(transport=budget) as client:
            asks = (client.post(f"{url}/chat/completions", json=ASK) for _ in range(64))
            return await asyncio.gather(*asks, return_exceptions=True)

    with Server(1000, key="") as server:
        budget = Budget(10.5 * MOST, httpx.AsyncHTTPTransport())
        done = asyncio.run(main(budget, server.url))
        assert server.answered == 10
    assert sum(isinstance(one, BudgetExceeded) for one in done) == 54
    assert 0 < budget.spent < budget.limit
    assert budget.reserved == pytest.approx(0)
