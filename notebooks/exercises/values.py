"""What checks ask of a learner's value."""

import math


def kind(value):
    """The name of its type."""
    return type(value).__name__


def is_number(value):
    """Whether this is a number: also numpy's, but no True, and nothing infinite."""
    try:
        return not isinstance(value, bool | str | bytes) and abs(float(value)) < float("inf")
    except (TypeError, ValueError, OverflowError):
        return False


def close(a, b):
    """Whether two numbers agree to six digits."""
    return math.isclose(a, b, rel_tol=1e-6)
