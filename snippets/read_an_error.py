# Read an error.
# From notebooks/06_errors.ipynb, section “Look at one whole error”.
# Needs: pip install httpx
# It reads your key from the environment variable MISTRAL_API_KEY.

import os

import httpx

response = httpx.post(
    "https://api.mistral.ai/v1/chat/completions",
    headers={"Authorization": f"Bearer {os.environ['MISTRAL_API_KEY']}"},
    json={"model": "open-mixtral-8x7b", "messages": [{"role": "user", "content": "Hello"}]},
    timeout=60,
)
print(response.status_code, response.reason_phrase)
print(response.headers.get("mistral-correlation-id"))
print(response.text)
