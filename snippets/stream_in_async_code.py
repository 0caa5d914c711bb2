# Stream in async code.
# From notebooks/03_streaming.ipynb, section “Stream in async code”.
# Needs: pip install httpx
# Running it prints nothing: it defines ask, for you to call.

import json

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
