# Force the beginning of an answer.
# From notebooks/04_system_prompts_and_temperature.ipynb, section “Force the beginning”.
# Needs: pip install httpx
# It reads your key from the environment variable MISTRAL_API_KEY.

import os

import httpx

messages = [
    {"role": "user", "content": "Is my parcel's tracking number, XK 42, valid?"},
    {"role": "assistant", "content": "Dear Ms Martin,", "prefix": True},
]
response = httpx.post(
    "https://api.mistral.ai/v1/chat/completions",
    headers={"Authorization": f"Bearer {os.environ['MISTRAL_API_KEY']}"},
    json={"model": "mistral-small-latest", "messages": messages},
    timeout=60,
)
response.raise_for_status()
print(response.json()["choices"][0]["message"]["content"])
