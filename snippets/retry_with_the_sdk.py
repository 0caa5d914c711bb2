# Retry with the SDK.
# From notebooks/07_backoff_and_limits.ipynb, section “Retry with the official SDK”.
# Needs: pip install mistralai
# It reads your key from the environment variable MISTRAL_API_KEY.

import os

from mistralai.client import Mistral
from mistralai.client.utils import BackoffStrategy, RetryConfig

# The first wait, the longest, the factor, and the time after which it gives up.
# It sleeps as long as a Retry-After asks, even for an hour.
waits = BackoffStrategy(1000, 60_000, 2, 120_000)
rules = RetryConfig("backoff", waits, retry_connection_errors=True)
with Mistral(os.environ["MISTRAL_API_KEY"], retry_config=rules, timeout_ms=60_000) as sdk:
    reply = sdk.chat.complete(
        model="mistral-small-latest",
        messages=[{"role": "user", "content": "Name a fruit. One word."}],
    )
print(reply.choices[0].message.content)
