"""The bodies of answers in the wire format of the API, as recorded in public traffic of 2026-08."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import itertools
import json
import os
import random
import time
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

from ..replay.wire import pack_row
from ..reply import Json
from . import models, tokens
from .answers import Answer

# As on a paid account's small model, 2026-08.
REQUESTS_PER_MINUTE, TOKENS_PER_MINUTE = 100, 100_000
# Seconds; invented, no recorded traffic holds any times.
FIRST_PIECE, PER_TOKEN = 0.4, 0.025
# Of 257 recorded streams that ended in text, 153 had none in their last chunk.
ENDS_EMPTY = 153 / 257
PADDING = "abcdefghijklmnopqrstuvwxyz0123456789"
# Bodies with their fields in the API's order; what a call decides is filled in below.
FORMS: Json = json.loads((models.STAND_INS / "forms.json").read_text("utf-8"))
JOB_ID: str = FORMS["job"]["id"]


@dataclasses.dataclass(frozen=True)
class Call:
    """What is new in each call: its id (32 hex digits), its time, and its chances.

    draws: decides the text. wire: decides the sizes of pieces and the padding.
    """

    id: str
    created: int
    draws: random.Random
    wire: random.Random

    @classmethod
    def now(cls) -> Call:
        """A call like no other."""
        number = os.urandom(16).hex()
        return cls(number, int(time.time()), random.Random(os.urandom(16)), random.Random(number))

    @classmethod
    def recorded(cls, request: Json, turn: int, written: datetime.date) -> Call:
        """The same for the same request, so that recordings can be made again."""
        noon = datetime.datetime.combine(written, datetime.time(12, tzinfo=datetime.UTC))
        call = cls.numbered(json.dumps(request, sort_keys=True), int(noon.timestamp()))
        return dataclasses.replace(call, draws=random.Random(f"{call.id} {turn}"))

    @classmethod
    def numbered(cls, name: str, created: int) -> Call:
        """The same for the same name, as for a line of a batch."""
        number = hashlib.sha256(name.encode()).hexdigest()
        return cls(number, created, random.Random(number), random.Random(number))

    @property
    def correlation_id(self) -> str:
        """In the form of the API's: a UUID of version 7."""
        number = (self.created * 1000 << 80) | int(self.id[:20], 16)
        number = number & ~(0xF << 76) | 7 << 76
        number = number & ~(0b11 << 62) | 0b10 << 62
        return str(uuid.UUID(int=number))


def model_cards(created: int) -> list[Json]:
    """The entries of GET /v1/models: one for each name of each model."""
    form, cards = FORMS["model_card"], []
    flags = form["capabilities"]
    for model in models.listed():
        names = [model["name"], *model["aliases"]]
        for name in names:
            card = {
                **form,
                "id": name,
                "created": created,
                "capabilities": {flag: flag in model["capabilities"] for flag in flags},
                "name": model["name"],
                "description": model["description"],
                "max_context_length": model["context"],
                "aliases": [other for other in names if other != name],
                "default_model_temperature": model.get("temperature"),
                "billing_model_name": model["name"],
            }
            cards.append(card)
    return cards


def chat_usage(prompt: int, choices: Sequence[Answer]) -> Json:
    completion = sum(choice.completion_tokens for choice in choices)
    return {
        "prompt_tokens": prompt,
        "total_tokens": prompt + completion,
        "completion_tokens": completion,
        "prompt_tokens_details": {"cached_tokens": 0},
        "service_tier": "standard",
    }


def chat_answer(call: Call, model: str, choices: Sequence[Answer], usage: Json) -> Json:
    """The whole answer to a chat request."""
    return {
        "id": call.id[:32],
        "created": call.created,
        "model": model,
        "usage": usage,
        "object": "chat.completion",
        "choices": [
            {
                "index": index,
                "finish_reason": choice.finish,
                "message": {
                    "role": "assistant",
                    "tool_calls": choice.calls or None,
                    "content": _content(choice),
                },
            }
            for index, choice in enumerate(choices)
        ],
    }


def chat_events(call: Call, model: str, choices: Sequence[Answer], usage: Json) -> list[Json]:
    """The events of a stream, with seconds since the request, as a recording holds them.

    Each choice begins with its role and no text; all later chunks have the padding `p`. Choices take
    turns, a chunk each; the last chunk has the usage.
    """
    rows = [list(_deltas(choice, call.wire)) for choice in choices]
    turns = [
        (index, delta, choices[index].finish if place == len(rows[index]) - 1 else None)
        for place in range(max(map(len, rows)))
        for index in range(len(rows))
        for delta in rows[index][place : place + 1]
    ]
    head = {"id": call.id[:32], "object": "chat.completion.chunk", "created": call.created}
    at, events = FIRST_PIECE, []
    for number, (index, delta, finish) in enumerate(turns):
        chunk: Json = {
            **head,
            "model": model,
            "choices": [{"index": index, "delta": delta, "finish_reason": finish}],
        }
        if number == len(turns) - 1:
            chunk["usage"] = usage
        if "role" not in delta:
            chunk["p"] = PADDING[: call.wire.randint(1, len(PADDING))]
            at += PER_TOKEN * call.wire.uniform(1, 4)
        events.append({"at": round(at, 3), "data": chunk})
    return [*events, {"at": round(at, 3), "data": "[DONE]"}]


def _deltas(choice: Answer, rng: random.Random) -> Iterator[Json]:
    """What each chunk of one choice adds. Between thinking and answer, a chunk holds both."""
    yield {"role": "assistant", "content": ""}
    if choice.calls:
        yield {"tool_calls": choice.calls}
        return
    sizes = iter(lambda: rng.randint(1, 4), None)
    # The chunk that ends the thinking holds the answer's first token.
    text_sizes = itertools.chain([1], sizes) if choice.thinking else sizes
    texts = tokens.pieces(choice.text, text_sizes)
    if choice.thinking:
        *thoughts, last = tokens.pieces(choice.thinking, sizes)
        for piece in thoughts:
            yield {"content": [_thought(piece)]}
        if choice.spent:
            yield {"content": [_thought(last)]}
            return
        answer = [{"type": "text", "text": text} for text in texts[:1]]
        yield {"content": [_thought(last, closed=True), *answer]}
        texts = texts[1:]
    elif not texts:
        texts = [""]
    elif rng.random() < ENDS_EMPTY:
        texts = [*texts, ""]
    for piece in texts:
        yield {"content": piece}


def _content(choice: Answer) -> str | list[Json]:
    """The `content` of a whole answer: a list where there is thinking, else a string."""
    if not choice.thinking:
        return choice.text
    # As recorded: thinking alone where it was cut.
    if choice.spent:
        return [_thought(choice.thinking)]
    return [_thought(choice.thinking, closed=True), {"type": "text", "text": choice.text}]


def _thought(text: str, **more: bool) -> Json:
    return {"type": "thinking", "thinking": [{"type": "text", "text": text}], **more}


def embeddings(call: Call, model: str, vectors: Any, used: int) -> Json:
    """The answer to an embeddings request that has this many tokens.

    vectors: an array of float16, a row each; packed, as recordings hold them.
    """
    empty = ("request_count", "prompt_tokens_details", "completion_tokens_details")
    usage = {
        "prompt_audio_seconds": None,
        "prompt_tokens": used,
        "total_tokens": used,
        "completion_tokens": 0,
        **dict.fromkeys((*empty, "service_tier", "prompt_token_details")),
    }
    return {
        "id": call.id[:32],
        "object": "list",
        "data": [
            {"object": "embedding", "embedding": pack_row(row), "index": index}
            for index, row in enumerate(vectors)
        ],
        "model": model,
        "usage": usage,
    }


def chat_limits(cost: int) -> dict[str, str]:
    """The rate-limit headers of a chat answer, as if it were the first of its minute."""
    return {
        "x-ratelimit-limit-tokens-minute": str(TOKENS_PER_MINUTE),
        "x-ratelimit-remaining-tokens-minute": str(TOKENS_PER_MINUTE - cost),
        "x-ratelimit-tokens-query-cost": str(cost),
        "x-ratelimit-limit-req-minute": str(REQUESTS_PER_MINUTE),
        "x-ratelimit-remaining-req-minute": str(REQUESTS_PER_MINUTE - 1),
    }


def embedding_limits(cost: int) -> dict[str, str]:
    return {
        "x-ratelimit-tokens-query-cost": str(cost),
        "x-ratelimit-limit-req-minute": "360",
        "x-ratelimit-remaining-req-minute": "359",
    }


def file(call: Call) -> Json:
    """The answer to an upload of training data, as specified until 2026-07."""
    return {**FORMS["file"], "created_at": call.created, "signature": call.id[:32]}


def job(call: Call, asked: Json, status: str) -> Json:
    """A job of the fine-tuning service, as the OpenAPI description had it until 2026-07."""
    given = {name: asked[name] for name in ("model", "hyperparameters") if name in asked}
    job = {**FORMS["job"], **given, "status": status}
    if status == "SUCCESS":
        job["fine_tuned_model"] = "ft:ministral-8b-latest:587a6b29:20260301:7e773925"
    return {**job, "created_at": call.created, "modified_at": call.created}


def batch_file(call: Call, name: str, text: str, kind: str) -> Json:
    """The answer to an upload of requests, and what a job writes."""
    return {
        **FORMS["file"],
        "id": name,
        "bytes": len(text.encode()),
        "created_at": call.created,
        "filename": f"{kind}.jsonl",
        "purpose": "batch",
        "sample_type": kind,
        "num_lines": len(text.splitlines()),
        "source": "upload" if kind == "batch_request" else "mistral",
        "signature": hashlib.md5(text.encode(), usedforsecurity=False).hexdigest(),
    }


def batch_job(call: Call, asked: Json, total: int) -> Json:
    """A job that has just been created."""
    given = {name: asked[name] for name in FORMS["batch_job"] if name in asked}
    return {
        **FORMS["batch_job"],
        **given,
        "id": str(uuid.UUID(call.id[:32])),
        "created_at": call.created,
        "total_requests": total,
    }
