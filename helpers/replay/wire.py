"""HTTP requests and answers as the JSON of a recording, and back to bytes."""

from __future__ import annotations

import base64
import bisect
import email.message
import hashlib
import itertools
import json
import os
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlencode

from ..errors import from_json
from ..keys import VARIABLE
from ..reply import Json

EVENT_END = re.compile(rb"\r\n\r\n|\n\n|\r\r")


def read_request(request: Any) -> Json:
    """The part of an `httpx` or `httpx2` request that is recorded and compared.

    It contains no headers. The field "key" only reports that the key is not the environment's
    ("other") or is missing ("none").
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
    """A whole body as it is in the file: JSON, or else text, or else base64."""
    if "json" in content_type:
        try:
            return {"body": pack(from_json(content))}
        except ValueError:
            pass
    try:
        return {"text": content.decode("utf-8")}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(content).decode("ascii")}


def to_events(pieces: list[tuple[float, bytes]]) -> list[Json]:
    """A stream as it is in the file: an object for each event, with its time in seconds."""
    content = b"".join(piece for _, piece in pieces)
    ends = list(itertools.accumulate(len(piece) for _, piece in pieces))
    found, start = [], 0
    for match in EVENT_END.finditer(content):
        at = pieces[bisect.bisect_left(ends, match.end())][0]
        found.append(_to_event(at, content[start : match.start()], match[0]))
        start = match.end()
    # The rest of a stream that was cut.
    if rest := content[start:]:
        text = rest.decode("utf-8", errors="replace")
        found.append({"at": round(pieces[-1][0], 3), "raw": text})
    return found


def _to_event(at: float, block: bytes, end: bytes) -> Json:
    data = block.removeprefix(b"data: ")
    if data == b"[DONE]":
        return {"at": round(at, 3), "data": "[DONE]"}
    try:
        value = from_json(data)
        if isinstance(value, dict):
            return {"at": round(at, 3), "data": value}
    except ValueError:
        pass
    # Verbatim, with its line ends.
    return {"at": round(at, 3), "raw": (block + end).decode("utf-8", errors="replace")}


def to_pieces(recorded: Json) -> Iterator[tuple[float, bytes]]:
    """The bytes of a recorded response, each piece with its time in seconds."""
    if "body" in recorded:
        yield 0, compact(unpack(recorded["body"]))
    elif "text" in recorded:
        yield 0, recorded["text"].encode()
    elif "base64" in recorded:
        yield 0, base64.b64decode(recorded["base64"])
    for event in recorded.get("events", []):
        if "raw" in event:
            yield event["at"], event["raw"].encode()
        else:
            data = event["data"]
            text = data.encode() if isinstance(data, str) else compact(data)
            yield event["at"], b"data: " + text + b"\n\n"


def compact(value: Any) -> bytes:
    """JSON as the API writes it: without spaces, in UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _read_body(content_type: str, content: bytes) -> Any:
    if not content:
        return None
    if "json" in content_type:
        try:
            return from_json(content)
        except ValueError:
            pass
    boundary = email.message_from_string(f"Content-Type: {content_type}\n\n").get_boundary()
    if content_type.startswith("multipart/form-data") and boundary:
        parts = form_parts(content, b"--" + boundary.encode())
        return {"form": [_read_part(fields, inside) for fields, inside in parts]}
    return _digest(content)


def form_parts(content: bytes, boundary: bytes) -> Iterator[tuple[email.message.Message, bytes]]:
    """The header fields and the content of each part of a multipart body."""
    for part in content.split(boundary)[1:-1]:
        part = part.removeprefix(b"\r\n").removesuffix(b"\r\n")
        head, _, inside = part.partition(b"\r\n\r\n")
        yield email.message_from_bytes(head), inside


def _read_part(fields: email.message.Message, content: bytes) -> Json:
    name = fields.get_param("name", header="content-disposition")
    if (filename := fields.get_filename()) is None:
        return {"name": name, "value": content.decode("utf-8", errors="replace")}
    return {"name": name, "filename": filename, **_digest(content)}


def _digest(content: bytes) -> Json:
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def pack(value: Any) -> Any:
    """Shorten each long list of 16-bit floats in a JSON value to `{"float16": base64, "begins": …}`.

    The values of an embedding are exact float16, as recorded traffic shows; a list of 1024 then
    takes 2,732 characters instead of some 20,000.
    """
    if isinstance(value, list):
        if len(value) >= 32 and all(map(_may_be_float16, value)):
            import numpy as np

            short = np.array(value, dtype="<f2")
            if np.array_equal(short.astype(float), np.array(value, dtype=float)):
                return pack_row(short)
        return [pack(item) for item in value]
    if isinstance(value, dict):
        return {name: pack(item) for name, item in value.items()}
    return value


def pack_row(row: Any) -> Json:
    """A numpy array of float16 values, as `pack` would return their list."""
    text = base64.b64encode(row.astype("<f2").tobytes()).decode("ascii")
    return {"float16": text, "begins": [round(item, 4) for item in row[:3].tolist()]}


def _may_be_float16(value: Any) -> bool:
    return isinstance(value, float | int) and abs(value) <= 65504


def unpack(value: Any) -> Any:
    """Undo `pack`."""
    if isinstance(value, list):
        return [unpack(item) for item in value]
    if isinstance(value, dict) and value.keys() == {"float16", "begins"}:
        import numpy as np

        return np.frombuffer(base64.b64decode(value["float16"]), dtype="<f2").astype(float).tolist()
    if isinstance(value, dict):
        return {name: unpack(item) for name, item in value.items()}
    return value
