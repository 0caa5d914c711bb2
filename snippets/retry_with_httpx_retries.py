# Retry with httpx-retries.
# From notebooks/07_backoff_and_limits.ipynb, section “Or take a library”.
# Needs: pip install httpx httpx-retries
# It reads your key from the environment variable MISTRAL_API_KEY.

import os

import httpx
from httpx_retries import Retry, RetryTransport

statuses = [429, 500, 502, 503, 504, 520]
rules = Retry(total=5, allowed_methods=["POST"], status_forcelist=statuses, backoff_factor=0.5)
with httpx.Client(transport=RetryTransport(retry=rules), timeout=60) as client:
    question = {"role": "user", "content": "Name a fruit. One word."}
    response = client.post(
        "https://api.mistral.ai/v1/chat/completions",
        headers={"Authorization": f"Bearer {os.environ['MISTRAL_API_KEY']}"},
        json={"model": "mistral-small-latest", "messages": [question]},
    )
print(response.raise_for_status().json()["choices"][0]["message"]["content"])
