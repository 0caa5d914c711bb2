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
    response = httpx.post(
        "https://api.mistral.ai/v1/chat/completions",
        headers={"Authorization": f"Bearer {os.environ['MISTRAL_API_KEY']}"},
        json={
            "model": "mistral-small-latest",
            "messages": messages,
            "tools": [{"type": "function", "function": WEEKDAY}],
        },
        timeout=60,
    )
    response.raise_for_status()
    return response.json()["choices"][0]["message"]


conversation = [{"role": "user", "content": "Which weekday is 2026-12-24?"}]
conversation.append(ask(conversation))
for wanted in conversation[-1]["tool_calls"] or []:
    day = datetime.date.fromisoformat(json.loads(wanted["function"]["arguments"])["date"])
    conversation.append({"role": "tool", "tool_call_id": wanted["id"], "content": f"{day:%A}"})
print(ask(conversation)["content"])
