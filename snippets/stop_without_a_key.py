# Stop without a key.
# From notebooks/01_keys.ipynb, section “When there is no key”.
# It reads your key from the environment variable MISTRAL_API_KEY.
# Running it prints nothing where there is a key: it is the start of a program.

import os
import sys

if not os.environ.get("MISTRAL_API_KEY"):
    sys.exit("Set MISTRAL_API_KEY to your key. You make one at https://console.mistral.ai.")
