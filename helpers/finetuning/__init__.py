"""Training data in JSON Lines: find what is wrong with it, clean, convert, split and count it.

README.md here describes the checks. From the bottom: files (bytes), rules (one line), duplicates
(lines compared), checker (a file), splitter, samples and tokens (what is good).
"""

from .checker import check, clean
from .report import Problem, Report
from .rules import REASONS
from .samples import from_pairs, read, write
from .splitter import split
from .tokens import Estimate, estimate, sample_tokens

__all__ = [
    "REASONS",
    "Estimate",
    "Problem",
    "Report",
    "check",
    "clean",
    "estimate",
    "from_pairs",
    "read",
    "sample_tokens",
    "split",
    "write",
]
