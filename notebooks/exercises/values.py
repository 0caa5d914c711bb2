"""What checks ask of a learner's value."""


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
    """Whether two numbers differ by rounding alone."""
    return abs(a - b) <= 1e-9 * max(abs(a), abs(b))
