# Get JSON with a schema.
# From notebooks/11_structured_output_and_tools.ipynb, section “Describe the fields with pydantic”.
# Needs: pip install httpx pydantic
# It reads your key from the environment variable MISTRAL_API_KEY.

import os
from typing import Literal

import httpx
from pydantic import BaseModel, ConfigDict


class Mood(BaseModel):
    model_config = ConfigDict(extra="forbid")

    mood: Literal["pleased", "neutral", "angry"]
    wants: str


schema = {"name": "mood", "schema": Mood.model_json_schema(), "strict": True}
response = httpx.post(
    "https://api.mistral.ai/v1/chat/completions",
    headers={"Authorization": f"Bearer {os.environ['MISTRAL_API_KEY']}"},
    json={
        "model": "mistral-small-latest",
        "messages": [{"role": "user", "content": "My lamp is broken, I want a new one! (JSON)"}],
        "response_format": {"type": "json_schema", "json_schema": schema},
    },
    timeout=60,
)
response.raise_for_status()
print(Mood.model_validate_json(response.json()["choices"][0]["message"]["content"]))
