"""Training data in JSON Lines form: find what is wrong in it, clean, convert, split and count it."""

from .checking import check, clean
from .report import Problem, Report
from .rules import REASONS
from .tokens import Estimate, count_tokens, estimate

__all__ = [
    "REASONS",
    "Estimate",
    "Problem",
    "Report",
    "check",
    "clean",
    "count_tokens",
    "estimate",
]
