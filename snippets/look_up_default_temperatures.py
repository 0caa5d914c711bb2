# Look up default temperatures.
# From notebooks/04_system_prompts_and_temperature.ipynb, section “Look up the default”.
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
for card in response.json()["data"]:
    if card["id"].endswith("-latest"):
        print(f"{card['id']:22} {card['default_model_temperature']}")
