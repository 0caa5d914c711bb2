"""Checks of lesson 11, Structured output and tools."""

from . import exercise


def _any(*a):
    return None


for n in ("claim", "repair", "remedy", "results", "choice", "authorizer", "step", "picture"):

    def f(*a):
        return None

    f.__name__ = n
    globals()[n] = exercise(n)(f)
