"""How many tokens samples have, and what training on them takes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from typing import Any

from ..costs.tokens import count_text, count_tokens

Json = dict[str, Any]
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


@dataclasses.dataclass(frozen=True)
class Estimate:
    """What a training takes. `tokens` is all that is read: those of the file, in every epoch."""

    samples: int
    tokens_per_epoch: int
    tokens: int
    steps: int
    hours: float | None
    cost: float | None


def estimate(
    tokens: Iterable[int],
    *,
    epochs: float = 1,
    seq_len: int = 32_768,
    batch_size: int = 1,
    tokens_per_second: float | None = None,
    price_per_hour: float | None = None,
    price_per_million: float | None = None,
) -> Estimate:
    """Steps, hours and cost of a training, of the numbers of tokens of its samples.

    seq_len, batch_size: tokens of a sequence and sequences of a step on all GPUs together. As in
    mistral-finetune, samples are packed into full sequences: steps = tokens * epochs / (seq_len *
    batch_size), rounded up.
    tokens_per_second: of your machine, measured in a short run; gives `hours`.
    price_per_hour: of that machine, for `cost` = hours * price, in its currency.
    price_per_million: where training is billed by token, for `cost` = tokens * price / 1,000,000.

    What is not given stays None: no price of Mistral's is known to build in. Its hosted training,
    which takes no jobs since March 2026, took at least $4 for a job and $2 a month for a model
    (its documentation, last printed August 2026); a price per token it did not print there.
    Raises ValueError for no tokens, or a number that is not positive.
    """
    counts = [int(count) for count in tokens]
    given = {
        "epochs": epochs,
        "seq_len": seq_len,
        "batch_size": batch_size,
        "tokens_per_second": tokens_per_second,
        "price_per_hour": price_per_hour,
        "price_per_million": price_per_million,
    }
    for name, value in given.items():
        if value is not None and not 0 < value < math.inf:
            raise ValueError(f"{name} is {value}: give a positive number.")
    if not counts or min(counts) < 1:
        raise ValueError("Give the number of tokens of each sample, each at least 1.")
    if price_per_hour and price_per_million:
        raise ValueError("Give price_per_hour or price_per_million, not both.")
    if price_per_hour and not tokens_per_second:
        raise ValueError("price_per_hour needs tokens_per_second, to know the hours.")
    total = math.ceil(sum(counts) * epochs)
    hours = total / tokens_per_second / 3600 if tokens_per_second else None
    cost = hours * price_per_hour if hours and price_per_hour else None
    if price_per_million:
        cost = total * price_per_million / 1_000_000
    steps = math.ceil(total / (seq_len * batch_size))
    return Estimate(len(counts), sum(counts), total, steps, hours, cost)
