"""Helpers of the course: they remove chores and hide no lesson. Each file has one job."""

from .budget import Budget, BudgetExceeded
from .client import Stream, chat, embed, stream
from .errors import APIError, StreamCut
from .keys import MissingKey
from .meter import meter
from .models import models
from .plots import STYLE, show
from .prices import Price, UnknownPrice, price
from .recordings import RecordingNotFound
from .replay import start
from .reply import Reply, Usage
from .tokens import TokenCount, count_tokens

__all__ = [
    "STYLE",
    "APIError",
    "Budget",
    "BudgetExceeded",
    "MissingKey",
    "Price",
    "RecordingNotFound",
    "Reply",
    "Stream",
    "StreamCut",
    "TokenCount",
    "UnknownPrice",
    "Usage",
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
