"""A budget refuses before it is crossed, and counts what answers have really cost."""

import asyncio
import concurrent.futures
import json
import pickle

import httpx
import pytest

import helpers
from helpers import Budget
from helpers.costs import BudgetExceeded
from helpers.offline.server import LocalServer

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


def test_the_usage_takes_the_place_of_the_estimate():
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


def test_a_stream_costs_what_its_last_chunk_says():
    stream = Chunks({"choices": []}, {"choices": [], "usage": USAGE})
    budget = Budget(1, answering(stream=stream, headers=SSE))
    post(budget)
    assert budget.spent == pytest.approx(COST)


def test_a_stream_that_is_left_or_cut_costs_its_estimate():
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
def test_a_call_that_failed_costs_its_estimate_where_it_may_have_been_sent(error, cost):
    def handler(request):
        raise error

    budget = Budget(1, httpx.MockTransport(handler))
    with pytest.raises(type(error)):
        post(budget)
    assert (budget.spent, budget.reserved) == pytest.approx((cost, 0))


def test_what_the_api_refuses_costs_nothing():
    budget = Budget(1, answering(status_code=429, json={"message": "Rate limit exceeded"}))
    assert post(budget).status_code == 429
    assert (budget.spent, budget.reserved) == (0, 0)


def test_threads_can_not_cross_it_together():
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


def test_tasks_can_not_cross_it_together():
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
def test_an_estimate_is_the_input_and_the_longest_output(body, most):
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
        with pytest.raises(ValueError, match="What /v1/ocr costs can't be known"):
            client.post("https://api.mistral.ai/v1/ocr", json={"model": "mistral-ocr-latest"})
        with pytest.raises(helpers.costs.UnknownPrice, match="tables disagree"):
            client.post(URL, json={**ASK, "model": "mistral-large-4"})
    assert (budget.spent, budget.reserved) == (0, 0)


@pytest.mark.parametrize("limit", [0, -1, float("inf"), float("nan")])
def test_a_limit_is_a_sum_of_money(limit):
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
    "fault",
    [{"messages": None}, {"messages": [{}]}, {"model": 3}, {"max_tokens": "5"}, {"tools": [{}]}],
)
def test_a_request_that_can_not_be_counted_is_not_sent(fault):
    inside = answering(json={"usage": USAGE})
    body = {name: value for name, value in {**ASK, **fault}.items() if value is not None}
    with pytest.raises(ValueError, match=r"can't count this request|have a fault"):
        post(budget := Budget(1, inside), body)
    assert (budget.spent, budget.reserved, inside.sent) == (0, 0, [])


@pytest.mark.parametrize("inside", [True, False])
def test_retries_around_it_are_counted_each(inside):
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


def test_a_stream_that_is_cancelled_while_it_closes_holds_nothing():
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


def test_many_tasks_can_not_cross_it_over_a_real_connection():
    """64 at once, of which the budget lets ten through: each holds its estimate."""

    async def main(budget, url):
        async with httpx.AsyncClient(transport=budget) as client:
            asks = (client.post(f"{url}/chat/completions", json=ASK) for _ in range(64))
            return await asyncio.gather(*asks, return_exceptions=True)

    with LocalServer(1000) as server:
        budget = Budget(10.5 * MOST, httpx.AsyncHTTPTransport())
        done = asyncio.run(main(budget, server.url))
        assert server.answered == 10
    assert sum(isinstance(one, BudgetExceeded) for one in done) == 54
    assert 0 < budget.spent < budget.limit
    assert budget.reserved == pytest.approx(0)
