"""The API on this machine: written answers, vectors of texts, and a server on loopback.

- `schema`, `refusals`: what a request may hold, and what the API would refuse
- `answers`, `labels`, `vectors` (with `minilm`): what is answered; `tokens`: what it counts as
- `bodies`, `models`, `api`: the wire format, the models, the routes
- `fallback`, `server`: where it answers: in replay, over HTTP

README.md follows one question through them.
"""

from __future__ import annotations

import importlib
from typing import Any


def __getattr__(name: str) -> Any:
    """`helpers.offline.server`, loaded when it is first used."""
    if name in ("fallback", "server"):
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
