"""Token counts of stand-ins, as the API reports them: input as in `costs.tokens`, and answers.

The rules for answers were found by comparing with recorded traffic of the real API (public test suites,
2025 and 2026); each says how often it was right.
"""

from __future__ import annotations

import base64
import binascii
import io
import math
from collections.abc import Iterable, Iterator, Sequence

from ..costs.tokens import count_text as count
from ..costs.tokens import count_tokens, parts_of, tekken
from ..reply import Json

# Pixels.
SQUARE, LARGEST_SIDE = 28, 1540


def count_prompt(body: Json) -> int:
    """The `prompt_tokens` of a chat request."""
    fields = ["messages", "model", "tools", "tool_choice", "response_format", "reasoning_effort"]
    text = count_tokens(**{name: body[name] for name in fields if name in body}).tokens
    return text + sum(map(_count_at, pictures(body["messages"])))


def pictures(messages: Iterable[Json]) -> list[str]:
    """The addresses of the pictures in the messages, most of them "data:image/png;base64,…"."""
    parts = parts_of(messages)
    found = [part.get("image_url") for part in parts if part.get("type") == "image_url"]
    return [str(url.get("url") if isinstance(url, dict) else url) for url in found]


def read_picture(address: str) -> bytes:
    """The file in a data address; empty for any other address, as nothing is fetched here."""
    try:
        return base64.b64decode(address.partition(";base64,")[2], validate=True)
    except binascii.Error:
        return b""


def count_picture(width: int, height: int) -> int:
    """The tokens of a picture: one for each square of 28 pixels, and one at the end of each row.

    Larger pictures are scaled down to 1,540 pixels first; the limit is mistral-common's. With the rest
    of the prompt, exact in 7 of 11 recorded calls (2025-12 to 2026-08, up to 400 pixels): those of
    Large 3 and Medium 3.5. Four of Medium 3.1 have 12 tokens less: its template lacks the settings.
    """
    scale = max(width / LARGEST_SIDE, height / LARGEST_SIDE, 1)
    columns, rows = (math.ceil(round(side / scale) / SQUARE) for side in (width, height))
    return (columns + 1) * rows


def _count_at(address: str) -> int:
    """The tokens of the picture in a data address; 0 where it isn't known here."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(read_picture(address))) as picture:
            return count_picture(*picture.size)
    except OSError:
        return 0


def count_completion(
    text: str, thinking: str = "", calls: Sequence[Json] = (), finish: str = "stop"
) -> int:
    """The `completion_tokens` of one answer.

    Its tokens and, where it was not cut off, one for its end: exact in 41 of 48 calls of Small 4 and
    Large 3. Thinking adds two special tokens (4 of 6 calls), each tool call two (227 of 227).
    """
    total = count(text) + (finish != "length")
    total += count(thinking) + 2 if thinking else 0
    return total + sum(map(_count_call, calls))


def _count_call(call: Json) -> int:
    return count(call["function"]["name"]) + count(call["function"]["arguments"]) + 2


def count_embedding(texts: list[str]) -> int:
    """The `prompt_tokens` of an embeddings request to mistral-embed."""
    return count_tokens(texts, "mistral-embed").tokens


def cut(text: str, max_tokens: int | None) -> tuple[str, str]:
    """(text, finish_reason): the first `max_tokens` tokens of it, really counted."""
    if max_tokens is None or count(text) < max_tokens:
        return text, "stop"
    return decode(encode(text)[:max_tokens]), "length"


def cut_calls(calls: list[Json], max_tokens: int | None) -> str:
    """Cut the arguments of tool calls where the answer is longer. Returns the finish_reason.

    As recorded 13 times: the call is there, and its arguments are cut or empty.
    """
    left = math.inf if max_tokens is None else max_tokens
    for number, call in enumerate(calls):
        function = call["function"]
        size = _count_call(call)
        if size >= left:
            kept = max(0, int(left) - count(function["name"]) - 2)
            function["arguments"] = decode(encode(function["arguments"])[:kept])
            del calls[number + 1 :]
            return "length"
        left -= size
    return "tool_calls"


def pieces(text: str, sizes: Iterator[int]) -> list[str]:
    """The text in pieces of as many tokens as `sizes` gives in turn, never inside a character."""
    ids, found, start = encode(text), [], 0
    while start < len(ids):
        end = min(len(ids), start + next(sizes))
        while "\ufffd" in (piece := decode(ids[start:end])) and end < len(ids):
            end += 1
        found.append(piece)
        start = end
    return found


def encode(text: str) -> list[int]:
    ids: list[int] = tekken().encode(text, bos=False, eos=False)
    return ids


def decode(ids: list[int]) -> str:
    return str(tekken().decode(ids))
