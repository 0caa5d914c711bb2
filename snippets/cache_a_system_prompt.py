# Cache a system prompt.
# From notebooks/09_cost_comparison.ipynb, section “Share what is the same”.
# Needs: pip install httpx
# It reads your key from the environment variable MISTRAL_API_KEY.

import os

import httpx

PROMPT = """Label the customer's message with one of these words, and say nothing else.
booking: reserve, change or cancel. rental: help with a rented bicycle.
payment: a bill, a deposit or a refund. repair: work on the customer's own bicycle.
parts: buy, order or return a part. warranty: something we repaired or sold that does not hold."""
for text in ("Is the tandem free on Sunday?", "The brake you fitted last week squeals again."):
    response = httpx.post(
        "https://api.mistral.ai/v1/chat/completions",
        headers={"Authorization": f"Bearer {os.environ['MISTRAL_API_KEY']}"},
        json={
            "model": "mistral-small-latest",
            "messages": [{"role": "system", "content": PROMPT}, {"role": "user", "content": text}],
            "max_tokens": 5,
            "prompt_cache_key": "labels-v1",
        },
        timeout=60,
    )
    response.raise_for_status()
    usage = response.json()["usage"]
    print(usage["prompt_tokens_details"]["cached_tokens"], "of", usage["prompt_tokens"], "cached")
