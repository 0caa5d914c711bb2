"""Helpers of the course: they remove chores and hide no lesson. Each file has one job."""

from typing import Any

from .client import Stream, chat, embed, stream
from .errors import APIError, StreamCut
from .keys import MissingKey
from .models import models
from .plots import STYLE, show
from .recordings import RecordingNotFound
from .replay import start
from .reply import Reply, Usage

__all__ = [
    "STYLE",
    "APIError",
    "MissingKey",
    "RecordingNotFound",
    "Reply",
    "Stream",
    "StreamCut",
    "Usage",
    "chat",
    "embed",
    "models",
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
