"""Policies around any httpx transport: retry, rate limit, errors on demand, and the time they use."""

from .clock import Clock, FakeClock
from .faults import Fault, Faults, fault, fault_table
from .rate_limit import RateLimit
from .retry import Retried, Retry

__all__ = [
    "Clock",
    "FakeClock",
    "Fault",
    "Faults",
    "RateLimit",
    "Retried",
    "Retry",
    "fault",
    "fault_table",
]
