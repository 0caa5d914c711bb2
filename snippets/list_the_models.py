# List the models.
# From notebooks/01_keys.ipynb, section “Check a key without showing it”.
# Needs: pip install httpx
# It reads your key from the environment variable MISTRAL_API_KEY.

import os

import httpx

response = httpx.get(
    "https://api.mistral.ai/v1/models",
    headers={"Authorization": f"Bearer {os.environ['MISTRAL_API_KEY']}"},
    timeout=30,
)
response.raise_for_status()
cards = response.json()["data"]
print(response.status_code, "with", len(cards), "names")
