# Embed many texts.
# From notebooks/12_many_calls.ipynb, section “Embed a corpus”.
# Needs: pip install httpx "mistral-common[sentencepiece]"
# It reads your key from the environment variable MISTRAL_API_KEY.

import os

import httpx
from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

TEXTS = ["Simmer the soup on low heat for an hour.", "The bank raised its rates."]
encode = MistralTokenizer.v1().instruct_tokenizer.tokenizer.encode
batches, room = [], 0
for text in TEXTS:
    tokens = len(encode(text, bos=False, eos=False)) + 2
    if tokens > room or len(batches[-1]) == 128:
        batches.append([])
        room = 16_000
    batches[-1].append(text)
    room -= tokens
vectors = []
with httpx.Client(base_url="https://api.mistral.ai/v1", timeout=60) as http:
    http.headers["Authorization"] = f"Bearer {os.environ['MISTRAL_API_KEY']}"
    for batch_of_texts in batches:
        body = {"model": "mistral-embed", "input": batch_of_texts}
        rows = http.post("/embeddings", json=body).raise_for_status().json()["data"]
        vectors += [row["embedding"] for row in sorted(rows, key=lambda row: row["index"])]
print(f"{len(vectors)} vectors, {len(vectors[0])} dimensions, requests: {len(batches)}")
