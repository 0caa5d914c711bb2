"""E-mail addresses and keys in a text: found, and hidden where the text is shown."""

from __future__ import annotations

import re
from collections.abc import Iterator

# \u0040 is the @ of a line of JSON that could not be read; git@ is no person
EMAIL = re.compile(
    r"(?<![\w.+%-])(?!git@)[\w.+%-]{1,64}(?:@|\\u0040)(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}(?![\w-])"
)
KEY = re.compile(  # the shapes that makers give their keys
    r"\bsk-[\w-]{16,}|\b[rs]k_(?:live|test)_\w{10,}|\bglpat-[\w-]{16,}|\b(?:gsk|npm)_\w{20,}"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bAIza[\w-]{30,}|\bhf_[a-zA-Z0-9]{20,}"
    r"|\bgh[pousr]_[a-zA-Z0-9]{20,}|\bgithub_pat_\w{20,}|\bxox[abeprs]-[\w-]{11,}"
    r"|\beyJ[\w-]{13,}\.[\w-]{8,}\.[\w-]*|-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*"
    # Mistral's: 32 letters and digits; with both cases and a digit it is no checksum and no word
    r"|\b(?=\w{0,31}[a-z])(?=\w{0,31}[A-Z])(?=\w{0,31}\d)[a-zA-Z0-9]{32}\b"
)
NAMED = re.compile(  # others have no shape at all: the word before tells
    r"(?i)(?:key|token|secret|password|bearer|mistral)\W{1,4}(?:is\W{1,3})?"
    r"(?!(?:[a-z]+[_-]){2,}[a-z]*\d*(?![\w-]))"  # but no user_settings_v2
    r"(?=[a-z_-]*\d)(?=[\d_-]*[a-z])[\w-]{16,}"
    r"|secret_access_key\W{1,4}[\w/+]{40}"  # of AWS
)
RUN = b"x" * 16  # no key has fewer letters, digits, - and _ in a row
IN_KEYS = bytes(120 if (chr(c).isalnum() and c < 128) or c in b"-_" else 32 for c in range(256))


def secrets(line: bytes, texts: list[str]) -> Iterator[tuple[str, str, str]]:
    """A reason, what exactly and the text around it, for addresses and for keys (once each).

    texts: all that are in the line. Plain signs come first: the patterns take ten times as long.
    """
    address = b"@" in line or b"\\u0040" in line
    key = RUN in line.translate(IN_KEYS) or b" PRIVATE KEY-----" in line
    if not (address or key):
        return
    text = "\0".join(texts)
    if address and (match := EMAIL.search(text)):
        yield "e-mail address", "an address", _around(text, match)
    if key and (match := KEY.search(text) or NAMED.search(text)):
        yield "API key", "a key, token or private key", _around(text, match)


def hide_secrets(text: str) -> str:
    """The same text with [e-mail] and [key] in place of addresses and keys."""
    return EMAIL.sub("[e-mail]", NAMED.sub("[key]", KEY.sub("[key]", text)))


def _around(text: str, match: re.Match[str]) -> str:
    start, end = max(0, match.start() - 1000), match.end() + 1000
    before = hide_secrets(text[start : match.start()])[-30:]
    return before + hide_secrets(match[0]) + hide_secrets(text[match.end() : end])
