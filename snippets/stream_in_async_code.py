# Stream in async code.
# From notebooks/03_streaming.ipynb, section “Stream in async code”.
# Needs: pip install httpx
# It reads your key from the environment variable MISTRAL_API_KEY.

import asyncio
import json
import os

import httpx


async def ask(client: httpx.AsyncClient, question: str) -> str:
    """The streamed answer to one question, put together."""
    text = ""
    message = {"role": "user", "content": question}
    body = {"model": "mistral-small-latest", "messages": [message], "stream": True}
    async with client.stream("POST", "/chat/completions", json=body) as response:
        response.raise_for_status()
        async for line in response.aiter_lines():
            if line.startswith("data: {"):
                chunk = json.loads(line.removeprefix("data: "))
                text += chunk["choices"][0]["delta"].get("content") or ""
    return text


async def ask_all(*questions: str) -> list[str]:
    """The answers to several questions, streamed at the same time."""
    async with httpx.AsyncClient(
        base_url="https://api.mistral.ai/v1",
        headers={"Authorization": f"Bearer {os.environ['MISTRAL_API_KEY']}"},
        timeout=60,
    ) as client:
        return await asyncio.gather(*(ask(client, question) for question in questions))


print(asyncio.run(ask_all("Name a colour. One word.", "Name a fruit. One word.")))
