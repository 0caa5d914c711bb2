"""Many at once: none is lost, who leaves frees the API, and a stop ends every stream in order."""

import asyncio
import signal

import httpx
import pytest

from tests.deploy.server import (
    ask,
    ask_many,
    code_of,
    new_client,
    question,
    text_of,
    until,
)

WHOLE = "".join(f"{n} " for n in range(10))


@pytest.mark.parametrize("count", [64, 256])
def test_no_stream_of_many_is_lost_and_memory_is_bounded(serve, api, count):
    server = serve()
    asyncio.run(ask_many(server, ["pieces 10 0.2"] * count))
    after_first = server.rss()
    responses = asyncio.run(ask_many(server, ["pieces 10 0.2"] * count))
    assert [r.status_code for r in responses] == [200] * count
    assert {text_of(response) for response in responses} == {WHOLE}
    # They did run at the same time.
    assert api.most_open > count * 0.9
    assert server.rss() - after_first < count * 100_000, "nothing of the first round is kept"
    assert api.open == 0


async def leave_early(server, count):
    """Open so many endless streams, fifty at a time, and leave each after its first piece."""
    places = asyncio.Semaphore(50)

    async def one(client):
        async with (
            places,
            client.stream("POST", f"{server.url}/chat", json=question("endless")) as response,
        ):
            async for _ in response.aiter_text():
                break

    async with new_client() as client:
        await asyncio.gather(*(one(client) for _ in range(count)))


def test_500_clients_that_leave_early_free_every_upstream_call(serve, api):
    server = serve()
    asyncio.run(leave_early(server, 500))
    until(lambda: len(server.ends) == 500 and api.open == 0)
    assert set(server.ends) == {"left"}
    assert api.ended == 500
    assert ask(server, "hello").status_code == 200


def test_who_leaves_before_the_first_piece_frees_the_call_too(serve, api):
    server = serve()
    for _ in range(3):
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{server.url}/chat", json=question("silent"), timeout=0.3)
    until(lambda: api.open == 0 and len(server.ends) == 3)
    assert api.ended == 3
    assert server.ends == ["left"] * 3


async def stop_during(server, api, count, task):
    """Ask, send SIGTERM once all are being answered, and return the answers."""
    asked = asyncio.create_task(ask_many(server, [task] * count))
    await asyncio.to_thread(until, lambda: api.open == count)
    server.process.send_signal(signal.SIGTERM)
    return await asked


def test_a_stop_lets_64_streams_end_whole(serve, api):
    server = serve()
    responses = asyncio.run(stop_during(server, api, 64, "pieces 10 0.2"))
    assert {text_of(response) for response in responses} == {WHOLE}
    assert {code_of(response) for response in responses} == {None}
    server.process.wait()
    with pytest.raises(httpx.ConnectError):
        ask(server, "hello")


def test_streams_that_outlast_the_grace_are_told_why_they_end(serve, api):
    server = serve(CHAT_GRACE_SECONDS="0.5")
    responses = asyncio.run(stop_during(server, api, 64, "endless"))
    assert {code_of(response) for response in responses} == {"stopping"}
    assert all("word" in text_of(response) for response in responses)
    server.process.wait()
    until(lambda: len(server.ends) == 64)
    assert api.open == 0


def test_while_it_stops_it_is_alive_but_not_ready(serve, api):
    """On a connection that was open before: a new one is not accepted."""
    server = serve(CHAT_GRACE_SECONDS="1")

    async def ask_while_stopping():
        async with httpx.AsyncClient(base_url=server.url) as client:
            asked = asyncio.create_task(ask_many(server, ["endless"]))
            await asyncio.to_thread(until, lambda: api.open)
            before = await client.get("/ready")
            server.process.send_signal(signal.SIGTERM)
            await asked
            return before.status_code

    assert asyncio.run(ask_while_stopping()) == 200
    server.process.wait()
    until(lambda: server.ends)
    assert server.ends == ["stopping"]
