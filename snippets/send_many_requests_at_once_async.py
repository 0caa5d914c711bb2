# Send many requests at once (async).
# From notebooks/12_many_calls.ipynb, section “All seven in one picture”.
# Needs: pip install anyio httpx
# It reads your key from the environment variable MISTRAL_API_KEY.

import asyncio
import os
import random

import httpx
from anyio.from_thread import start_blocking_portal

questions = [f"What is {number} * 12? Just the number." for number in range(1, 9)]


async def ask_later(client, place, question, per_minute=1_200):
    await asyncio.sleep(60 / per_minute * place)
    body = {"model": "mistral-small-latest", "messages": [{"role": "user", "content": question}]}
    for attempt in range(6):
        response = await client.post("/chat/completions", json=body)
        if response.status_code not in (429, 500, 502, 503, 504, 520):
            break
        await asyncio.sleep(random.uniform(0, min(60, 2**attempt)))
    return response.raise_for_status().json()["choices"][0]["message"]["content"]


async def main():
    async with httpx.AsyncClient(base_url="https://api.mistral.ai/v1", timeout=60) as client:
        client.headers["Authorization"] = f"Bearer {os.environ['MISTRAL_API_KEY']}"
        calls = [ask_later(client, *each) for each in enumerate(questions)]
        return await asyncio.gather(*calls, return_exceptions=True)


with start_blocking_portal() as portal:
    print(portal.call(main))
