"""HTTP requests and answers as the JSON of a recording, and back to bytes."""

from __future__ import annotations

import base64
import email
import hashlib
import json
import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlencode

import numpy as np

from .keys import VARIABLE

Json = dict[str, Any]


def read_request(request: Any) -> Json:
    """What of an `httpx` or `httpx2` request is recorded and compared.

    No header is in it. Of the key it says only, under "key", when it is not that of the
    environment: a recorded 401 then answers any wrong key, and no right one.
    """
    path, _, query = request.url.raw_path.decode("ascii").partition("?")
    if query:
        path += "?" + urlencode(sorted(parse_qsl(query, keep_blank_values=True)))
    body = _read_body(request.headers.get("content-type", ""), request.content)
    found = {"method": request.method, "path": path, "body": body}
    if request.headers.get("authorization") != f"Bearer {os.environ.get(VARIABLE, '').strip()}":
        found["key"] = "other" if "authorization" in request.headers else "none"
    return found


def to_body(content: bytes, content_type: str) -> Json:
    """How a whole body stands in the file: JSON, else text, else base64."""
    if "json" in content_type:
        try:
            value = json.loads(content)
            _compact(value).encode()  # half of an escaped emoji can be read, but not written
            return {"body": pack(value)}
        except ValueError:
            pass
    try:
        return {"text": content.decode("utf-8")}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(content).decode("ascii")}


def to_events(pieces: list[tuple[float, bytes]]) -> list[Json]:
    """How a stream stands in the file: an object for each event, with the second of its arrival."""
    found, rest = [], b""
    for at, piece in pieces:
        *blocks, rest = (rest + piece).split(b"\n\n")
        found += [_to_event(at, block) for block in blocks]
    if rest:  # what a cut left over
        found.append({"at": round(at, 3), "raw": rest.decode("utf-8", errors="replace")})
    return found


def _to_event(at: float, block: bytes) -> Json:
    text = block.decode("utf-8", errors="replace")
    data = text.removeprefix("data: ")
    if data == "[DONE]":
        return {"at": round(at, 3), "data": data}
    try:
        value = json.loads(data)
        _compact(value).encode()
        if isinstance(value, dict):
            return {"at": round(at, 3), "data": value}
    except ValueError:
        pass
    return {"at": round(at, 3), "raw": text + "\n\n"}  # as it came, with its end


def to_pieces(recorded: Json) -> Iterator[tuple[float, bytes]]:
    """The bytes of a recorded response, each piece with its second."""
    if "body" in recorded:
        yield 0, _compact(unpack(recorded["body"])).encode()
    elif "text" in recorded:
        yield 0, recorded["text"].encode()
    elif "base64" in recorded:
        yield 0, base64.b64decode(recorded["base64"])
    for event in recorded.get("events", []):
        if "raw" in event:
            yield event["at"], event["raw"].encode()
        else:
            data = event["data"]
            text = data if isinstance(data, str) else _compact(data)
            yield event["at"], f"data: {text}\n\n".encode()


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _read_body(content_type: str, content: bytes) -> Any:
    if not content:
        return None
    if "json" in content_type:
        try:
            value = json.loads(content)
            _compact(value).encode()
            return value
        except ValueError:
            pass
    boundary = email.message_from_string(f"Content-Type: {content_type}\n\n").get_boundary()
    if content_type.startswith("multipart/form-data") and boundary:
        parts = content.split(b"--" + boundary.encode())[1:-1]
        return {"form": [_read_part(part) for part in parts]}
    return _digest(content)


def _read_part(part: bytes) -> Json:
    head, _, content = part.removeprefix(b"\r\n").removesuffix(b"\r\n").partition(b"\r\n\r\n")
    fields = email.message_from_bytes(head)
    name = fields.get_param("name", header="content-disposition")
    if (filename := fields.get_filename()) is None:
        return {"name": name, "value": content.decode("utf-8", errors="replace")}
    return {"name": name, "filename": filename, **_digest(content)}


def _digest(content: bytes) -> Json:
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def pack(value: Any) -> Any:
    """The same JSON with each long list of 16-bit floats in short: `{"float16": base64, "begins": …}`.

    The values of an embedding are exactly float16, as recorded traffic shows; a list of 1024 takes
    2,732 characters so, instead of some 20,000.
    """
    if isinstance(value, list):
        if len(value) >= 32 and all(isinstance(item, float | int) for item in value):
            short = np.array(value, dtype="<f2")
            if np.array_equal(short.astype(float), np.array(value, dtype=float)):
                text = base64.b64encode(short.tobytes()).decode("ascii")
                return {"float16": text, "begins": [round(item, 4) for item in value[:3]]}
        return [pack(item) for item in value]
    if isinstance(value, dict):
        return {name: pack(item) for name, item in value.items()}
    return value


def unpack(value: Any) -> Any:
    """What `pack` was given."""
    if isinstance(value, list):
        return [unpack(item) for item in value]
    if isinstance(value, dict) and value.keys() == {"float16", "begins"}:
        return np.frombuffer(base64.b64decode(value["float16"]), dtype="<f2").astype(float).tolist()
    if isinstance(value, dict):
        return {name: unpack(item) for name, item in value.items()}
    return value
