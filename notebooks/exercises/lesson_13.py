"""Checks of lesson 13's exercises."""

import math

from . import exercise
from .values import a_kind, close, in_a_line, is_number, meant, wrong_price

PLACES = {
    1: "Base64 is no lock: any visitor decodes it.",
    3: "What stands in an image can be read by all who have the image.",
    5: "A header of the answer arrives in the visitor's browser.",
    6: "Logs are copied, kept and read by many.",
}
SAFE = {
    2: "The server has to have it while it runs, and nobody else sees its environment.",
    4: "A mounted secret is in neither the image nor the code.",
}


@exercise(
    "Where may the key stand?",
    hints=(
        "For each place, ask who can read it: visitors, holders of the image, readers of logs.",
        "Two places hold the key only where the server runs, and only while it does.",
    ),
    words=(1, 2, 3, 4, 5, 6),
)
def places(safe):
    if not isinstance(safe, list | tuple | set) or not all(type(place) is int for place in safe):
        return "Give a list of numbers, such as [1, 2]."
    for place in safe:
        if place in PLACES:
            return f"Not {place}. {PLACES[place]}"
        if place not in SAFE:
            return f"There is no place {place}."
    for place, reason in SAFE.items():
        if place not in safe:
            return f"{place} is missing. {reason}"
    return None


@exercise(
    "Count what people leave",
    hints=(
        "First take the lines whose `event` is 'chat'.",
        "Guard the division: there may be no chat at all.",
    ),
)
def log(left_share):
    if not callable(left_share):
        return f"Define a function. This is {a_kind(left_share)}."
    chats = [{"event": "chat", "end": end} for end in ("stop", "left", "length", "left")]
    others = [{"event": "started", "port": 1}, {"event": "refused", "end": "too_large"}]
    for lines, right, about in (
        (chats, 0.5, "four chats, two of them left"),
        ([*others, *chats], 0.5, "the same four chats after two lines of other events"),
        (others, 0, "no chat at all"),
        (chats[:1], 0, "one chat that ended with stop"),
    ):
        try:
            got = left_share(lines)
        except (ZeroDivisionError, KeyError) as error:
            return f"For {about}, it raised {in_a_line(error)}."
        if not is_number(got):
            return f"For {about}, it returned {got!r}, which is no number."
        if not close(got, right):
            return f"For {about}, it returned {got!r}."
    return None


REFUSALS = {
    "bad_request": "The same request has the same mistake again.",
    "wrong_origin": "The page stays another site's page.",
    "too_large": "The conversation is as long as before.",
    "budget": "The budget is renewed at midnight UTC, not in a minute.",
}
PASSING = {
    "too_many": "a minute later, this user may ask again",
    "busy": "a place is free as soon as another answer ends",
    "stopping": "another replica, or the restarted server, takes it",
}


@exercise(
    "Does asking again help?",
    hints=(
        "Sort them: is the cause in the request itself, or in the moment?",
        "Of the causes in the moment, one lasts until tomorrow.",
    ),
    words=(*REFUSALS, *PASSING),
)
def again(worth_another_try):
    if not isinstance(worth_another_try, list | tuple | set):
        return f"Give a list of codes. This is {a_kind(worth_another_try)}."
    for code in worth_another_try:
        if code in REFUSALS:
            return f"Not {code!r}. {REFUSALS[code]}"
        if code not in PASSING:
            return f"There is no code {code!r}."
    for code, reason in PASSING.items():
        if code not in worth_another_try:
            return f"{code!r} is missing: {reason}."
    return None


USER, ASSISTANT = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes?"}
SYSTEM = {"role": "system", "content": "You obey."}
CONVERSATIONS = (
    ("one question", [USER], True),
    ("question, answer, question", [USER, ASSISTANT, USER], True),
    ("no message", [], False),
    ("a system prompt", [SYSTEM, USER], False),
    ("a system prompt between two questions", [USER, SYSTEM, USER], False),
    ("an answer at the end", [USER, ASSISTANT], False),
    ("an answer at the beginning", [ASSISTANT, USER, ASSISTANT], False),
    ("two questions in a row", [USER, USER], False),
    ("three questions in a row", [USER, USER, USER], False),
    ("empty content", [USER | {"content": ""}], False),
    ("blank content", [USER | {"content": "  "}], False),
    ("content that is a list", [USER | {"content": ["Hi"]}], False),
    ("a message without content", [{"role": "user"}], False),
    ("a message that is a text", ["Hi"], False),
    ("a text instead of a list", "Hi!", False),
    ("None", None, False),
)


@exercise(
    "Check the roles",
    hints=(
        "The number of messages is odd. What does that mean for an empty list?",
        "`enumerate` gives each message its number; even ones are the user's.",
        "`message.get(…)` needs a dict: check that first.",
    ),
)
def roles(is_conversation):
    if not callable(is_conversation):
        return f"Define a function. This is {a_kind(is_conversation)}."
    for about, messages, right in CONVERSATIONS:
        try:
            got = is_conversation(messages)
        except Exception as error:
            return f"For {about}, it raised {in_a_line(error)}."
        if meant(got, (True, False)) is not right:
            return f"For {about}, it returned {got!r}, not {right}."
    return None


SENDERS = (
    ("198.51.100.1, 203.0.113.9", "10.0.0.1", 1, "203.0.113.9"),
    ("203.0.113.9", "10.0.0.1", 1, "203.0.113.9"),
    ("198.51.100.1, 203.0.113.9", "192.0.2.7", 0, "192.0.2.7"),
    ("198.51.100.1, 203.0.113.9, 10.0.0.2", "10.0.0.1", 2, "203.0.113.9"),
    ("", "10.0.0.1", 1, "10.0.0.1"),
    ("198.51.100.1,2001:db8::7,10.0.0.2", "10.0.0.1", 2, "2001:db8::7"),
    ("203.0.113.9", "10.0.0.1", 3, "10.0.0.1"),
)


@exercise(
    "Who sent it?",
    hints=(
        "Put `peer` at the end of the list: it is whom the last proxy can't add itself.",
        "With no proxy, the visitor is the last of this list; with one, the last but one.",
        "An empty header splits into one empty text. Leave empty ones out.",
    ),
)
def sender(sender):
    if not callable(sender):
        return f"Define a function. This is {a_kind(sender)}."
    for forwarded, peer, hops, right in SENDERS:
        call = f"sender({forwarded!r}, {peer!r}, {hops})"
        try:
            got = sender(forwarded, peer, hops)
        except Exception as error:
            return f"{call} raised {in_a_line(error)}."
        if got != right:
            wrong = " The visitor wrote that part." if got == "198.51.100.1" else ""
            return f"{call} returned {got!r}, not {right!r}.{wrong}"
    return None


@exercise(
    "The worst day",
    hints=(
        "First one request: bytes in times the price in, plus tokens out times the price out.",
        "The prices are for a million tokens.",
        "A day has 1,440 minutes, with 10 requests each.",
    ),
)
def worst(dollars_a_day):
    if not is_number(dollars_a_day):
        return f"A number of dollars is wanted. This is {a_kind(dollars_a_day)}."
    into, out = 12_073 * 0.15 / 1e6, 800 * 0.60 / 1e6
    requests = 1440 * 10
    for value, mistake in (
        (into + out, "This is the price of one request."),
        (10 * (into + out), "This is the price of one minute."),
        (1440 * (into + out), "This is a day with one request a minute. They send ten."),
        (requests * into, "This leaves out the answers."),
        (requests * out, "This leaves out the questions."),
        (requests * (into + out) * 1e6, "The prices are for a million tokens."),
        (600 * (into + out), "This is one hour."),
    ):
        if close(dollars_a_day, value):
            return mistake
    return wrong_price(dollars_a_day, requests * (into + out), "In a day, they can't cost")


@exercise(
    "How long may a stop take?",
    hints=(
        "The longest answer may begin just before the signal.",
        "The platform's kill must come after the last thing that `serve.py` does.",
    ),
)
def times(grace, platform):
    if not is_number(grace) or not is_number(platform):
        return "Both are numbers of seconds."
    if grace < 45:
        return f"With a grace of {grace:g} s, an answer of 45 s is cut off."
    if platform < grace + 5:
        return f"The platform kills after {platform:g} s, before the grace and five more are over."
    if platform > 120:
        return f"A deployment that waits {platform:g} s takes more than two minutes."
    return None


@exercise(
    "How many people?",
    hints=(
        "How many tokens does one person use in a minute?",
        "The load may be 0.7 of 50,000 tokens. Round down: one more would be too many.",
    ),
)
def people(people):
    if not is_number(people):
        return f"A whole number is wanted. This is {a_kind(people)}."
    each = 1_300 * 30 / 60
    exact = 0.7 * 50_000 / each
    if people == math.floor(exact):
        return None
    for value, mistake in (
        (50_000 / each, "This is a load of 1, at which the wait has no end."),
        (0.7 * 50_000 / (1_300 * 30), "30 questions are for an hour, not for a minute."),
        (50_000 / (1_300 * 30), "30 questions are for an hour, not for a minute."),
        (0.7 * 50_000 / 1_300, "This is the number of questions in a minute."),
    ):
        if math.floor(value) <= people <= math.ceil(value):
            return mistake
    if math.floor(exact) < people < math.ceil(exact):
        return "People come whole: round down."
    if people == math.ceil(exact):
        return "Rounded up, the load is above 0.7."
    return f"{people:g} people make a load of {people * each / 50_000:.2f}."
