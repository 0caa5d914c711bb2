"""Policies around any httpx transport: retries, rate limits, errors on demand, and their clock."""

from .clock import Clock, FakeClock
from .faults import Faults, FaultSpec, load_faults, make_fault
from .rate_limit import RateLimit
from .retry import Retried, Retry

__all__ = [
    "Clock",
    "FakeClock",
    "FaultSpec",
    "Faults",
    "RateLimit",
    "Retried",
    "Retry",
    "load_faults",
    "make_fault",
]
