"""Tokens of training samples, counted by Mistral's own tokenizer, and what training on them takes."""

from __future__ import annotations

import dataclasses
import functools
import importlib.resources
import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..costs.tokens import count_text

if TYPE_CHECKING:
    from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

Json = dict[str, Any]
PIECE = 10_000  # characters: one word of 100,000 takes seconds


def tekken() -> Path:
    """The file of the tokenizer for samples with tools; its vocabulary is that of `count_text`."""
    return Path(str(importlib.resources.files("mistral_common"))) / "data" / "tekken_240911.json"


@functools.cache
def tokenizer() -> MistralTokenizer[Any, Any, Any, Any, Any]:
    """Tekken of September 2024, by which Ministral 8B and Pixtral 12B count (format v3).

    The newest that mistral-common 1.13.1 carries itself. Loading takes 1 to 3 seconds, once.
    """
    from mistral_common.protocol.instruct.validator import ValidationMode
    from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

    return MistralTokenizer.from_file(
        tekken(), ValidationMode.agnostic
    )  # classifier rows end anyhow


def count_tokens(sample: Json, at_most: int | None = None) -> int:
    """How many tokens a trainer sees of a sample: its texts and the marks between them.

    sample: a good one, as `check` has it. Images are not counted: their number of tokens depends
    on their size, and they may be elsewhere.
    at_most: stop counting when there are more; the result then only says that there are. Texts
    over 10,000 characters are then counted in pieces, each of which can add a token or two.

    The marks are those of `mistral_common`'s format v3: one at the beginning, two around a user's
    message, one after an assistant's; the system prompt goes before the last user's. Samples with
    tools it encodes itself. Raises KeyError or TypeError for what is no sample, and
    mistral-common's own exceptions for tools that it refuses.
    """
    if "messages" not in sample:
        return 1 + _count(sample["text"], at_most)
    messages = sample["messages"]
    if sample.get("tools") or any(m["role"] == "tool" or m.get("tool_calls") for m in messages):
        return _encode(sample)
    texts = [_text(message["content"]) for message in messages]
    if messages[0]["role"] == "system":
        (system, *texts), messages = texts, messages[1:]
        last = max(n for n, message in enumerate(messages) if message["role"] == "user")
        texts[last] = f"{system}\n\n{texts[last]}" if system else texts[last]
    count: int = 1
    for message, text in zip(messages, texts, strict=True):
        said = text.rstrip(" ") if message["role"] == "assistant" else text  # as it does itself
        count += 1 + (message["role"] == "user") + _count(said, at_most)
        if at_most and count > at_most:
            break
    return count


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


def _text(content: str | list[Json]) -> str:
    if isinstance(content, str):
        return content
    return "\n\n".join(part["text"] for part in content if part["type"] == "text")


def _count(text: str, at_most: int | None) -> int:
    count, size = 0, PIECE if at_most else max(1, len(text))
    for start in range(0, len(text), size):
        count += count_text(text[start : start + size])
        if at_most and count > at_most:
            break
    return count


def _encode(sample: Json) -> int:
    from mistral_common.protocol.instruct.messages import FinetuningMessage
    from mistral_common.protocol.instruct.request import ChatCompletionRequest

    messages = [
        {**message, "content": _text(message["content"])}
        if isinstance(message.get("content"), list)
        else message
        for message in sample["messages"]
    ]
    request = ChatCompletionRequest[FinetuningMessage].model_validate(
        {"messages": messages, "tools": sample.get("tools")}
    )
    encoded: list[int] = tokenizer().encode_chat_completion(request).tokens
    return len(encoded)
