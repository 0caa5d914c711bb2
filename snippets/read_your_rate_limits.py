# Read your rate limits.
# From notebooks/06_errors.ipynb, section “Read your limits from an answer”.
# Needs: pip install httpx
# It reads your key from the environment variable MISTRAL_API_KEY.

import os

import httpx

response = httpx.post(
    "https://api.mistral.ai/v1/chat/completions",
    headers={"Authorization": f"Bearer {os.environ['MISTRAL_API_KEY']}"},
    json={
        "model": "mistral-small-latest",
        "messages": [{"role": "user", "content": "Name a fruit. One word."}],
    },
    timeout=60,
)
response.raise_for_status()
limits = {name: n for name, n in response.headers.items() if name.startswith("x-ratelimit-")}
for name, value in limits.items():
    print(f"{name}: {value}")
if "json" in response.headers["content-type"]:  # not a stream
    print("total_tokens:", response.json()["usage"]["total_tokens"])
