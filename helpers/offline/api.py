"""The API on this machine: routes, written answers, vectors of texts. The only pretended API of the course.

The course was written without access to the API. Until somebody with a key runs `make record`, its
recordings come from here; in replay it answers what is not recorded (`fallback.py`), and `server.py` serves it
over HTTP. The words come from a lesson's .toml file, the form from recorded traffic
of 2026-08, the token counts from Mistral's own tokenizer. The pace of streams is invented.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

from ..reply import Json
from . import answers, batches, bodies, models, refusals, tokens, vectors
from .bodies import Call

# The fine-tuning service is closed: only a lesson that asks for the past gets an answer of it.
PAST = "as specified until 2026-07"
# What else the API has after /v1, by its documentation of 2026-08 and the official SDK.
# Fine-tuning jobs left the specification on 2026-07-15; how the API answers them since is not known.
WITHOUT_ANSWER = """
    fim moderations ocr classifications agents conversations audio libraries responses admin users fine_tuning
"""
JSON, EVENTS = "application/json", "text/event-stream; charset=utf-8"


@dataclasses.dataclass(frozen=True)
class Answered:
    """An answer: its body, or the events of its stream, and who gave it.

    by: "models", "written", "vectors", "computed", "counted", "batch" or "past". entry: the written answer.
    """

    by: str
    body: Any = None
    events: list[Json] | None = None
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    entry: Json | None = None


class Api:
    """The API with the written answers of some lessons; the first lesson's come first.

    Only the first decides whether the API still has what it had in the past.

    own_texts: whether vectors of texts that are not stored may be computed.
    """

    def __init__(self, lessons: Sequence[str], own_texts: bool = False) -> None:
        scripts = [answers.script(name) for name in lessons]
        self.entries = [entry for script in scripts for entry in script.entries]
        self.has_past = scripts[0].past
        self.own_texts = own_texts
        self._jobs_seen = 0
        self.batches = batches.Batches(self.answer)

    def answer(self, request: Json, call: Call, content: bytes = b"") -> Answered:
        """The answer to a request (of `replay.wire.read_request`); content: its bytes, for uploads.

        Raises `refusals.Refused` for what the API would refuse, LookupError for what nobody knows here.
        """
        method, respond = self._route(request, content, call)
        if "key" in request:
            raise refusals.wrong_key()
        if request["method"] != method:
            raise refusals.wrong_method()
        return respond(request, call)

    def _route(
        self, request: Json, content: bytes, call: Call
    ) -> tuple[str, Callable[[Json, Call], Answered]]:
        """The method that a path takes, and what answers it."""
        match request["path"].partition("?")[0].split("/")[1:]:
            case ["v1", "models"]:
                return "GET", self._models
            case ["v1", "models", _]:
                return "GET", self._model
            case ["v1", "chat", "completions"]:
                return "POST", self._chat
            case ["v1", "embeddings"]:
                return "POST", self._embed
            case ["v1", "responses", "input_tokens"]:
                return "POST", self._count_input
            case ["v1", "files" | "fine_tuning", *_] if self.has_past:
                return request["method"], self._past
            case ["v1", *parts] if parts[:1] == ["files"] or parts[:2] == ["batch", "jobs"]:
                return request["method"], functools.partial(self._batch, parts, content)
            case ["v1", name, *_] if name in WITHOUT_ANSWER.split():
                return request["method"], self._unknown
            case ["v1", "chat", "moderations" | "classifications"]:
                return request["method"], self._unknown
        raise refusals.no_route(call.id[:32])

    def _models(self, request: Json, call: Call) -> Answered:
        return Answered("models", {"object": "list", "data": bodies.model_cards(call.created)})

    def _model(self, request: Json, call: Call) -> Answered:
        name = request["path"].partition("?")[0].rpartition("/")[2]
        cards = [card for card in bodies.model_cards(call.created) if card["id"] == name]
        if cards:
            return Answered("models", cards[0])
        if models.serving(name):
            raise LookupError(f"No card of {name} is known here.")
        raise refusals.no_model_card(name)

    def _chat(self, request: Json, call: Call) -> Answered:
        body = request["body"]
        asked, model = refusals.check_chat(body)
        entry = answers.find(self.entries, body)
        if asked.random_seed is not None:
            # The same seed always draws the same.
            call.draws.seed(str(asked.random_seed))
        choices = [
            answers.choose(entry, asked, model.get("temperature", 0), call.draws)
            for _ in range(asked.n or 1)
        ]
        usage = bodies.chat_usage(tokens.count_prompt(body), choices)
        name = models.REDIRECTED.get(asked.model, asked.model)
        if asked.stream:
            events = bodies.chat_events(call, name, choices, usage)
            return Answered("written", events=events, entry=entry)
        whole = bodies.chat_answer(call, name, choices, usage)
        headers = bodies.chat_limits(usage["total_tokens"])
        return Answered("written", whole, headers=headers, entry=entry)

    def _embed(self, request: Json, call: Call) -> Answered:
        asked, texts = refusals.check_embeddings(request["body"])
        if asked.model not in ("mistral-embed", "mistral-embed-2312"):
            raise LookupError(f"There are no vectors of {asked.model} here.")
        if asked.output_dimension or (asked.output_dtype, asked.encoding_format) != ("float",) * 2:
            raise LookupError("Vectors here are lists of 1024 floats.")
        if not texts:
            raise LookupError("How the API answers to no text at all is not known.")
        own = [text for text in texts if not vectors.is_stored(text)]
        if own and not (self.own_texts and vectors.can_compute()):
            raise LookupError(f"No vector is stored for this text: {own[0][:80]!r}")
        used = tokens.count_embedding(texts)
        body = bodies.embeddings(call, asked.model, vectors.vectors(texts), used)
        by = "computed" if own else "vectors"
        return Answered(by, body, headers=bodies.embedding_limits(used))

    def _count_input(self, request: Json, call: Call) -> Answered:
        """The form is the official SDK's; no answer was seen. The count is that of the same chat."""
        body = request["body"] if isinstance(request["body"], dict) else {}
        asked, rules = body.get("input"), body.get("instructions", "")
        known = body.keys() <= {"model", "instructions", "input"}
        if not (known and isinstance(asked, str) and isinstance(rules, str)):
            raise LookupError("Only the text of `input` and `instructions` is counted here.")
        model = models.serving(str(body.get("model")))
        if model is None or "completion_chat" not in model["capabilities"]:
            raise LookupError("How the API refuses a model here is not known.")
        messages = [{"role": "system", "content": rules}] if rules else []
        messages.append({"role": "user", "content": asked})
        count = tokens.count_prompt({"model": body["model"], "messages": messages})
        return Answered("counted", {"object": "response.input_tokens", "input_tokens": count})

    def _batch(self, parts: list[str], content: bytes, request: Json, call: Call) -> Answered:
        return Answered(
            "batch", self.batches.respond(request["method"], parts, request, call, content)
        )

    def _unknown(self, request: Json, call: Call) -> Answered:
        raise LookupError(f"How the API answers {request['path']} is not known here.")

    def _past(self, request: Json, call: Call) -> Answered:
        match request["method"], request["path"].split("?")[0].split("/")[1:]:
            case "POST", ["v1", "files"]:
                return Answered("past", bodies.file(call))
            case "POST", ["v1", "fine_tuning", "jobs"]:
                return Answered("past", bodies.job(call, request["body"] or {}, "QUEUED"))
            case "GET", ["v1", "fine_tuning", "jobs", bodies.JOB_ID]:
                states = ["STARTED", "RUNNING", "SUCCESS"]
                self._jobs_seen += 1
                state = states[min(self._jobs_seen, len(states)) - 1]
                return Answered("past", bodies.job(call, {}, state))
        raise refusals.no_route(call.id[:32])


def respond(
    api: Api, request: Json, call: Call, content: bytes = b""
) -> tuple[Json, Answered | None]:
    """The response as a recording holds it, and who gave it: None where the API would refuse.

    content: the request's bytes, where it uploads a file.

    Raises LookupError for what nobody knows here.
    """
    headers = {"content-type": JSON, "mistral-correlation-id": call.correlation_id}
    try:
        answered = api.answer(request, call, content)
    except refusals.Refused as refused:
        return {"status": refused.status, "headers": headers, "body": refused.body}, None
    if answered.events is not None:
        headers["content-type"] = EVENTS
        return {"status": 200, "headers": headers, "events": answered.events}, answered
    headers |= answered.headers
    if isinstance(answered.body, str):
        headers["content-type"] = "application/octet-stream"
        return {"status": 200, "headers": headers, "text": answered.body}, answered
    return {"status": 200, "headers": headers, "body": answered.body}, answered
