"""E-mail addresses and keys in a text: found, and hidden where the text is shown."""

from __future__ import annotations

import re
from collections.abc import Iterator

# For each reason: what replaces it, what it is, and the pattern.
PATTERNS = {
    "API key": (
        r"\1\2[key]",
        "a key, token or private key",
        re.compile(
            # the formats that makers give their keys
            r"\bsk-[\w-]{16,}|\b[rs]k_(?:live|test)_\w{10,}|\bglpat-[\w-]{16,}|\b(?:gsk|npm)_\w{20,}"
            r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bAIza[\w-]{30,}|\bhf_[a-zA-Z0-9]{20,}"
            r"|\bgh[pousr]_[a-zA-Z0-9]{20,}|\bgithub_pat_\w{20,}|\bxox[abeprs]-[\w-]{11,}"
            r"|\bSG\.[\w-]{16,}\.[\w-]{16,}|\bpypi-[\w-]{16,}|\bdop_v1_\w{16,}"
            r"|hooks\.slack\.com/services/[\w/]{16,}"
            r"|\beyJ[\w-]{13,}\.[\w-]{8,}\.[\w-]*|-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*"
            # Mistral's: 32 letters and digits; with both cases and a digit it is no checksum
            r"|\b(?=\w{0,31}[a-z])(?=\w{0,31}[A-Z])(?=\w{0,31}\d)[a-zA-Z0-9]{32}\b"
            # other keys have no fixed format; the word before gives them away,
            r"|(?i:((?:key|token|secret|password|bearer|mistral)\W{1,4}(?:is\W{1,3})?)"
            # but user_settings_v2 is none
            r"(?!(?:[a-z]+[_-]){2,}[a-z]*\d*(?![\w-]))(?=[a-z_-]*\d)(?=[\d_-]*[a-z])[\w-]{16,})"
            # of AWS
            r"|(?i:(secret_access_key\W{1,4}))[\w/+]{40}"
        ),
    ),
    # \u0040 is the @ in a line of JSON that could not be read; git@ is no person
    "e-mail address": (
        "[e-mail]",
        "an address",
        re.compile(
            r"(?<![\w.+%-])(?!git@)[\w.+%-]{1,64}(?:@|\\u0040)"
            r"(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}(?![\w-])"
        ),
    ),
}
# No key has fewer letters, digits, - and _ in a row than this.
SHORTEST_KEY = b"x" * 16
KEY_CHARACTERS = bytes(
    120 if (chr(c).isalnum() and c < 128) or c in b"-_" else 32 for c in range(256)
)


def find_secrets(line: bytes, texts: list[str]) -> Iterator[tuple[str, str, str]]:
    """A reason, what exactly and the text around it, for keys and for addresses (the first of each).

    texts: all strings of the line. The bytes are searched first: the patterns take ten times as long.
    """
    possible = {
        "API key": SHORTEST_KEY in line.translate(KEY_CHARACTERS) or b"PRIVATE KEY" in line,
        "e-mail address": b"@" in line or b"\\u0040" in line,
    }
    for reason, (_, what, pattern) in PATTERNS.items():
        if possible[reason] and (match := pattern.search("\0".join(texts))):
            start, end = max(0, match.start() - 1000), match.end() + 1000
            before = hide_secrets(match.string[start : match.start()])[-30:]
            after = hide_secrets(match.string[match.end() : end])
            yield reason, what, before + hide_secrets(match[0]) + after


def hide_secrets(text: str) -> str:
    """The same text with [key] and [e-mail] in place of keys and addresses."""
    for mark, _, pattern in PATTERNS.values():
        text = pattern.sub(mark, text)
    return text
