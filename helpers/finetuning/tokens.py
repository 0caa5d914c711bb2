"""How many tokens a sample has for a trainer."""

from __future__ import annotations

from ..costs.tokens import count_text, count_tokens
from ..reply import Json

# Its chat template, v13, adds no text of its own; that of v15 adds a line of settings.
MODEL = "ministral-8b-2512"


def sample_tokens(sample: Json) -> int:
    """How many tokens a trainer sees of a good sample: its texts and the special tokens.

    They are counted as for Ministral 3 (the API's own count for it, see `helpers.count_tokens`),
    whose tokenizer all newer models share. Images and audio are not counted. Raises ValueError for
    what is not a good sample.
    """
    try:
        if "messages" not in sample:
            return 1 + count_text(sample["text"])
        messages = [_without_last_spaces(message) for message in sample["messages"]]
        return count_tokens(messages, MODEL, sample.get("tools")).tokens
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise ValueError(f"This is not a good sample ({error!r}): use check first.") from None


def _without_last_spaces(message: Json) -> Json:
    """An answer as mistral-common writes it: without the spaces at its end."""
    content = message.get("content")
    if message["role"] != "assistant" or not content:
        return message
    if isinstance(content, str):
        return {**message, "content": content.rstrip(" ")}
    *parts, last = content
    if last.get("type") == "text":
        last = {**last, "text": last["text"].rstrip(" ")}
    return {**message, "content": [*parts, last]}
