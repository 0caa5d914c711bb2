"""The course's helpers: they take over chores, not what a lesson teaches.

The core takes 15 to 20 minutes to read: `client` (chat, stream, embed), `reply` (the answers),
`errors` (what went wrong, and what to do), `keys` (the key), `plots` (figures), `modes` (where
answers come from). A learner can stop there. It needs httpx alone; `embed` also numpy, `stream`
also httpx-sse. Two small modules serve all others: `data` finds the course's files, and `atomic`
replaces a file whole.

The subpackages, each of which imports only those above it:

- `replay`: recorded answers; its README.md follows one call
- `transports`: Retry, RateLimit, Faults: policies around any httpx transport
- `costs`: models, prices, tokens, the meter, a Budget
- `finetuning`: checks of training data, before you pay for training
- `offline`: the API on this machine: written answers, vectors, a server

`modes.start` uses all of them; `setup_check` (`python -m helpers`) says whether this machine is
ready.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .client import chat, embed, stream
    from .costs.budget import Budget
    from .costs.meter import meter
    from .costs.models import models
    from .costs.prices import price
    from .costs.tokens import count_tokens
    from .errors import APIError, StreamCut
    from .modes import start
    from .plots import STYLE, show
    from .replay.recordings import RecordingNotFound
    from .reply import Reply
    from .transports.faults import Faults
    from .transports.rate_limit import RateLimit
    from .transports.retry import Retry

__all__ = [
    "STYLE",
    "APIError",
    "Budget",
    "Faults",
    "RateLimit",
    "RecordingNotFound",
    "Reply",
    "Retry",
    "StreamCut",
    "chat",
    "count_tokens",
    "embed",
    "meter",
    "models",
    "price",
    "show",
    "start",
    "stream",
]
ROOMS = ("costs", "finetuning", "offline", "replay", "transports")
_CORE = ("client", "errors", "keys", "modes", "plots", "reply")
# Imported on first use: so `import helpers` is fast, and `python -m helpers` can say what is missing.
_LAZY = {
    "chat": "client",
    "embed": "client",
    "stream": "client",
    "APIError": "errors",
    "StreamCut": "errors",
    "start": "modes",
    "STYLE": "plots",
    "show": "plots",
    "RecordingNotFound": "replay.recordings",
    "Reply": "reply",
    "Budget": "costs.budget",
    "meter": "costs.meter",
    "models": "costs.models",
    "price": "costs.prices",
    "count_tokens": "costs.tokens",
    "Faults": "transports.faults",
    "RateLimit": "transports.rate_limit",
    "Retry": "transports.retry",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(f".{_LAZY[name]}", __name__), name)
    if name in ROOMS or name in _CORE:
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *ROOMS])
