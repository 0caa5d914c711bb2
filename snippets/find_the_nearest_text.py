# Find the nearest text.
# From notebooks/05_embeddings.ipynb, section “Find the nearest sentence”.
# Needs: pip install httpx numpy
# It reads your key from the environment variable MISTRAL_API_KEY.

import os

import httpx
import numpy as np

QUESTION = "My laptop is slow, what should I do?"
PASSAGES = [
    "My grandmother fries the onions in butter.",
    "The new update makes the program run faster.",
]

answered = httpx.post(
    "https://api.mistral.ai/v1/embeddings",
    headers={"Authorization": f"Bearer {os.environ['MISTRAL_API_KEY']}"},
    json={"model": "mistral-embed", "input": [QUESTION, *PASSAGES]},
    timeout=60,
)
answered.raise_for_status()
asked, *passages = np.array([row["embedding"] for row in answered.json()["data"]])
products = np.array(passages) @ asked
print(PASSAGES[products.argmax()], f"{products.max():.2f}")
