"""Helpers of the course: they remove chores and hide no lesson. Each file has one job."""

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
