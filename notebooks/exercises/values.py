"""What checks ask of a learner's value."""

import math


def kind(value):
    """The name of its type."""
    return type(value).__name__


def a_kind(value):
    """Its type in a sentence: a list, an int, the class Reply, or None itself."""
    if value is None:
        return "None"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    return f"an {kind(value)}" if kind(value)[0] in "AEIOaeio" else f"a {kind(value)}"


def in_a_line(error):
    """An exception in one line."""
    words, *_ = str(error).splitlines() or [""]
    return f"{kind(error)}: {words}" if words else kind(error)


def meant(value, words):
    """The one of these words that is meant: in another case, or yes or 1 for True. Else the value."""
    if isinstance(value, str):
        spelled = {str(word).casefold(): word for word in words}
        if any(word is True for word in words):
            spelled |= {"yes": True, "no": False}
        return spelled.get(" ".join(value.replace("’", "'").split()).casefold(), value)
    if isinstance(value, int | float) and not isinstance(value, bool) and value in words:
        return words[words.index(value)]
    return value


def wrong_letters(answer, why):
    """What is wrong with a dict of True and False, if anything: `why` has what is right, and why."""
    if not isinstance(answer, dict):
        return f"A dict with True or False for each of {', '.join(why)} is wanted. This is {a_kind(answer)}."
    if set(answer) != set(why):
        return f"The dict has the keys {', '.join(why)}. Yours are {', '.join(map(str, answer)) or 'none'}."
    for letter, value in answer.items():
        if not isinstance(value, bool):
            return f"{letter} is {value!r:.40}; answer with True or False."
    for letter, (right, reason) in why.items():
        if answer[letter] != right:
            name = letter if len(letter) == 1 else repr(letter)
            return f"{name} is not {answer[letter]}: {reason}."
    return None


def is_number(value):
    """Whether this is a number: also numpy's, but no True, and nothing infinite."""
    try:
        return not isinstance(value, bool | str | bytes) and abs(float(value)) < float("inf")
    except (TypeError, ValueError, OverflowError):
        return False


def close(a, b):
    """Whether two numbers agree to six digits."""
    return math.isclose(a, b, rel_tol=1e-6)


def wrong_price(dollars, right, sentence):
    """What is wrong with a price, if anything. Rounded to cents it is right."""
    if close(dollars, right) or close(dollars, round(right, 2)):
        return None
    if dollars in (round(right), round(right, 1)):
        return f"{dollars:g} is rounded too much: give the cents as well."
    cents = f"{dollars:,.2f}"
    return f"{sentence} {cents if close(dollars, float(cents.replace(',', ''))) else f'{dollars:g}'} dollars."
