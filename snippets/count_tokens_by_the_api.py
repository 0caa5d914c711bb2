# Count tokens by the API.
# From notebooks/09_cost_comparison.ipynb, section “Let the API count”.
# Needs: pip install httpx
# It reads your key from the environment variable MISTRAL_API_KEY.

import os

import httpx

response = httpx.post(
    "https://api.mistral.ai/v1/responses/input_tokens",
    headers={"Authorization": f"Bearer {os.environ['MISTRAL_API_KEY']}"},
    json={"model": "mistral-small-latest", "input": "When must I bring the bicycle back?"},
    timeout=60,
)
print(response.raise_for_status().json()["input_tokens"], "tokens")
