"""What a request may hold: the API's fields, their types and ranges, as pydantic models.

The fields are those of the API's OpenAPI description of 2026-08, and the newer ones of its SDK 3.7. The
API is itself written with FastAPI and pydantic, as its recorded 422s show (`extra_forbidden`,
`string_type` at body.messages.0.user.content.str), so that pydantic finds the same words for what is wrong.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

NotNegative = Annotated[int, Field(ge=0)]
Penalty = Annotated[float, Field(ge=-2, le=2)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", protected_namespaces=())


class _Open(BaseModel):
    model_config = ConfigDict(extra="allow")


# A 422 names all of these classes, in the `loc` of a wrong part.
class TextChunk(_Strict):
    type: Literal["text"] = "text"
    text: str


class ImageURLChunk(_Open):
    type: Literal["image_url"]


class DocumentURLChunk(_Open):
    type: Literal["document_url"]


class ReferenceChunk(_Open):
    type: Literal["reference"]


class FileChunk(_Open):
    type: Literal["file"]


class ThinkChunk(_Open):
    type: Literal["thinking"]


class AudioChunk(_Open):
    type: Literal["input_audio"]


Chunk = Annotated[
    TextChunk
    | ImageURLChunk
    | DocumentURLChunk
    | ReferenceChunk
    | FileChunk
    | ThinkChunk
    | AudioChunk,
    Field(discriminator="type"),
]
Content = str | list[Chunk]


class FunctionCall(_Strict):
    name: str
    arguments: str | dict[str, Any]


class ToolCall(_Strict):
    id: str = "null"
    type: str | None = None
    function: FunctionCall
    index: int | None = None


class AssistantMessage(_Strict):
    role: Literal["assistant"]
    content: Content | None = None
    tool_calls: list[ToolCall] | None = None
    prefix: bool = False


class SystemMessage(_Strict):
    role: Literal["system"]
    content: Content


class ToolMessage(_Strict):
    role: Literal["tool"]
    content: Content | None = None
    tool_call_id: str | None = None
    name: str | None = None


class UserMessage(_Strict):
    role: Literal["user"]
    content: Content | None


Message = Annotated[
    AssistantMessage | SystemMessage | ToolMessage | UserMessage, Field(discriminator="role")
]


class JsonSchema(_Strict):
    name: str
    description: str | None = None
    # On the wire it is called "schema", which pydantic keeps for itself.
    definition: dict[str, Any] = Field(alias="schema")
    strict: bool = False


class ResponseFormat(_Strict):
    type: Literal["text", "json_object", "json_schema"] = "text"
    json_schema: JsonSchema | None = None


class Function(_Strict):
    name: str
    description: str | None = ""
    strict: bool | None = False
    parameters: dict[str, Any]


class FunctionTool(_Open):
    """A tool. Those that the API itself runs, such as web_search, have no function."""

    type: str = "function"
    function: Function | None = None


class FunctionName(_Strict):
    name: str


class ToolChoice(_Strict):
    type: str = "function"
    function: FunctionName


class Prediction(_Strict):
    type: Literal["content"] = "content"
    content: str = ""


class ChatRequest(_Strict):
    """POST /v1/chat/completions."""

    model: str
    messages: list[Message]
    temperature: Annotated[float, Field(ge=0, le=1.5)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    max_tokens: NotNegative | None = None
    min_tokens: NotNegative | None = None
    stream: bool = False
    stop: str | list[str] | None = None
    random_seed: NotNegative | None = None
    metadata: dict[str, Any] | None = None
    response_format: ResponseFormat | None = None
    tools: list[FunctionTool] | None = None
    tool_choice: Literal["auto", "none", "any", "required"] | ToolChoice | None = None
    parallel_tool_calls: bool = True
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    n: Annotated[int, Field(ge=1)] | None = None
    prediction: Prediction | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None = None
    prompt_mode: Literal["reasoning"] | None = None
    safe_prompt: bool = False
    guardrails: list[dict[str, Any]] | None = None
    prompt_cache_key: str | None = None
    service_tier: Literal["auto", "standard_only"] | None = None
    top_k: int | None = None
    repetition_penalty: float | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    prompt_logprobs: bool | int | None = None
    top_prompt_logprobs: int | None = None


class EmbeddingRequest(_Strict):
    """POST /v1/embeddings."""

    model: str
    input: str | list[str]
    output_dimension: Annotated[int, Field(gt=0)] | None = None
    output_dtype: Literal["float", "int8", "uint8", "binary", "ubinary"] = "float"
    encoding_format: Literal["float", "base64"] = "float"
    metadata: dict[str, Any] | None = None
