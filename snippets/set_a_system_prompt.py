# Set a system prompt.
# From notebooks/04_system_prompts_and_temperature.ipynb, section “One question, with and without a system prompt”.
# Needs: pip install httpx
# It reads your key from the environment variable MISTRAL_API_KEY.

import os
import textwrap

import httpx


def ask(question: str, system: str = "") -> str:
    """The answer to a question, with or without a system prompt."""
    messages = [{"role": "system", "content": system}] if system else []
    response = httpx.post(
        "https://api.mistral.ai/v1/chat/completions",
        headers={"Authorization": f"Bearer {os.environ['MISTRAL_API_KEY']}"},
        json={
            "model": "mistral-small-latest",
            "messages": [*messages, {"role": "user", "content": question}],
        },
        timeout=60,
    )
    response.raise_for_status()
    return response.json()["choices"][0]["message"]["content"]


print(textwrap.fill(ask("My parcel is three days late. What can I do?"), 100))
