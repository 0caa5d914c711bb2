# Retry with backoff and jitter.
# From notebooks/07_backoff_and_limits.ipynb, section “Build it yourself”.
# Needs: pip install httpx
# It reads your key from the environment variable MISTRAL_API_KEY.

import os
import random
import time

import httpx

PASSES = {429, 500, 502, 503, 504, 520}
NETWORK = (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError)


def post(client: httpx.Client, body: dict, attempts=6, longest=60) -> httpx.Response:
    """POST, and again after a growing random wait, as long as the failure is one that passes."""
    for attempt in range(1, attempts + 1):
        asked = "0"
        try:
            response = client.post("https://api.mistral.ai/v1/chat/completions", json=body)
            asked = response.headers.get("retry-after", "0")
            never = response.headers.get("x-ratelimit-limit-req-minute") == "0"
            if response.status_code not in PASSES or never or attempt == attempts:
                return response.raise_for_status()
        except NETWORK:
            if attempt == attempts:
                raise
        pause = float(asked) if asked.isdigit() else 0
        if pause > longest:
            return response.raise_for_status()
        time.sleep(min(longest, pause + random.uniform(0, 2 ** (attempt - 1))))


fruit = {"role": "user", "content": "Name a fruit. One word."}
body = {"model": "mistral-small-latest", "messages": [fruit]}
headers = {"Authorization": f"Bearer {os.environ['MISTRAL_API_KEY']}"}
with httpx.Client(headers=headers, timeout=60) as client:
    print(post(client, body).json()["choices"][0]["message"]["content"])
