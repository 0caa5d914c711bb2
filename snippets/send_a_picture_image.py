# Send a picture (image).
# From notebooks/11_structured_output_and_tools.ipynb, section “Send a picture”.
# Needs: pip install httpx
# It reads your key from the environment variable MISTRAL_API_KEY.
# Call it with a file: print(ask_about(open("photo.png", "rb").read(), "What is in this picture?"))

import base64
import os

import httpx


def ask_about(picture: bytes, question: str) -> dict:
    """The API's answer to a question about a PNG picture."""
    address = "data:image/png;base64," + base64.b64encode(picture).decode()
    parts = [{"type": "text", "text": question}, {"type": "image_url", "image_url": address}]
    response = httpx.post(
        "https://api.mistral.ai/v1/chat/completions",
        headers={"Authorization": f"Bearer {os.environ['MISTRAL_API_KEY']}"},
        json={
            "model": "mistral-large-latest",
            "messages": [{"role": "user", "content": parts}],
        },
        timeout=60,
    )
    response.raise_for_status()
    return response.json()
