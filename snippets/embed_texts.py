# Embed texts.
# From notebooks/05_embeddings.ipynb, section “Ask for four vectors”.
# Needs: pip install httpx
# It reads your key from the environment variable MISTRAL_API_KEY.

import os

import httpx

BANK = [
    "The bank raised its rates.",
    "We sat on the bank of the river.",
    "Loans are more expensive now.",
    "We had a picnic beside the water.",
]
response = httpx.post(
    "https://api.mistral.ai/v1/embeddings",
    headers={"Authorization": f"Bearer {os.environ['MISTRAL_API_KEY']}"},
    json={"model": "mistral-embed", "input": BANK},
    timeout=60,
)
response.raise_for_status()
embedded = {}
for text, row in zip(BANK, response.json()["data"], strict=True):
    embedded[text] = row["embedding"]
    print(row["index"], len(row["embedding"]), row["embedding"][:3])
