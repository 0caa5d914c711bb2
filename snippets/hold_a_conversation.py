# Hold a conversation.
# From notebooks/02_first_call.ipynb, section “Hold a conversation”.
# Needs: pip install httpx
# It reads your key from the environment variable MISTRAL_API_KEY.

import os

import httpx


def ask(messages: list[dict]) -> dict:
    """The API's answer to a conversation."""
    response = httpx.post(
        "https://api.mistral.ai/v1/chat/completions",
        headers={"Authorization": f"Bearer {os.environ['MISTRAL_API_KEY']}"},
        json={"model": "mistral-small-latest", "messages": messages},
        timeout=60,
    )
    response.raise_for_status()
    return response.json()


conversation = [{"role": "user", "content": "What is the best French cheese?"}]
first = ask(conversation)
print(first["choices"][0]["message"]["content"])

conversation.append(first["choices"][0]["message"])
conversation.append({"role": "user", "content": "Which of the two melts better?"})
second = ask(conversation)
print(second["choices"][0]["message"]["content"])
