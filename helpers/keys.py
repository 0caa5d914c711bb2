"""The API key: where it comes from, where it may go, and how it stays out of sight."""

from __future__ import annotations

import base64
import functools
import os
import re
from pathlib import Path
from typing import Any

VARIABLE = "MISTRAL_API_KEY"
PLACEHOLDER = "no-key-needed-for-replay"
# Shorter strings could also be ordinary words.
SHORTEST_KEY = 8


class MissingKey(RuntimeError):
    """There is no usable API key in the environment."""


def api_key() -> str:
    """The key in the environment variable MISTRAL_API_KEY, without whitespace around it.

    Raises `MissingKey` when it is missing or contains a character that no header may: httpx
    would quote the whole header, and so the key, in its own error.
    """
    if problem := _problem(os.environ.get(VARIABLE, "").strip()):
        # This frame has no variable that holds the key: some tracebacks print variables.
        raise MissingKey(problem)
    return os.environ[VARIABLE].strip()


def _problem(key: str) -> str | None:
    if not key:
        return (
            f"Set the environment variable {VARIABLE} to your key: see lesson 01. "
            "Without one, start the lesson in replay mode."
        )
    if not (key.isascii() and key.isprintable()) or " " in key:
        return f"{VARIABLE} contains characters that no key has: copy it again."
    return None


def is_mistral(host: str) -> bool:
    """Whether the host is Mistral's (api.mistral.ai or a regional one)."""
    name = host.rstrip(".").lower()
    return name == "mistral.ai" or name.endswith(".mistral.ai")


def find_key(env_file: Path) -> None:
    """Load the key from a `.env` file unless the environment has one. Raises `MissingKey`."""
    # An earlier replay may have left its placeholder.
    if os.environ.get(VARIABLE, "").strip() in ("", PLACEHOLDER):
        os.environ.pop(VARIABLE, None)
    if VARIABLE not in os.environ and (key := read_env(env_file).get(VARIABLE)):
        os.environ[VARIABLE] = key
    api_key()


def read_env(env_file: Path) -> dict[str, str | None]:
    """The variables in a `.env` file, if it exists. Raises `MissingKey` if it is not UTF-8."""
    if not env_file.exists():
        return {}
    # Only who has such a file needs the package.
    import dotenv

    try:
        return dotenv.dotenv_values(env_file)
    except UnicodeDecodeError:
        raise MissingKey(f"{env_file.name} is not UTF-8 text: save it as UTF-8.") from None


def hide(text: str, authorization: str = "") -> str:
    """Replace the environment's key, and that of an Authorization header, with "[key]"."""
    for key in _keys(authorization):
        text = _forms(key).sub("[key]", text)
        # A truncated text may end with the beginning of a key.
        for length in range(len(key) - 1, SHORTEST_KEY - 1, -1):
            if text.endswith(key[:length]):
                text = text[:-length] + "[key]"
                break
    return text


def hide_all(value: Any, authorization: str = "") -> Any:
    """Apply `hide` to every string and every key of a JSON value."""
    if isinstance(value, str):
        return hide(value, authorization)
    if isinstance(value, list):
        return [hide_all(item, authorization) for item in value]
    if isinstance(value, dict):
        return {
            hide(name, authorization): hide_all(item, authorization) for name, item in value.items()
        }
    return value


def _keys(authorization: str) -> list[str]:
    keys = (os.environ.get(VARIABLE, "").strip(), authorization.rpartition(" ")[2].strip())
    return [key for key in dict.fromkeys(keys) if len(key) >= SHORTEST_KEY and key != PLACEHOLDER]


@functools.cache
def _forms(key: str) -> re.Pattern[str]:
    r"""Match a key as it is, URL-encoded, with \u escapes, and in base64 at any alignment."""
    characters = (rf"(?:{re.escape(c)}|(?i:\\u{ord(c):04x}|%{ord(c):02x}))" for c in key)
    forms = ["".join(characters)]
    for before in range(3):
        coded = base64.b64encode(b"\0" * before + key.encode()).decode().rstrip("=")
        # Only the characters that depend on the key alone.
        sure = coded[(before * 8 + 5) // 6 : (before + len(key)) * 8 // 6]
        forms += [re.escape(sure), re.escape(sure.replace("+", "-").replace("/", "_"))]
    return re.compile("|".join(forms))
