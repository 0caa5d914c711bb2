# Let the model call a tool.
# From notebooks/11_structured_output_and_tools.ipynb, section “Call a tool by hand”.
# Needs: pip install httpx
# It reads your key from the environment variable MISTRAL_API_KEY.

import datetime
import json
import os

import httpx

DATE = {"type": "string", "format": "date"}
SCHEMA = {"type": "object", "properties": {"date": DATE}, "required": ["date"]}
WEEKDAY = {"name": "weekday", "description": "The weekday of a date.", "parameters": SCHEMA}


def ask(messages: list[dict]) -> dict:
    body = {"model": "mistral-small-latest", "messages": messages}
    response = httpx.post(
        "https://api.mistral.ai/v1/chat/completions",
        headers={"Authorization": f"Bearer {os.environ['MISTRAL_API_KEY']}"},
        json={**body, "tools": [{"type": "function", "function": WEEKDAY}]},
        timeout=60,
    )
    return response.raise_for_status().json()["choices"][0]["message"]


chat = [{"role": "user", "content": "Which weekday is 2026-12-24?"}]
chat.append(ask(chat))
if calls := chat[-1].get("tool_calls"):
    for wanted in calls:
        try:
            date = json.loads(wanted["function"]["arguments"])["date"]
            content = f"{datetime.date.fromisoformat(date):%A}"
        except (KeyError, TypeError, ValueError) as error:
            content = f"error: {error!r}"  # which the model can read
        chat.append({"role": "tool", "tool_call_id": wanted["id"], "content": content})
    chat.append(ask(chat))
print(chat[-1]["content"])
