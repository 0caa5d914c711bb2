"""Training data in JSON Lines form: find what is wrong in it, clean, convert, split and count it."""

from .checking import check, clean
from .report import Problem, Report
from .rules import REASONS
from .samples import from_pairs, read, split, write
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
    "from_pairs",
    "read",
    "split",
    "write",
]
