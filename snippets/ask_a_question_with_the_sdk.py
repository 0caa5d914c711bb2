# Ask a question with the SDK.
# From notebooks/02_first_call.ipynb, section “Send it with the official SDK”.
# Needs: pip install mistralai
# It reads your key from the environment variable MISTRAL_API_KEY.

import os

from mistralai.client import Mistral

mistral = Mistral(api_key=os.environ["MISTRAL_API_KEY"], timeout_ms=60_000)
completion = mistral.chat.complete(
    model="mistral-small-latest",
    messages=[{"role": "user", "content": "What is the best French cheese?"}],
)
print(completion.choices[0].message.content)
