"""What the API refuses, and with which words. No refusal needs a recording.

| status, code | form and source |
|---|---|
| 401 | `{"detail": "Invalid API Key"}`: recorded 2026-08 |
| 404 | `no Route matched`: the gateway's, reported 2025-05 to 2026-07; of a model: reported 2026-10 |
| 405 | FastAPI's own form; never seen |
| 422 | `{"detail": [rules]}`: the newest of two shapes, recorded 2026; words by pydantic (`schema.py`) |
| 400 1500 | an unknown or retired model: recorded 2026-08 |
| 400 3051 | reasoning_effort, prompt_mode, logprobs, a prompt that is too long: recorded or reported 2026 |
| 400 3051 | prompt and max_tokens that are too long together: documented; its form was never seen |
| 400 3054 | top_p at temperature 0: reported 2026; its `type` was not quoted |
| 400 3210 | too many texts: 257 recorded 2026-08; too many tokens: reported 2025-10 |
| 400 3230 | order of roles: recorded 2026-08; the other rules and their words are mistral-common's |
| 400 3240 | an assistant message without anything: reported 2026 |
| 400 | a picture for a model without vision: recorded 2025-04 |
| 400 3280 | a tool call id: reported 2026-03; the newest templates (v13, v15) take any id |

Not refused here, as no real form was seen: an empty text or a wrong `output_dimension` for
embeddings, a model that is not in a plan (403), a tool's schema that is none.
"""

from __future__ import annotations

import itertools
import re
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ..costs.models import find_model
from ..reply import Json
from . import models, schema, tokens

MOST_TEXTS, MOST_TOKENS = 256, 16_384
AFTER = {
    "system": {"system", "user", "assistant"},
    "user": {"system", "user", "assistant"},
    "assistant": {"user", "assistant", "tool"},
    # mistral-common 1.13 lets a user speak here; the API was seen to refuse it, 2025-08 to 2026.
    "tool": {"assistant", "tool"},
}
CALL_ID = re.compile(r"[a-zA-Z0-9]{9}")
ANY_CALL_ID = ("v13", "v15")
Request = TypeVar("Request", bound=BaseModel)


class Refused(Exception):
    """An error that the API would answer with: status and body."""

    def __init__(self, status: int, body: Json) -> None:
        super().__init__(f"{status}: {body}")
        self.status, self.body = status, body


def bad_request(kind: str, code: str | None, message: str) -> Refused:
    """A 400 in the API's usual form."""
    body = {"object": "error", "message": message, "type": kind, "param": None, "code": code}
    return Refused(400, {**body, "raw_status_code": 400})


def wrong_key() -> Refused:
    return Refused(401, {"detail": "Invalid API Key"})


def no_route(request_id: str) -> Refused:
    message = {"message": "no Route matched with those values", "request_id": request_id}
    return Refused(404, message)


def wrong_method() -> Refused:
    return Refused(405, {"detail": "Method Not Allowed"})


def no_model_card(name: str) -> Refused:
    words = "is deprecated." if find_model(name) else "was not found."
    return Refused(404, {"message": f"Model {name} {words}"})


def check_chat(body: Any) -> tuple[schema.ChatRequest, Json]:
    """The request and the model that serves it. Raises `Refused`."""
    request = _read(schema.ChatRequest, body)
    messages = body["messages"]
    _check_order([message["role"] for message in messages], messages)
    model = _model(models.REDIRECTED.get(request.model, request.model), "completion_chat")
    _check_tool_calls(messages, models.template(model))
    _check_pictures(messages, model)
    _check_arguments(request, model)
    _check_length(request, body, model)
    return request, model


def check_embeddings(body: Any) -> tuple[schema.EmbeddingRequest, list[str]]:
    """The request and its texts. Raises `Refused`."""
    request = _read(schema.EmbeddingRequest, body)
    model = models.serving(request.model)
    if model is None or "embed" not in model["name"]:
        raise bad_request("invalid_model", "1500", f"Invalid model: {request.model}")
    texts = [request.input] if isinstance(request.input, str) else request.input
    if len(texts) > MOST_TEXTS:
        raise _split("inputs in request")
    # A token has a byte or more: most requests need no tokenizer here.
    may_be_too_long = sum(len(text.encode()) + 2 for text in texts) > MOST_TOKENS
    if may_be_too_long and tokens.count_embedding(texts) > MOST_TOKENS:
        raise _split("tokens overall")
    return request, texts


def _read(kind: type[Request], body: Any) -> Request:
    if body is None:
        missing = {"type": "missing", "loc": ["body"], "msg": "Field required", "input": None}
        raise Refused(422, {"detail": [missing]})
    if isinstance(body, dict) and body.keys() == {"bytes", "sha256"}:
        # No JSON (see `replay.wire`). Where the API names the place and the reason, nobody knows them here.
        where = {"loc": ["body", 0], "msg": "JSON decode error", "input": {}}
        raise Refused(422, {"detail": [{"type": "json_invalid", **where}]})
    try:
        return kind.model_validate(body, from_attributes=True)
    except ValidationError as error:
        rules = error.errors(include_url=False)
        detail = [{**rule, "loc": ["body", *rule["loc"]]} for rule in rules]
        raise Refused(422, {"detail": detail}) from None


def _split(what: str) -> Refused:
    return bad_request(
        "invalid_request_prompt", "3210", f"Too many {what}, split into more batches."
    )


def _model(name: str, capability: str) -> Json:
    model = models.serving(name)
    if model is None or capability not in model["capabilities"]:
        raise bad_request("invalid_model", "1500", f"Invalid model: {name}")
    return model


def _wrong_order(message: str) -> Refused:
    return bad_request("invalid_request_message_order", "3230", message)


def _check_order(roles: list[str], messages: list[Json]) -> None:
    if not roles:
        raise _wrong_order("Conversation must have at least one message")
    if len(roles) == 1 and roles[0] not in ("user", "system"):
        raise _wrong_order("Conversation must start with a user message or system message")
    if roles[-1] == "assistant" and not messages[-1].get("prefix"):
        raise _wrong_order(
            "Expected last role User or Tool (or Assistant with prefix True) for serving but got assistant"
        )
    for before, after in itertools.pairwise(roles):
        if after not in AFTER[before]:
            raise _wrong_order(f"Unexpected role '{after}' after role '{before}'")


def _check_tool_calls(messages: list[Json], template: str) -> None:
    """Each call has one result with its id, and each answer says or calls something."""
    open_calls: set[str] = set()
    for number, message in enumerate(messages):
        calls = message.get("tool_calls") or []
        if message["role"] == "assistant":
            if open_calls:
                raise _wrong_order("Not the same number of function calls and responses")
            if not (message.get("content") or calls):
                words = "Assistant message must have either content or tool_calls, but not none."
                raise bad_request("invalid_request_assistant_message", "3240", words)
            open_calls = {call.get("id", "null") for call in calls}
            if not template.startswith(ANY_CALL_ID):
                _check_call_ids(open_calls)
        # A result at the very beginning is let pass, as mistral-common does.
        if message["role"] == "tool" and number:
            name = message.get("tool_call_id")
            if name not in open_calls:
                raise _wrong_order(f"Unexpected tool call id {name} in tool results")
            open_calls.remove(name)
    if open_calls:
        raise _wrong_order("Not the same number of function calls and responses")


def _check_call_ids(ids: set[str]) -> None:
    for name in sorted(ids):
        if not CALL_ID.fullmatch(name):
            words = f"Tool call id was {name} but must be a-z, A-Z, 0-9, with a length of 9."
            raise bad_request("invalid_function_call", "3280", words)


def _check_pictures(messages: list[Json], model: Json) -> None:
    # The capabilities of a model that is not listed are not known.
    known = "function_calling" in model["capabilities"]
    if known and "vision" not in model["capabilities"] and tokens.pictures(messages):
        words = "A request containing images has been given to a model which does not have the"
        raise bad_request("invalid_request_error", None, f"{words} 'vision' capability.")


def _check_arguments(request: schema.ChatRequest, model: Json) -> None:
    def refuse(message: str, code: str = "3051") -> Refused:
        return bad_request("invalid_request_invalid_args", code, message)

    effort = request.reasoning_effort
    if effort and "reasoning" not in model["capabilities"]:
        raise refuse("reasoning_effort is not enabled for this model")
    if effort and effort not in ("none", "high"):
        raise refuse(
            f"reasoning_effort='{effort}' is not supported for this model. Must be one of "
            "(<ReasoningEffort.none: 'none'>, <ReasoningEffort.high: 'high'>)"
        )
    if request.prompt_mode:
        raise refuse("Reasoning prompt mode is not enabled for this model")
    if request.logprobs:
        raise refuse("Logprobs are not enabled for this model")
    if request.temperature == 0 and request.top_p not in (None, 1):
        raise refuse("top_p must be 1 when using greedy sampling.", "3054")


def _check_length(request: schema.ChatRequest, body: Json, model: Json) -> None:
    """Prompt and max_tokens fit the model. The prompt is only counted where they may not."""
    longest, asked = model["context"], request.max_tokens or 0
    if not longest or len(str(body).encode()) + asked <= longest:
        return
    if (count := tokens.count_prompt(body)) + asked > longest:
        # "max_tokens is" is made up: the API's words were seen for prompts only.
        more = "0 draft tokens" if count > longest else f"max_tokens is {asked}"
        words = f"Prompt contains {count} tokens and {more}, too large for model with"
        raise bad_request(
            "invalid_request_invalid_args", "3051", f"{words} {longest} maximum context length"
        )
