# Stream with httpx-sse.
# From notebooks/03_streaming.ipynb, section “6. A line is not a line”.
# Needs: pip install httpx httpx-sse
# It reads your key from the environment variable MISTRAL_API_KEY.

import json
import os

import httpx
from httpx_sse import EventSource

messages = [{"role": "user", "content": "Count from 1 to 5."}]
request = {"model": "mistral-small-latest", "messages": messages, "stream": True}
url = "https://api.mistral.ai/v1/chat/completions"
headers = {"Authorization": f"Bearer {os.environ['MISTRAL_API_KEY']}"}
with httpx.stream("POST", url, headers=headers, json=request, timeout=60) as response:
    response.raise_for_status()
    for event in EventSource(response).iter_sse():
        if event.data != "[DONE]":
            delta = json.loads(event.data)["choices"][0]["delta"]
            print(delta.get("content") or "", end="", flush=True)
