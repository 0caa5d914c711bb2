"""Helpers of the course: they remove chores and hide no lesson. Each file has one job."""

from typing import Any

from .budget import Budget, BudgetExceeded
from .client import Stream, chat, embed, stream
from .clock import Clock, FakeClock
from .errors import APIError, StreamCut
from .faults import Fault, Faults, fault, faults
from .keys import MissingKey
from .local_server import LocalServer
from .meter import meter
from .models import models
from .plots import STYLE, show
from .prices import Price, UnknownPrice, price
from .rate_limit import RateLimit
from .recordings import RecordingNotFound
from .replay import start
from .reply import Reply, Usage
from .retry import Retried, Retry
from .tokens import TokenCount, count_tokens

__all__ = [
    "STYLE",
    "APIError",
    "Budget",
    "BudgetExceeded",
    "Clock",
    "FakeClock",
    "Fault",
    "Faults",
    "LocalServer",
    "MissingKey",
    "Price",
    "RateLimit",
    "RecordingNotFound",
    "Reply",
    "Retried",
    "Retry",
    "Stream",
    "StreamCut",
    "TokenCount",
    "UnknownPrice",
    "Usage",
    "chat",
    "count_tokens",
    "embed",
    "fault",
    "faults",
    "meter",
    "models",
    "price",
    "show",
    "start",
    "stream",
]


def __getattr__(name: str) -> Any:
    """`helpers.finetuning` without an import of its own: numpy and more, only where it is used."""
    if name == "finetuning":
        import importlib

        return importlib.import_module(".finetuning", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
