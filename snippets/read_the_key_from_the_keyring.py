# Read the key from the keyring.
# From notebooks/01_keys.ipynb, section “From your system's keyring”.
# Needs: pip install keyring
# It reads your key from the environment variable MISTRAL_API_KEY.

import os

import keyring
from keyring.errors import KeyringError

try:
    stored = keyring.get_password("mistral", "api-key")
except KeyringError:
    # Most servers have no keyring.
    stored = None
if stored:
    os.environ["MISTRAL_API_KEY"] = stored
print("in the keyring:", "yes" if stored else "no")
