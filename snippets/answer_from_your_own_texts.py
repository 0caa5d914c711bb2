# Answer from your own texts.
# From notebooks/10_semantic_search.ipynb, section “The whole way in one cell”.
# Needs: pip install httpx numpy
# It reads your key from the environment variable MISTRAL_API_KEY.

import os

import httpx
import numpy as np

TEXTS = ["A city bike costs 17 euros a day.", "A helmet is free of charge.", "We open at nine."]
QUESTION = "How much is a city bike for a day?"
http = httpx.Client(
    base_url="https://api.mistral.ai/v1",
    headers={"Authorization": f"Bearer {os.environ['MISTRAL_API_KEY']}"},
    timeout=60,
)


def post(path: str, **body) -> dict:
    """The JSON answer to a request; an error of httpx if the API refuses."""
    return http.post(path, json=body).raise_for_status().json()


rows = post("/embeddings", model="mistral-embed", input=[QUESTION, *TEXTS])["data"]
asked, *embedded = np.array([row["embedding"] for row in rows])
two = np.argsort(np.array(embedded) @ asked)[::-1][:2]
rules = "Answer from these sources only, and cite them like [0]:\n"
chat = [
    {"role": "system", "content": rules + "\n".join(f"[{i}] {TEXTS[i]}" for i in two)},
    {"role": "user", "content": QUESTION},
]
answered = post("/chat/completions", model="mistral-small-latest", messages=chat, temperature=0)
print(answered["choices"][0]["message"]["content"])
