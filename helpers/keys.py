"""The API key: where it comes from, where it may go, and how it stays out of sight."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

import dotenv

VARIABLE = "MISTRAL_API_KEY"
PLACEHOLDER = "no-key-needed-for-replay"


class MissingKey(RuntimeError):
    """There is no usable API key in the environment."""


def api_key() -> str:
    """The key in the environment variable MISTRAL_API_KEY, without white space around it.

    Raises `MissingKey` when there is none, or when it holds what no header may: httpx would
    name the whole header, and so the key, in its own error.
    """
    if fault := _fault(os.environ.get(VARIABLE, "").strip()):
        raise MissingKey(fault)  # from a frame without the key, for tracebacks that print variables
    return os.environ[VARIABLE].strip()


def _fault(key: str) -> str | None:
    if not key:
        return f"Set the environment variable {VARIABLE} to your key: see lesson 01."
    if not (key.isascii() and key.isprintable()) or " " in key:
        return f"{VARIABLE} holds characters that no key has: copy it once more."
    return None


def is_mistral(host: str) -> bool:
    """Whether this is a host of Mistral's (api.mistral.ai or a regional one)."""
    return host == "mistral.ai" or host.endswith(".mistral.ai")


def find_key(env_file: Path) -> None:
    """Take the key from a `.env` file, unless the environment has one. Raises `MissingKey`."""
    if os.environ.get(VARIABLE, "").strip() in ("", PLACEHOLDER):  # or one of an earlier replay
        os.environ.pop(VARIABLE, None)
    try:
        dotenv.load_dotenv(env_file)
    except UnicodeDecodeError:
        raise MissingKey(f"{env_file.name} is not UTF-8 text: save it as UTF-8.") from None
    api_key()


def hide(text: str, authorization: str = "") -> str:
    """The text without the key of the environment and without that of an Authorization header."""
    for key in (os.environ.get(VARIABLE, "").strip(), authorization.rpartition(" ")[2].strip()):
        if len(key) >= 8 and key != PLACEHOLDER:  # shorter ones would hit ordinary words
            text = text.replace(key, "[key]").replace(quote(key, safe=""), "[key]")
    return text


def hide_all(value: Any, authorization: str) -> Any:
    """The same JSON with `hide` applied to each of its texts."""
    if isinstance(value, str):
        return hide(value, authorization)
    if isinstance(value, list):
        return [hide_all(item, authorization) for item in value]
    if isinstance(value, dict):
        return {name: hide_all(item, authorization) for name, item in value.items()}
    return value
