# Parse answers with the SDK.
# From notebooks/11_structured_output_and_tools.ipynb, section “The same with the official SDK”.
# Needs: pip install mistralai pydantic
# It reads your key from the environment variable MISTRAL_API_KEY.

import os
from typing import Literal

from mistralai.client import Mistral
from pydantic import BaseModel


class Mood(BaseModel):
    mood: Literal["pleased", "neutral", "angry"]
    wants: str


mistral = Mistral(api_key=os.environ["MISTRAL_API_KEY"], timeout_ms=60_000)
completion = mistral.chat.parse(
    model="mistral-small-latest",
    messages=[{"role": "user", "content": "My lamp is broken, I want a new one! (JSON)"}],
    response_format=Mood,
)
print(repr(completion.choices[0].message.parsed))
