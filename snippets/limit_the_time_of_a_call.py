# Limit the time of a call.
# From notebooks/02_first_call.ipynb, section “Limit the time”.
# Needs: pip install httpx
# It reads your key from the environment variable MISTRAL_API_KEY.

import os

import httpx

http = httpx.Client(
    base_url="https://api.mistral.ai/v1",
    headers={"Authorization": f"Bearer {os.environ['MISTRAL_API_KEY']}"},
    timeout=httpx.Timeout(60, connect=10),
)
question = {"role": "user", "content": "What is the best French cheese?"}
try:
    response = http.post(
        "/chat/completions", json={"model": "mistral-small-latest", "messages": [question]}
    )
    print(response.raise_for_status().status_code)
except httpx.TimeoutException as error:
    print("no answer in time:", type(error).__name__)
