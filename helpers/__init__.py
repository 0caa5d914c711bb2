"""Helpers of the course: they remove chores and hide no lesson. Each file has one job."""

from .client import Stream, chat, embed, stream
from .clock import Clock, FakeClock
from .errors import APIError, StreamCut
from .faults import Fault, Faults, fault, faults
from .keys import MissingKey
from .local_server import LocalServer
from .models import models
from .plots import STYLE, show
from .rate_limit import RateLimit
from .recordings import RecordingNotFound
from .replay import start
from .reply import Reply, Usage
from .retry import Retried, Retry

__all__ = [
    "STYLE",
    "APIError",
    "Clock",
    "FakeClock",
    "Fault",
    "Faults",
    "LocalServer",
    "MissingKey",
    "RateLimit",
    "RecordingNotFound",
    "Reply",
    "Retried",
    "Retry",
    "Stream",
    "StreamCut",
    "Usage",
    "chat",
    "embed",
    "fault",
    "faults",
    "models",
    "show",
    "start",
    "stream",
]
