# Handle errors of API and network.
# From notebooks/06_errors.ipynb, section “When no answer comes”.
# Needs: pip install httpx
# It reads your key from the environment variable MISTRAL_API_KEY.

import os

import httpx

try:
    response = httpx.post(
        "https://api.mistral.ai/v1/chat/completions",
        headers={"Authorization": f"Bearer {os.environ['MISTRAL_API_KEY']}"},
        json={"model": "open-mixtral-8x7b", "messages": [{"role": "user", "content": "Hello"}]},
        timeout=60,
    )
    response.raise_for_status()
except httpx.HTTPStatusError as error:
    print("refused:", error.response.status_code, error.response.text)
except httpx.TransportError as error:
    print("no answer:", type(error).__name__)
