# Stream with the SDK.
# From notebooks/03_streaming.ipynb, section “Stream with the official SDK”.
# Needs: pip install mistralai
# It reads your key from the environment variable MISTRAL_API_KEY.

import os

from mistralai.client import Mistral

mistral = Mistral(api_key=os.environ["MISTRAL_API_KEY"], timeout_ms=60_000)
with mistral.chat.stream(
    model="mistral-small-latest",
    messages=[{"role": "user", "content": "Count from 1 to 5."}],
) as events:
    for event in events:
        print(event.data.choices[0].delta.content or "", end="", flush=True)
