"""Private data in a text: keys, passwords, addresses and numbers, found and hidden where it is shown."""

from __future__ import annotations

import re
from collections.abc import Iterator

# For each reason: what replaces it, what it is, and the pattern.
PATTERNS = {
    # First, as what stands before a URL's @ looks like the beginning of an e-mail address.
    "password in a URL": (
        r"\1[password]",
        "a password before the host",
        re.compile(r"(\b[a-zA-Z][\w+.-]{1,20}://[^\s/:@]{0,64}:)[^\s/@]{1,128}?(?=@|\\u0040)"),
    ),
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
    "bank account": (
        "[IBAN]",
        "an IBAN",
        re.compile(r"\b[A-Z]{2}\d\d(?: ?[A-Z\d]{4}){2,7}(?: ?[A-Z\d]{1,3})?(?![^\W_])"),
    ),
    # With + or 0 before it, as most of the world writes them; a date can begin with 0 as well. See _is_phone.
    "phone number": (
        "[phone]",
        "a phone number",
        re.compile(
            r"(?<![\w.,+-])(?!\d\d([.-])\d\d\1(?:19|20)\d\d)"
            r"(?:\+\d{1,3}|\(0\d|0\d)(?:[ ().-]{0,2}\d){7,11}(?!\w)"
        ),
    ),
}
# Digits without a space between them may be the number of an order. The word before them decides.
PHONE_WORD = re.compile(
    r"(?i)\b(?:phone|tel|t[ée]l[ée]|mobile|cell|fax|whatsapp|call|text|sms|ring)"
)
ID_WORD = re.compile(
    r"(?i)(?:#|(?<![^\W_])(?:order|request|invoice|tracking|parcel|serial|part|article|reference|ref"
    r"|isbn|ean|id|(?:customer|ticket|contract|account|member)[\W_]{0,5}(?:number|no|nr|id))"
    r"(?:[\W_]{0,5}(?:number|no|nr|id|is))*)[\W_]{0,5}$"
)
# No key has fewer letters, digits, - and _ in a row than this.
SHORTEST_KEY = b"x" * 16
KEY_CHARACTERS = bytes(
    120 if (chr(c).isalnum() and c < 128) or c in b"-_" else 32 for c in range(256)
)
# An IBAN begins with two capital letters and two digits, and no phone number has fewer than nine digits.
IBAN_BEGINS, PHONE_DIGITS = b"AA99", b"9" * 9
DIGITS = bytes(57 if chr(c) in "0123456789" else c for c in range(256))
CAPITALS_AND_DIGITS = bytes(65 if 65 <= c <= 90 else DIGITS[c] for c in range(256))


def find_secrets(line: bytes, texts: list[str]) -> Iterator[tuple[str, str, str]]:
    """A reason, what exactly and the text around it, for each kind of private data (the first of each).

    texts: all strings of the line. The bytes are searched first: the patterns take ten times as long.
    """
    at_sign = b"@" in line or b"\\u0040" in line
    possible = {
        "password in a URL": at_sign and b"://" in line,
        "API key": SHORTEST_KEY in line.translate(KEY_CHARACTERS) or b"PRIVATE KEY" in line,
        "e-mail address": at_sign,
        "bank account": IBAN_BEGINS in line.translate(CAPITALS_AND_DIGITS),
        "phone number": PHONE_DIGITS in line.translate(DIGITS, b" ().-"),
    }
    text = "\0".join(texts) if any(possible.values()) else ""
    for reason, (mark, what, pattern) in PATTERNS.items():
        found = (match for match in pattern.finditer(text) if _is_one(reason, match))
        if possible[reason] and (match := next(found, None)):
            start, end = max(0, match.start() - 1000), match.end() + 1000
            before = hide_secrets(text[start : match.start()])[-30:]
            after = hide_secrets(text[match.end() : end])
            yield reason, what, before + match.expand(mark) + after
            text = _hide(reason, text)


def hide_secrets(text: str) -> str:
    """The same text with [password], [key], [e-mail], [IBAN] and [phone] in place of private data."""
    for reason in PATTERNS:
        text = _hide(reason, text)
    return text


def _hide(reason: str, text: str) -> str:
    mark, _, pattern = PATTERNS[reason]
    return pattern.sub(lambda m: m.expand(mark) if _is_one(reason, m) else m[0], text)


def _is_one(reason: str, match: re.Match[str]) -> bool:
    """Whether what matches a pattern is what it looks like: an IBAN's check digits must be right."""
    if reason == "phone number":
        return _is_phone(match[0], match.string[max(0, match.start() - 30) : match.start()])
    if reason != "bank account":
        return True
    code = match[0].replace(" ", "")
    return int("".join(str(int(sign, 36)) for sign in code[4:] + code[:4])) % 97 == 1


def _is_phone(number: str, before: str) -> bool:
    """Whether a number is one to call: digits in one piece may also be those of an order."""
    if not number.isdigit():
        return True
    if ID_WORD.search(before) or number.startswith("000"):
        return False
    # In one piece, 0 and a national number have ten digits or more, 00 and a country's eleven.
    return len(number) >= (11 if number.startswith("00") else 10) or bool(PHONE_WORD.search(before))
