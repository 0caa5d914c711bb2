# Stay within a budget.
# From notebooks/13_deploy.ipynb, section “A day”.
# Needs: pip install httpx
# It reads your key from the environment variable MISTRAL_API_KEY.

import os

import httpx

LIMIT, spent, most = 500, 0, 800  # millionths of a dollar; most: tokens of an answer
for text in ("What is a reverse proxy?", "What is a container?"):
    booked = (len(text.encode()) + 50) * 0.15 + most * 0.60  # mistral-small-latest, 2026-08-21
    if spent + booked > LIMIT:
        print(f"not sent: {text} It may cost {booked:.0f}, and {spent:.0f} of {LIMIT} is spent.")
        continue
    body = {"model": "mistral-small-latest", "messages": [{"role": "user", "content": text}]}
    response = httpx.post(
        "https://api.mistral.ai/v1/chat/completions",
        headers={"Authorization": f"Bearer {os.environ['MISTRAL_API_KEY']}"},
        json={**body, "max_tokens": most},
        timeout=60,
    )
    usage = response.raise_for_status().json()["usage"]
    spent += usage["prompt_tokens"] * 0.15 + usage["completion_tokens"] * 0.60
    print(f"answered: {text} {booked:.0f} booked, {spent:.0f} spent")
