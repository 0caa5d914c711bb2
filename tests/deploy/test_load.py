"""Many at once: none is lost, who leaves frees the API, and a stop ends every stream in order."""

import asyncio
import signal

import httpx
import pytest

from tests.deploy.server import (
    ask,
    ask_held,
    ask_many,
    code_of,
    sent,
    text_of,
    until,
)

pytestmark = pytest.mark.slow
WHOLE = "".join(f"{n} " for n in range(10))


def test_no_stream_of_many_is_lost_and_memory_is_bounded(server):
    """All are open at the same time before the API goes on with any."""
    api, memory = server.api, []
    for count in (256, 64):
        api.most_open = 0
        responses = asyncio.run(ask_held(server, api, count, lambda count=count: api.open == count))
        assert [r.status_code for r in responses] == [200] * count
        assert {text_of(response) for response in responses} == {WHOLE}
        assert api.most_open == count
        until(lambda: api.open == 0)
        memory.append(server.rss())
    assert memory[1] - memory[0] < 64 * 100_000, "nothing of the first round is kept"


async def leave_early(server, count):
    """Open so many endless streams, fifty at a time, and leave each after its first piece."""
    places = asyncio.Semaphore(50)

    async def one():
        async with places, sent(server, "endless") as reader:
            await reader.readuntil(b"word ")

    await asyncio.gather(*(one() for _ in range(count)))


def test_500_clients_that_leave_early_free_every_upstream_call(server):
    api, before = server.api, len(server.ends)
    asyncio.run(leave_early(server, 500))
    until(lambda: server.ends[before:].count("left") == 500 and api.open == 0)
    assert api.left == 500
    assert ask(server, "hello").status_code == 200


async def leave_silence(server, api, count):
    """Ask what gets no answer, and leave once the API has the requests."""
    asked = asyncio.create_task(ask_many(server, ["fault timeout"] * count))
    await asyncio.to_thread(until, lambda: api.open == count)
    asked.cancel()
    await asyncio.wait([asked])


def test_who_leaves_before_the_first_piece_frees_the_call_too(server):
    api, before = server.api, len(server.ends)
    asyncio.run(leave_silence(server, api, 3))
    until(lambda: server.ends[before:].count("left") == 3 and api.open == 0)
    assert api.left == 3


async def stop_during(server, api, count):
    """Ask, send SIGTERM once all are being answered, and return the answers."""
    asked = asyncio.create_task(ask_many(server, ["endless"] * count))
    await asyncio.to_thread(until, lambda: api.open == count)
    server.process.send_signal(signal.SIGTERM)
    return await asked


def test_a_stop_lets_64_streams_end_whole(serve, api):
    server = serve()

    def stop_once_all_are_open():
        if api.open == 64:
            server.process.send_signal(signal.SIGTERM)
        return api.open == 64 and any(line["event"] == "stopping" for line in server.lines)

    responses = asyncio.run(ask_held(server, api, 64, stop_once_all_are_open))
    assert {text_of(response) for response in responses} == {WHOLE}
    assert {code_of(response) for response in responses} == {None}
    server.process.wait(60)
    with pytest.raises(httpx.ConnectError):
        ask(server, "hello")


def test_streams_that_outlast_the_grace_are_told_why_they_end(serve, api):
    server = serve(CHAT_GRACE_SECONDS="0.5")
    responses = asyncio.run(stop_during(server, api, 64))
    assert {code_of(response) for response in responses} == {"stopping"}
    assert all("word" in text_of(response) for response in responses)
    server.process.wait(60)
    # The API notices that a reader has left when it writes the next piece.
    until(lambda: len(server.ends) == 64 and api.open == 0)


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
    server.process.wait(60)
    until(lambda: server.ends)
    assert server.ends == ["stopping"]
