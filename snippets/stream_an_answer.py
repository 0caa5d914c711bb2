# Stream an answer.
# From notebooks/03_streaming.ipynb, section “Read a stream by hand”.
# Needs: pip install httpx
# It reads your key from the environment variable MISTRAL_API_KEY.

import json
import os

import httpx

with httpx.stream(
    "POST",
    "https://api.mistral.ai/v1/chat/completions",
    headers={"Authorization": f"Bearer {os.environ['MISTRAL_API_KEY']}"},
    json={
        "model": "mistral-small-latest",
        "messages": [{"role": "user", "content": "Tell me a short story about a lighthouse."}],
        "stream": True,
    },
    timeout=60,
) as response:
    response.raise_for_status()
    for line in response.iter_lines():
        if line.startswith("data: {"):
            chunk = json.loads(line.removeprefix("data: "))
            print(chunk["choices"][0]["delta"].get("content") or "", end="", flush=True)
