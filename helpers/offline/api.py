"""A stand-in for the Mistral API: written answers, in the wire format of the real one.

The course was written without access to the API. Until somebody with a key runs `make record`, its
recordings come from here: the words from the lesson's .toml file, the form from recorded traffic of
2026-08, the token counts from Mistral's own tokenizer (`tokens.py`). The pace of streams is invented. Its
recordings say "stand-in". It stands where the network would, below the recorder: see `install`.
"""

from __future__ import annotations

import collections
import datetime
import functools
import hashlib
import itertools
import json
import random
import tomllib
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import httpx2

from ..keys import is_mistral
from ..replay import seam
from ..replay.wire import read_request
from . import answers, tokens, vectors

HERE = Path(__file__).parent.parent.parent / "data" / "stand_ins"
# 32 letters and digits, as a real one.
KEY = "StandInKey0123456789abcdefghijkl"
CHAT_FIELDS = {
    *(
        "model",
        "messages",
        "temperature",
        "top_p",
        "max_tokens",
        "stream",
        "stop",
        "random_seed",
        "n",
    ),
    *("metadata", "response_format", "tools", "tool_choice", "parallel_tool_calls", "prediction"),
    *("presence_penalty", "frequency_penalty", "reasoning_effort", "prompt_mode", "safe_prompt"),
    *("guardrails", "prompt_cache_key", "service_tier"),
}
REQUESTS_PER_MINUTE, TOKENS_PER_MINUTE = 100, 100_000  # as on a paid account's small model, 2026-08


FIRST_PIECE, PER_TOKEN = 0.4, 0.025  # seconds; invented, no recorded traffic holds any times
NOTES = {
    "/v1/embeddings": "vectors of the open model all-MiniLM-L6-v2, turned from 384 into 1024 dimensions"
}
PAST = "as specified until 2026-07"  # the fine-tuning service, which is closed
NOTES |= dict.fromkeys(("/v1/files", "/v1/fine_tuning/jobs"), PAST)
FILE_ID, JOB_ID = "5a0c2bd8-7d41-4d0f-9c8e-0f6f2f1d7a11", "b18d8d81-fd7b-4764-a31e-475cb1f36591"
PADDING = "abcdefghijklmnopqrstuvwxyz0123456789"


class Refused(Exception):
    """An error that the API would answer with: status and body."""

    def __init__(self, status: int, body: dict) -> None:
        self.status, self.body = status, body

    @classmethod
    def because(cls, kind: str, code: str, message: str) -> Refused:
        """A 400 in the API's usual form."""
        body = {"object": "error", "message": message, "type": kind, "param": None, "code": code}
        return cls(400, {**body, "raw_status_code": 400})


class Clock:
    """The recorder's clock here: streams set it, so that a recording has exact times at once."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def install(lesson: str) -> None:
    """Let every httpx and httpx2 client of this process reach the stand-in instead of Mistral's hosts."""
    api = StandIn(lesson)
    seam.clock = api.clock
    for lib in (httpx, httpx2):
        network = lib.HTTPTransport.handle_request
        async_network = lib.AsyncHTTPTransport.handle_async_request

        def handle(transport, request, lib=lib, network=network):
            if not is_mistral(request.url.host):
                return network(transport, request)
            request.read()
            return api.respond(lib, request)

        async def handle_async(transport, request, lib=lib, network=async_network):
            if not is_mistral(request.url.host):
                return await network(transport, request)
            await request.aread()
            return api.respond(lib, request)

        lib.HTTPTransport.handle_request = handle
        lib.AsyncHTTPTransport.handle_async_request = handle_async


class StandIn:
    """The API as one lesson needs it."""

    def __init__(self, lesson: str) -> None:
        script = tomllib.loads((HERE / f"{lesson}.toml").read_text("utf-8"))
        self.written: datetime.date = script["written"]
        self.chats = script.get("chat", [])
        self.clock = Clock()
        self.calls: collections.Counter[str] = collections.Counter()

    def respond(self, lib, request):
        """The `lib` response to a request of `lib`, with the date of writing in its extensions."""
        asked = read_request(request)
        seed = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
        self.calls[seed] += 1
        headers = {"content-type": "application/json", "mistral-correlation-id": self._uuid7(seed)}
        try:
            if request.headers.get("authorization") != f"Bearer {KEY}":
                raise Refused(401, {"detail": "Invalid API Key"})
            status, (body, more) = 200, self._route(asked, seed)
            headers |= more
        except Refused as refused:
            status, body = refused.status, refused.body
        note = NOTES.get(asked["path"].removesuffix(f"/{JOB_ID}"))
        pieces = body if isinstance(body, list) else [(0.0, compact(body))]
        return lib.Response(
            status,
            headers=headers,
            stream=_stream_type(lib)(self.clock, pieces),
            request=request,
            extensions={
                "stand_in": self.written.isoformat(),
                "note": note,
            },
        )

    def _route(self, asked: dict, seed: str) -> tuple[dict, dict]:
        match asked["method"], asked["path"].split("?")[0].split("/")[1:]:
            case "GET", ["v1", "models"]:
                return {"object": "list", "data": self._cards()}, {}
            case "GET", ["v1", "models", name]:
                if not (cards := [card for card in self._cards() if card["id"] == name]):
                    raise Refused(404, {"message": f"Model {name} was not found."})
                return cards[0], {}
            case "POST", ["v1", "chat", "completions"]:
                return self._chat(asked["body"], seed)
            case "POST", ["v1", "embeddings"]:
                return self._embed(asked["body"], seed)
            case "POST", ["v1", "files"]:
                return self._upload(seed), {}
            case "POST", ["v1", "fine_tuning", "jobs"]:
                return self._job(asked["body"], "QUEUED"), {}
            case "GET", ["v1", "fine_tuning", "jobs", _]:
                states = ["STARTED", "RUNNING", "SUCCESS"]
                return self._job({}, states[min(self.calls[seed], len(states)) - 1]), {}
        no_route = {"message": "no Route matched with those values", "request_id": seed[:32]}
        raise Refused(404, no_route)

    def _cards(self) -> list[dict]:
        flags = (
            *("completion_chat", "function_calling", "reasoning", "completion_fim", "fine_tuning"),
            *("vision", "ocr", "classification", "moderation", "audio", "audio_transcription"),
            *("audio_transcription_realtime", "audio_speech", "unified_resources"),
        )
        cards = []
        for model in models():
            names = [model["name"], *model["aliases"]]
            for name in names:
                card = {
                    "id": name,
                    "object": "model",
                    "created": self._time(),
                    "owned_by": "mistralai",
                    "capabilities": {flag: flag in model["capabilities"] for flag in flags},
                    "name": model["name"],
                    "description": model["description"],
                    "max_context_length": model["context"],
                    "aliases": [other for other in names if other != name],
                    "deprecation": None,
                    "deprecation_replacement_model": None,
                    "default_model_temperature": model.get("temperature"),
                    "billing_model_name": model["name"],
                    "type": "base",
                }
                cards.append(card)
        return cards

    def _chat(self, body: dict, seed: str) -> tuple[dict | list, dict]:
        check_fields(body)
        check_order(body["messages"])
        model = find_model(body["model"])
        # Each call draws anew, but `random_seed` always draws the same.
        rng = random.Random(str(body.get("random_seed", f"{seed} {self.calls[seed]}")))
        entry = answers.find(self.chats, body)
        choices = [
            answers.choose(entry, body, model.get("temperature", 0), rng)
            for _ in range(body.get("n") or 1)
        ]
        prompt = tokens.count_prompt(body)
        completion = sum(choice.completion_tokens for choice in choices)
        usage = {
            "prompt_tokens": prompt,
            "total_tokens": prompt + completion,
            "completion_tokens": completion,
            "prompt_tokens_details": {"cached_tokens": 0},
            "service_tier": "standard",
        }
        head = {"id": seed[:32], "created": self._time(), "model": body["model"]}
        if body.get("stream"):
            events = list(stream(head, choices[0], usage, random.Random(seed)))
            return events, {"content-type": "text/event-stream; charset=utf-8"}
        answer = {
            **head,
            "usage": usage,
            "object": "chat.completion",
            "choices": [
                {
                    "index": index,
                    "finish_reason": choice.finish,
                    "message": {
                        "role": "assistant",
                        "tool_calls": choice.calls or None,
                        "content": content(choice),
                    },
                }
                for index, choice in enumerate(choices)
            ],
        }
        return answer, limits(prompt + completion)

    def _embed(self, body: dict, seed: str) -> tuple[dict, dict]:
        find_model(body["model"])
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        used = tokens.count_embedding(texts)
        for what, amount, most in (
            ("inputs in request", len(texts), 256),
            ("tokens overall", used, 16_384),
        ):
            if amount > most:
                said = f"Too many {what}, split into more batches."
                raise Refused.because("invalid_request_prompt", "3210", said)
        empty = ("prompt_audio_seconds", "request_count", "prompt_tokens_details")
        usage = {
            "prompt_tokens": used,
            "total_tokens": used,
            "completion_tokens": 0,
            **dict.fromkeys(
                (*empty, "completion_tokens_details", "service_tier", "prompt_token_details")
            ),
        }
        answer = {
            "id": seed[:32],
            "object": "list",
            "data": [
                {"object": "embedding", "embedding": vectors.vector(text), "index": index}
                for index, text in enumerate(texts)
            ],
            "model": body["model"],
            "usage": usage,
        }
        return answer, {
            "x-ratelimit-tokens-query-cost": str(used),
            "x-ratelimit-limit-req-minute": "360",
            "x-ratelimit-remaining-req-minute": "359",
        }

    def _upload(self, seed: str) -> dict:
        return {
            "id": FILE_ID,
            "object": "file",
            "bytes": 87,
            "created_at": self._time(),
            "filename": "train.jsonl",
            "purpose": "fine-tune",
            "sample_type": "instruct",
            "num_lines": 1,
            "mimetype": "application/jsonl",
            "source": "upload",
            "signature": seed[:32],
            "expires_at": None,
            "visibility": "workspace",
        }

    def _job(self, asked: dict, status: str) -> dict:
        """A job of the fine-tuning service, as the OpenAPI description had it until 2026-07."""
        done = status == "SUCCESS"
        return {
            "id": JOB_ID,
            "object": "job",
            "job_type": "completion",
            "model": asked.get("model", "ministral-8b-latest"),
            "status": status,
            "created_at": self._time(),
            "modified_at": self._time(),
            "training_files": [FILE_ID],
            "validation_files": [],
            "hyperparameters": asked.get(
                "hyperparameters", {"training_steps": 10, "learning_rate": 0.0001}
            ),
            "auto_start": True,
            "suffix": None,
            "integrations": [],
            "trained_tokens": None,
            "fine_tuned_model": "ft:ministral-8b-latest:587a6b29:20260301:7e773925"
            if done
            else None,
        }

    def _time(self) -> int:
        noon = datetime.time(12, tzinfo=datetime.UTC)
        return int(datetime.datetime.combine(self.written, noon).timestamp())

    def _uuid7(self, seed: str) -> str:
        """The same for the same request, in the form of the API's correlation ids."""
        number = (self._time() * 1000 << 80) | int(seed[:20], 16)
        number = number & ~(0xF << 76) | 7 << 76
        number = number & ~(0b11 << 62) | 0b10 << 62
        return str(uuid.UUID(int=number))


def check_fields(body: dict) -> None:
    rules = [
        {
            "type": "extra_forbidden",
            "loc": ["body", name],
            "msg": "Extra inputs are not permitted",
            "input": body[name],
        }
        for name in body
        if name not in CHAT_FIELDS
    ]
    if rules:
        raise Refused(422, {"detail": rules})


def check_order(messages: list[dict]) -> None:
    """The two rules that the API was recorded or reported to insist on."""
    for before, after in itertools.pairwise(message["role"] for message in messages):
        if (before, after) in {("assistant", "system"), ("tool", "user"), ("tool", "system")}:
            raise Refused.because(
                "invalid_request_message_order",
                "3230",
                f"Unexpected role '{after}' after role '{before}'",
            )
    if messages[-1]["role"] == "assistant" and not messages[-1].get("prefix"):
        raise Refused.because(
            "invalid_request_message_order",
            "3230",
            "Expected last role User or Tool (or Assistant with prefix True) for serving but got assistant",
        )


def find_model(name: str) -> dict:
    for model in models():
        if name in (model["name"], *model["aliases"]):
            return model
    raise Refused.because("invalid_model", "1500", f"Invalid model: {name}")


def content(choice: answers.Answer) -> str | list[dict]:
    """The `content` of a whole answer: a list where there is thinking, else a string."""
    if not choice.thinking:
        return choice.text
    return [thought(choice.thinking, closed=True), {"type": "text", "text": choice.text}]


def thought(text: str, **more) -> dict:
    return {"type": "thinking", "thinking": [{"type": "text", "text": text}], **more}


def stream(
    head: dict, choice: answers.Answer, usage: dict, rng: random.Random
) -> Iterator[tuple[float, bytes]]:
    """The events of a stream: (seconds since the request, bytes), as the API sends them.

    The first has the role and no text, all later ones the padding `p`, the last the usage together with
    the end of the text. The piece between thinking and answer holds both, the answer's first token in it.
    """
    sizes = iter(lambda: rng.randint(1, 4), None)
    text_sizes = itertools.chain([1], sizes) if choice.thinking else sizes
    deltas: list[dict] = [{"content": piece} for piece in tokens.pieces(choice.text, text_sizes)]
    if choice.thinking:
        *thoughts, last = tokens.pieces(choice.thinking, sizes)
        answer = deltas.pop(0)["content"]
        switch = [thought(last, closed=True), {"type": "text", "text": answer}]
        deltas = (
            [{"content": [thought(piece)]} for piece in thoughts] + [{"content": switch}] + deltas
        )
    if choice.calls:
        deltas = [{"content": "", "tool_calls": choice.calls}]
    at, head = FIRST_PIECE, {"id": head["id"], "object": "chat.completion.chunk", **head}
    deltas.insert(0, {"role": "assistant", "content": ""})
    for number, delta in enumerate(deltas):
        final = number == len(deltas) - 1
        finish = choice.finish if final else None
        chunk = {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
        if final:
            chunk["usage"] = usage
        if number:
            chunk["p"] = PADDING[: rng.randint(1, len(PADDING))]
            at += PER_TOKEN * rng.uniform(1, 4)
        yield round(at, 3), b"data: " + compact(chunk) + b"\n\n"
    yield round(at, 3), b"data: [DONE]\n\n"


@functools.cache
def _stream_type(lib):
    class Stream(lib.SyncByteStream, lib.AsyncByteStream):
        """Bytes that set the clock to their second."""

        def __init__(self, clock: Clock, pieces: list[tuple[float, bytes]]) -> None:
            self.clock, self.began, self.pieces = clock, clock.now, pieces

        def __iter__(self):
            for at, piece in self.pieces:
                self.clock.now = self.began + at
                yield piece

        async def __aiter__(self):
            for piece in self:
                yield piece

    return Stream


def compact(value) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def limits(cost: int) -> dict[str, str]:
    """The rate-limit headers of an answer, as if it were the first of its minute."""
    return {
        "x-ratelimit-limit-tokens-minute": str(TOKENS_PER_MINUTE),
        "x-ratelimit-remaining-tokens-minute": str(TOKENS_PER_MINUTE - cost),
        "x-ratelimit-tokens-query-cost": str(cost),
        "x-ratelimit-limit-req-minute": str(REQUESTS_PER_MINUTE),
        "x-ratelimit-remaining-req-minute": str(REQUESTS_PER_MINUTE - 1),
    }


@functools.cache
def models() -> list[dict]:
    return tomllib.loads((HERE / "models.toml").read_text("utf-8"))["model"]
