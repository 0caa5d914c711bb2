# Ask a question with httpx.
# From notebooks/02_first_call.ipynb, section “Send it with httpx”.
# Needs: pip install httpx
# It reads your key from the environment variable MISTRAL_API_KEY.

import os

import httpx

response = httpx.post(
    "https://api.mistral.ai/v1/chat/completions",
    headers={"Authorization": f"Bearer {os.environ['MISTRAL_API_KEY']}"},
    json={
        "model": "mistral-small-latest",
        "messages": [{"role": "user", "content": "What is the best French cheese?"}],
    },
    timeout=60,
)
response.raise_for_status()
answer = response.json()
print(answer["choices"][0]["message"]["content"])
