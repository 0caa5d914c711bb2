# Ask for the key.
# From notebooks/01_keys.ipynb, section “From a prompt”.
# It reads your key from the environment variable MISTRAL_API_KEY.
# Running it prints nothing where there is a key: it is the start of a program.

import os
from getpass import getpass

if not os.environ.get("MISTRAL_API_KEY"):
    os.environ["MISTRAL_API_KEY"] = getpass("Mistral API key: ")
