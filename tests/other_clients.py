"""Libraries built on the API are recorded and replayed, too. Not in `make test`: see `make clients`."""

import asyncio
import json

import httpx
import httpx2
import pytest

import helpers

ASK = {"role": "user", "content": "Which?"}
MODEL = "mistral-small-latest"
USAGE = {"prompt_tokens": 1, "total_tokens": 2, "completion_tokens": 1}
CHOICE = {"index": 0, "finish_reason": "stop"}
ANSWER = {"id": "0" * 32, "created": 1, "model": MODEL, "usage": USAGE, "object": "chat.completion"}
CARD = {
    "id": MODEL,
    "type": "base",
    "capabilities": {"completion_chat": True},
    "max_context_length": 9,
}


def langchain(way):
    from langchain_mistralai import ChatMistralAI

    chat = ChatMistralAI(model=MODEL)
    if way == "stream":
        return "".join(piece.content for piece in chat.stream("Which?"))
    return (
        asyncio.run(chat.ainvoke("Which?")) if way == "async" else chat.invoke("Which?")
    ).content


def litellm(way):
    import litellm

    asked = {"model": f"mistral/{MODEL}", "messages": [ASK]}
    if way == "stream":
        pieces = litellm.completion(stream=True, **asked)
        return "".join(piece.choices[0].delta.content or "" for piece in pieces)
    answer = (
        asyncio.run(litellm.acompletion(**asked)) if way == "async" else litellm.completion(**asked)
    )
    return answer.choices[0].message.content


def pydantic_ai(way):
    from pydantic_ai import Agent

    async def streamed():
        async with Agent(f"mistral:{MODEL}").run_stream("Which?") as run:
            return await run.get_output()

    return (
        asyncio.run(streamed())
        if way == "stream"
        else Agent(f"mistral:{MODEL}").run_sync("Which?").output
    )


def llm(way):
    import llm

    model = llm.get_model(f"mistral/{MODEL}")
    return model.prompt("Which?", stream=way == "stream").text()


def respond(lib, request):
    kind, message = "application/json", {"role": "assistant", "content": "Comté"}
    content = json.dumps(ANSWER | {"choices": [CHOICE | {"message": message}]})
    if request.url.path == "/v1/models":
        content = json.dumps({"object": "list", "data": [CARD]})
    elif json.loads(request.content).get("stream"):
        chunk = ANSWER | {
            "object": "chat.completion.chunk",
            "choices": [CHOICE | {"delta": message}],
        }
        kind, content = "text/event-stream", f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n"
    return lib.Response(
        200, headers={"content-type": kind}, stream=lib.ByteStream(content.encode())
    )


@pytest.fixture
def network(monkeypatch, tmp_path):
    """Instead of the network: answers, and the list of requests that came through."""
    seen = []

    def put(lib):
        def handle(_, request):
            request.read()
            seen.append(str(request.url))
            return respond(lib, request)

        async def handle_async(_, request):
            return handle(_, request)

        monkeypatch.setattr(lib.HTTPTransport, "handle_request", handle)
        monkeypatch.setattr(lib.AsyncHTTPTransport, "handle_async_request", handle_async)

    put(httpx)
    put(httpx2)
    monkeypatch.setenv("MISTRAL_RECORDINGS", str(tmp_path))
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    monkeypatch.setenv("LLM_USER_PATH", str(tmp_path))
    for name in ("MISTRAL_API_KEY", "LLM_MISTRAL_KEY"):
        monkeypatch.setenv(name, "a-key-of-this-test")
    return seen


@pytest.mark.parametrize("way", ["plain", "stream", "async"])
@pytest.mark.parametrize("client", [langchain, litellm, pydantic_ai, llm])
def test_it_is_recorded_and_replayed_without_the_network(network, client, way):
    helpers.start("lesson", mode="record")
    assert client(way) == "Comté"
    assert network
    network.clear()
    helpers.start("lesson", mode="replay")
    assert client(way) == "Comté"
    assert not network
