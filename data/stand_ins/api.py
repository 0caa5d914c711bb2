"""A stand-in for the Mistral API: written answers, in the wire format of the real one.

The course was written without access to the API. Until somebody with a key runs `make record`, its
recordings come from here: the words from the lesson's .toml file, the form from recorded traffic of
2026-08, the token counts from Mistral's own tokenizer by the rules in `count_prompt`. Its recordings say
"stand-in". It stands where the network would, below the recorder: see `install`.
"""

from __future__ import annotations

import datetime
import functools
import hashlib
import json
import tomllib
import uuid
from pathlib import Path

import httpx
import httpx2

from helpers.wire import read_request

HERE = Path(__file__).parent
KEY = "stand-in-key-" + "x" * 19
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


class Refused(Exception):
    """An error that the API would answer with: status and body."""

    def __init__(self, status: int, body: dict) -> None:
        self.status, self.body = status, body


def install(lesson: str) -> None:
    """Let every httpx and httpx2 client of this process reach the stand-in instead of the network."""
    api = StandIn(lesson)
    for lib in (httpx, httpx2):

        def handle(transport, request, lib=lib):
            request.read()
            return api.respond(lib, request)

        async def handle_async(transport, request, lib=lib):
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

    def respond(self, lib, request):
        """The `lib` response to a request of `lib`, with the date of writing in its extensions."""
        asked = read_request(request)
        seed = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
        headers = {"content-type": "application/json", "mistral-correlation-id": self._uuid7(seed)}
        try:
            if request.headers.get("authorization") != f"Bearer {KEY}":
                raise Refused(401, {"detail": "Invalid API Key"})
            status, (body, more) = 200, self._route(asked, seed)
            headers |= more
        except Refused as refused:
            status, body = refused.status, refused.body
        content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        return lib.Response(
            status,
            headers=headers,
            stream=lib.ByteStream(content),
            request=request,
            extensions={"stand_in": self.written.isoformat()},
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

    def _chat(self, body: dict, seed: str) -> tuple[dict, dict]:
        if unknown := sorted(body.keys() - CHAT_FIELDS):
            rules = [
                {
                    "type": "extra_forbidden",
                    "loc": ["body", name],
                    "msg": "Extra inputs are not permitted",
                    "input": body[name],
                }
                for name in unknown
            ]
            raise Refused(422, {"detail": rules})
        check_model(body["model"])
        text, finish = cut(self._find(body["messages"]), body.get("max_tokens"))
        prompt = count_prompt(body)
        completion = count_tokens(text) + (finish == "stop")  # a finished answer ends with a token
        answer = {
            "id": seed[:32],
            "created": self._time(),
            "model": body["model"],
            "usage": {
                "prompt_tokens": prompt,
                "total_tokens": prompt + completion,
                "completion_tokens": completion,
                "prompt_tokens_details": {"cached_tokens": 0},
                "service_tier": "standard",
            },
            "object": "chat.completion",
            "choices": [
                {
                    "index": 0,
                    "finish_reason": finish,
                    "message": {"role": "assistant", "tool_calls": None, "content": text},
                }
            ],
        }
        return answer, limits(prompt + completion)

    def _find(self, messages: list[dict]) -> str:
        """The written answer to the last user message; a missing one is a fault of the lesson."""
        asked = [m["content"] for m in messages if m["role"] == "user"]
        for entry in self.chats:
            if entry["ask"] == asked[-1] and entry.get("turn", len(asked)) == len(asked):
                return entry["answer"].strip()
        raise LookupError(f"No answer is written for turn {len(asked)}, {asked[-1]!r}.")

    def _time(self) -> int:
        noon = datetime.time(12, tzinfo=datetime.UTC)
        return int(datetime.datetime.combine(self.written, noon).timestamp())

    def _uuid7(self, seed: str) -> str:
        """The same for the same request, in the form of the API's correlation ids."""
        number = (self._time() * 1000 << 80) | int(seed[:20], 16)
        number = number & ~(0xF << 76) | 7 << 76
        number = number & ~(0b11 << 62) | 0b10 << 62
        return str(uuid.UUID(int=number))


def check_model(name: str) -> None:
    if name not in {n for model in models() for n in (model["name"], *model["aliases"])}:
        raise Refused(
            400,
            {
                "object": "error",
                "message": f"Invalid model: {name}",
                "type": "invalid_model",
                "param": None,
                "code": "1500",
                "raw_status_code": 400,
            },
        )


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


@functools.cache
def tokenizer():
    from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

    return MistralTokenizer.v3(is_tekken=True).instruct_tokenizer.tokenizer


def tokens(text: str) -> list[int]:
    return tokenizer().encode(text, bos=False, eos=False)


def count_tokens(text: str) -> int:
    return len(tokens(text))


def cut(text: str, max_tokens: int | None) -> tuple[str, str]:
    """(text, finish_reason): the first `max_tokens` tokens of it, really counted."""
    kept = tokens(text)
    if max_tokens is None or len(kept) < max_tokens:
        return text, "stop"
    return tokenizer().decode(kept[:max_tokens]), "length"


def count_prompt(body: dict) -> int:
    """The tokens of a chat request's messages as the API counts them.

    One to begin with, the tokens of each text, two marks around each system or user message and one
    after each assistant message; Small 4 adds twelve for its settings, but not with a JSON
    response_format. Exact in 13 of 13 recorded calls of Small 4, 11 of 11 of Large 3 (2026-06 to 2026-08).
    """
    kind = (body.get("response_format") or {}).get("type", "text")
    settings = 12 if body["model"].startswith("mistral-small") and kind == "text" else 0
    marks = {"system": 2, "user": 2, "assistant": 1}
    return (
        1 + settings + sum(count_tokens(m["content"]) + marks[m["role"]] for m in body["messages"])
    )
