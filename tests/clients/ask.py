"""Ask the lessons' recorded questions with one client, in an environment that holds it.

`python tests/clients` runs this once for each client of versions.toml: `ask.py CLIENT` prints as its
last line, in JSON, who answered each question: a recording, or the offline API.

An adapter gets a key and gives a dict of functions: "chat", "async" and "stream" take a question and
return the answer's text, "embeddings" takes a text and returns its vector, "models" returns ids.
"""

import asyncio
import contextlib
import json
import os
import sys
import tempfile

import httpx

import helpers
from helpers.client import API, CHAT_MODEL, EMBED_MODEL
from helpers.keys import PLACEHOLDER
from helpers.replay.matching import plain_body
from helpers.replay.recordings import Recordings

CHEESE = "What is the best French cheese?"
# A way to ask: the lesson that recorded the question, and the question.
QUESTIONS = {
    "chat": ("02_first_call", CHEESE),
    "async": ("02_first_call", CHEESE),
    "stream": ("03_streaming", "Count from 1 to 5."),
    "embeddings": ("05_embeddings", "My laptop is slow, what should I do?"),
    # As the openai client asks for vectors, by default.
    "base64": ("05_embeddings", "My laptop is slow, what should I do?"),
    # As instructor asks for data instead of text.
    "response model": ("02_first_call", CHEESE),
    "models": ("01_keys", None),
}


def user(question):
    return [{"role": "user", "content": question}]


def run(call, *args, **options):
    """The result of an async call, from code that is not async."""

    async def wait():
        return await call(*args, **options)

    return asyncio.run(wait())


def adapt_sdk(mistral):
    """The official SDK has kept these calls since its version 1."""

    def asked(question):
        return {"model": CHAT_MODEL, "messages": user(question)}

    def streamed(question):
        with mistral.chat.stream(**asked(question)) as events:
            return "".join(event.data.choices[0].delta.content or "" for event in events)

    return {
        "chat": lambda q: mistral.chat.complete(**asked(q)).choices[0].message.content,
        "async": lambda q: run(mistral.chat.complete_async, **asked(q)).choices[0].message.content,
        "stream": streamed,
        "embeddings": lambda text: (
            mistral.embeddings.create(model=EMBED_MODEL, inputs=text).data[0].embedding
        ),
        "models": lambda _: [card.id for card in mistral.models.list().data],
    }


def adapt_mistralai_1(key):
    from mistralai import Mistral

    return adapt_sdk(Mistral(api_key=key))


def adapt_mistralai_2(key):
    from mistralai.client import Mistral

    return adapt_sdk(Mistral(api_key=key))


adapt_mistralai_3 = adapt_mistralai_2


def adapt_openai(key):
    import openai

    options = {"api_key": key, "base_url": API, "max_retries": 0}
    client, waiting = openai.OpenAI(**options), openai.AsyncOpenAI(**options)

    def asked(question):
        return {"model": CHAT_MODEL, "messages": user(question)}

    def streamed(question):
        chunks = client.chat.completions.create(**asked(question), stream=True)
        return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)

    def embedded(text, **params):
        return client.embeddings.create(model=EMBED_MODEL, input=text, **params).data[0].embedding

    return {
        "chat": lambda q: client.chat.completions.create(**asked(q)).choices[0].message.content,
        "async": lambda q: (
            run(waiting.chat.completions.create, **asked(q)).choices[0].message.content
        ),
        "stream": streamed,
        "embeddings": lambda text: embedded(text, encoding_format="float"),
        "base64": embedded,
        "models": lambda _: [card.id for card in client.models.list()],
    }


def adapt_litellm(key):
    import litellm

    litellm.suppress_debug_info = True
    options = {"model": f"mistral/{CHAT_MODEL}", "api_key": key, "num_retries": 0}

    def streamed(question):
        chunks = litellm.completion(**options, messages=user(question), stream=True)
        return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)

    return {
        "chat": lambda q: (
            litellm.completion(**options, messages=user(q)).choices[0].message.content
        ),
        "async": lambda q: (
            run(litellm.acompletion, **options, messages=user(q)).choices[0].message.content
        ),
        "stream": streamed,
        "embeddings": lambda text: litellm.embedding(
            model=f"mistral/{EMBED_MODEL}", input=[text], api_key=key
        ).data[0]["embedding"],
    }


def adapt_langchain(key):
    from langchain_mistralai import ChatMistralAI, MistralAIEmbeddings

    chat = ChatMistralAI(model=CHAT_MODEL, api_key=key, max_retries=1)
    return {
        "chat": lambda q: chat.invoke(q).content,
        "async": lambda q: run(chat.ainvoke, q).content,
        "stream": lambda q: "".join(piece.content for piece in chat.stream(q)),
        "embeddings": MistralAIEmbeddings(model=EMBED_MODEL, api_key=key).embed_query,
    }


def adapt_pydantic_ai(key):
    from pydantic_ai import Agent
    from pydantic_ai.models.mistral import MistralModel
    from pydantic_ai.providers.mistral import MistralProvider

    agent = Agent(MistralModel(CHAT_MODEL, provider=MistralProvider(api_key=key)))

    async def streamed(question):
        async with agent.run_stream(question) as answer:
            return await answer.get_output()

    return {
        "chat": lambda q: agent.run_sync(q).output,
        "async": lambda q: run(agent.run, q).output,
        "stream": lambda q: run(streamed, q),
    }


def adapt_haystack(key):
    from haystack.dataclasses import ChatMessage
    from haystack.utils import Secret
    from haystack_integrations.components.embedders.mistral import MistralTextEmbedder
    from haystack_integrations.components.generators.mistral import MistralChatGenerator

    options = {"api_key": Secret.from_token(key), "max_retries": 0}
    chat = MistralChatGenerator(model=CHAT_MODEL, **options)

    def streamed(question):
        pieces = []
        ask = [ChatMessage.from_user(question)]
        chat.run(ask, streaming_callback=lambda chunk: pieces.append(chunk.content))
        return "".join(pieces)

    return {
        "chat": lambda q: chat.run([ChatMessage.from_user(q)])["replies"][0].text,
        "async": lambda q: run(chat.run_async, [ChatMessage.from_user(q)])["replies"][0].text,
        "stream": streamed,
        "embeddings": lambda text: MistralTextEmbedder(**options).run(text)["embedding"],
    }


def adapt_llama_index(key):
    from llama_index.core.llms import ChatMessage
    from llama_index.embeddings.mistralai import MistralAIEmbedding
    from llama_index.llms.mistralai import MistralAI

    chat = MistralAI(model=CHAT_MODEL, api_key=key, max_retries=0)

    def ask(question):
        return [ChatMessage(role="user", content=question)]

    return {
        "chat": lambda q: chat.chat(ask(q)).message.content,
        "async": lambda q: run(chat.achat, ask(q)).message.content,
        "stream": lambda q: "".join(piece.delta for piece in chat.stream_chat(ask(q))),
        "embeddings": MistralAIEmbedding(EMBED_MODEL, api_key=key).get_query_embedding,
    }


def adapt_llm(key):
    import llm

    model = llm.get_model(f"mistral/{CHAT_MODEL}")
    waiting = llm.get_async_model(f"mistral/{CHAT_MODEL}")
    embedder = llm.get_embedding_model("mistral-embed")
    embedder.key = key

    async def awaited(question):
        return await waiting.prompt(question, key=key, stream=False).text()

    return {
        "chat": lambda q: model.prompt(q, key=key, stream=False).text(),
        "async": lambda q: run(awaited, q),
        "stream": lambda q: "".join(model.prompt(q, key=key)),
        "embeddings": embedder.embed,
    }


def adapt_instructor(key):
    import instructor
    import pydantic

    class Cheese(pydantic.BaseModel):
        name: str

    client = instructor.from_provider(f"mistral/{CHAT_MODEL}", api_key=key)
    waiting = instructor.from_provider(f"mistral/{CHAT_MODEL}", async_client=True, api_key=key)
    plain = {"response_model": None}

    return {
        "chat": lambda q: client.create(messages=user(q), **plain).choices[0].message.content,
        "async": lambda q: (
            run(waiting.create, messages=user(q), **plain).choices[0].message.content
        ),
        "response model": lambda q: (
            client.create(messages=user(q), response_model=Cheese, max_retries=1).name
        ),
    }


def adapt_smolagents(key):
    from smolagents import OpenAIModel

    model = OpenAIModel(CHAT_MODEL, api_base=API, api_key=key, client_kwargs={"max_retries": 0})
    return {
        "chat": lambda q: model(user(q)).content,
        "stream": lambda q: "".join(p.content or "" for p in model.generate_stream(user(q))),
    }


ADAPTERS = {
    name.removeprefix("adapt_"): adapt
    for name, adapt in globals().items()
    if name.startswith("adapt_") and name != "adapt_sdk"
}

# A key as long as a real one, for those who check; no recording was made with it.
WRONG_KEY = "wrong" * 6 + "ok"
# What texts of exceptions hold, and what that means.
WORDS = {"No recording answers": "miss", "401": "401", "Unauthorized": "401", "422": "422"}


def reference(way):
    """What the helpers get for a question: every client must get the same."""
    lesson, question = QUESTIONS[way]
    os.environ["MISTRAL_STRICT"] = "1"
    helpers.start(lesson)
    if way == "models":
        response = httpx.get(f"{API}/models", headers={"Authorization": f"Bearer {PLACEHOLDER}"})
        return [card["id"] for card in response.json()["data"]]
    if lesson == "05_embeddings":
        return helpers.embed(question)[0].tolist()
    return "".join(helpers.stream(question)) if way == "stream" else helpers.chat(question).text


def listen_to_requests():
    """The bodies of all requests from now on, in the form in which replay compares them."""
    bodies, find = [], Recordings.find

    def noted(recordings, request):
        bodies.append(plain_body(request["body"]) or {})
        return find(recordings, request)

    Recordings.find = noted
    return bodies


def try_way(way, ask, bodies):
    """Who answers: a recording, where replay is strict, or else the offline API; and to which fields."""
    lesson, question = QUESTIONS[way]
    wanted, recorded = reference(way), bodies[-1]
    if (strict := outcome(lesson, ask, question, strict=True)) == wanted:
        return "recording"
    sent = bodies[-1]
    differing = [name for name in {*sent, *recorded} if sent.get(name) != recorded.get(name)]
    if not str(strict).startswith("miss"):
        return str(strict)
    found = outcome(lesson, ask, question, strict=False)
    who = "offline API" if found == wanted else str(found).partition(" ")[0]
    return f"{who} ({', '.join(sorted(differing))})"


def outcome(lesson, ask, question, strict):
    """The answer to a question, or what its exception is. strict: only recordings answer."""
    os.environ["MISTRAL_STRICT"] = "1" if strict else "0"
    helpers.start(lesson)
    try:
        return ask(question)
    except Exception as error:
        return describe(error)


def describe(error):
    """In what the user sees of an exception: replay's sentence, or the API's refusal; and its type."""
    causes = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) and cause not in causes:
        causes.append(cause)
    kind = type(error).__name__
    for word, name in WORDS.items():
        if word in str(error):
            return f"{name} in {kind}"
        if any(word in str(cause) for cause in causes):
            return f"{name} behind {kind}"
    return f"{kind}: {str(error)[:200]}"


def main(name):
    # Two clients would ask other hosts first: for prices, and for a tokenizer.
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    os.environ["HF_HUB_OFFLINE"] = "1"
    bodies = listen_to_requests()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
        os.environ["LLM_USER_PATH"] = folder
        helpers.start("02_first_call")
        ways = ADAPTERS[name](PLACEHOLDER)
        found = {way: try_way(way, ask, bodies) for way, ask in ways.items()}
        changed = f"{CHEESE} Only its name."
        found["changed request"] = outcome("02_first_call", ways["chat"], changed, strict=False)
        wrong = ADAPTERS[name](WRONG_KEY)["chat"]
        found["wrong key"] = outcome("01_keys", wrong, "Hello", strict=False)
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
