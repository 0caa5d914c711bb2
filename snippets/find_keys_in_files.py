# Find keys in files.
# From notebooks/01_keys.ipynb, section “How keys leak”.
# It reads your key from the environment variable MISTRAL_API_KEY.

import os
import re
from pathlib import Path

AFTER_NAME = re.compile(r"mistral.{0,80}?\b([a-z0-9]{32})\b", re.IGNORECASE | re.DOTALL)
AFTER_BEARER = re.compile(r"\bBearer\s+([\w-]{20,})")


def find_keys(file: Path, own: str) -> list[str]:
    """The end of your own key, and of each text that looks like a key, in a file of any kind."""
    # Bytes that are no text become question marks, so pictures don't stop the scan.
    text = file.read_text(encoding="utf-8", errors="replace")
    found = {*AFTER_NAME.findall(text), *AFTER_BEARER.findall(text)}
    found |= {own} if own and own in text else set()
    return ["…" + key[-4:] for key in sorted(found)]


for file in sorted(filter(Path.is_file, Path().glob("*.py"))):  # or "*.ipynb"
    print(file.name, find_keys(file, os.environ.get("MISTRAL_API_KEY", "")))
