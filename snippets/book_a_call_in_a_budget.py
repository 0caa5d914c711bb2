# Book a call in a budget.
# From notebooks/13_deploy.ipynb, section “A day”.
# Needs: pip install httpx
# It reads your key from the environment variable MISTRAL_API_KEY.
# Send no call whose booking, with all that is booked and spent, is more than your budget.

import os

import httpx

text, most = "What is a reverse proxy?", 800
booked = len(text.encode()) * 0.15 + most * 0.60  # millionths of a dollar
message = {"role": "user", "content": text}
response = httpx.post(
    "https://api.mistral.ai/v1/chat/completions",
    headers={"Authorization": f"Bearer {os.environ['MISTRAL_API_KEY']}"},
    json={"model": "mistral-small-latest", "messages": [message], "max_tokens": most},
    timeout=60,
)
response.raise_for_status()
usage = response.json()["usage"]
spent = usage["prompt_tokens"] * 0.15 + usage["completion_tokens"] * 0.60
print(f"booked {booked:.0f}, spent {spent:.0f} millionths of a dollar")
