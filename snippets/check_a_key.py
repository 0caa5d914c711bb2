# Check a key.
# From notebooks/01_keys.ipynb, section “Check a key without showing it”.
# Needs: pip install httpx
# It reads your key from the environment variable MISTRAL_API_KEY.

import os

import httpx


def check_key(key: str) -> str:
    """Whether the API accepts a key: "valid", "refused", "empty", or another HTTP status."""
    if not key.strip():
        return "empty"
    response = httpx.get(
        "https://api.mistral.ai/v1/models",
        headers={"Authorization": f"Bearer {key.strip()}"},
        timeout=30,
    )
    return {200: "valid", 401: "refused"}.get(response.status_code, f"HTTP {response.status_code}")


print(check_key(os.environ["MISTRAL_API_KEY"]))
