"""Training data in JSON Lines: find what is wrong with it, clean, split and count it.

README.md here describes the checks. From the bottom: files (bytes), rules (one line), duplicates
(lines compared), checker (a file), splitter, samples and tokens (what is good).
"""

from .checker import check, clean
from .report import Problem, Report
from .rules import REASONS
from .samples import read, write
from .secrets import hide_secrets
from .splitter import split
from .tokens import sample_tokens

__all__ = [
    "REASONS",
    "Problem",
    "Report",
    "check",
    "clean",
    "hide_secrets",
    "read",
    "sample_tokens",
    "split",
    "write",
]
