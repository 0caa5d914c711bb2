"""Policies around any httpx transport: retries, rate limits, errors on demand, and their clock."""

from .clock import Clock, FakeClock, SimulatedClock
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
    "SimulatedClock",
    "load_faults",
    "make_fault",
]
