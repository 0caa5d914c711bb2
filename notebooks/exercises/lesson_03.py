"""Checks of lesson 03, Streaming."""

import json

import helpers

from . import exercise
from .values import a_kind, kind, wrong_letters


@exercise(
    "Count what came over the wire",
    hints=(
        'Each event is a line that begins with `data: `. `raw.decode().split("\\n")` makes lines.',
        "`[DONE]` is an event without JSON.",
        "Not every chunk has a `p`: `chunk.get('p', '')`.",
    ),
)
def wire(raw, events, padding):
    if not isinstance(raw, bytes):
        return f"The first argument is `raw`, the bytes of the stream. This is {a_kind(raw)}."
    if type(events) is not int or type(padding) is not int:
        return "Two whole numbers are wanted: the events, and the characters of padding."
    lines = [line for line in raw.decode().split("\n") if line.startswith("data: ")]
    if not lines:
        return "`raw` holds no stream: run the cell that fills it again, as it was."
    chunks = [json.loads(line.removeprefix("data: ")) for line in lines if "data: {" in line]
    if events == len(chunks) != len(lines):
        return f"There are {events} chunks. `[DONE]` is also an event."
    if events != len(lines):
        return f"The stream does not have {events} events."
    letters = sum(len(chunk.get("p", "")) for chunk in chunks)
    return None if padding == letters else f"The padding is not {padding} characters in all."


@exercise(
    "Translate a stream of 2024",
    hints=(
        "The cell above this exercise has each line that you need.",
        "`client.chat_stream(...)` became `client.chat.stream(...)`, in a `with` block.",
        "`list(stream)` inside the `with` block keeps all events.",
    ),
)
def translate(events):
    if kind(events).startswith("EventStream"):
        return "This is the open stream. Keep its events in a list, inside the `with` block."
    if events in ([], ()):
        return (
            "The list is empty. Fill it inside the `with` block: afterwards, the stream is closed."
        )
    if not isinstance(events, list | tuple):
        return f"A list of the SDK's events is wanted. This is {a_kind(events)}."
    if any(isinstance(event, str) for event in events):
        return "Keep the SDK's events as they are, and not their text."
    if kind(events[0]) != "CompletionEvent":
        return f"The SDK's events are CompletionEvents. The first of these is {a_kind(events[0])}."
    if not events[-1].data.choices[0].finish_reason:
        return "The last event is missing: the last of these has no finish_reason."
    if events[0].data.model != "mistral-small-latest":
        return f"This answer comes from {events[0].data.model}, not from mistral-small-latest."
    return None


@exercise(
    "Measure a stream",
    hints=(
        "The first event gives the role, and no text.",
        "The total is the time of the last event, whether it has text or not.",
        "`next(seconds for seconds, text in events if text)` is the first that has text.",
    ),
)
def times(function):
    if not callable(function):
        return f"Define a function. This is {a_kind(function)}."
    for events in (
        [(0.40, ""), (0.45, "The"), (1.00, " end."), (1.25, "")],
        [(0.2, ""), (0.3, ""), (2.5, "Late"), (2.75, " words")],
    ):
        got = function(list(events))
        if not isinstance(got, tuple | list) or len(got) != 2:
            return f"The function returns two times. It returned {got!r}."
        first, total = next(at for at, text in events if text), events[-1][0]
        if got[0] != first:
            return f"For {events}, the time to the first text is not {got[0]!r}."
        if got[1] != total:
            return f"For {events}, the total time is not {got[1]!r}."
    return None


WHY = {
    "cut": (True, "the connection broke by accident, and the next one may hold"),
    "end": (True, "you can't know that nothing was missing, and the next stream may be confirmed"),
    "refused": (False, "the field `seed` is still unknown the next time"),
    "server": (True, "the request was fine, and the server may have recovered"),
    "length": (False, "with the same limit, the answer will be cut off again"),
    "tool": (False, "nothing went wrong. The model waits for what your function returns"),
}


@exercise(
    "Decide whether to ask again",
    hints=(
        "The question is about the same request, unchanged.",
        "Whatever is wrong with a request is still wrong when you send it again.",
        "A limit on the length that was too low is still too low.",
    ),
    words=(*WHY, True, False),
)
def again(helps):
    return wrong_letters(helps, WHY)


def lines_of(*deltas):
    """A stream's lines: deltas as chunks, the last with a finish_reason, then [DONE]."""
    lines = []
    for number, delta in enumerate(deltas, 1):
        reason = "stop" if number == len(deltas) else None
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        lines += [f"data: {json.dumps({'choices': [choice]})}", ""]
    return [*lines, "data: [DONE]", ""]


ROLE = {"role": "assistant", "content": ""}


@exercise(
    "Find the bugs in a reader",
    hints=(
        'Run it on `raw.decode().split("\\n")`, and read the error. Which lines are no JSON?',
        "In recorded traffic, many last chunks have text.",
        "A delta may have no `content`, or null: `.get('content') or ''`.",
    ),
)
def read_text(function):
    if not callable(function):
        return f"Define a function. This is {a_kind(function)}."
    for deltas, wanted, case in (
        ((ROLE, {"content": "One"}, {"content": ""}), "One", "an empty last chunk"),
        ((ROLE, {"content": "One"}, {"content": " two"}), "One two", "text in the last chunk"),
        ((ROLE, {"content": None}, {"content": "One"}), "One", "a `content` of null"),
        ((ROLE, {"tool_calls": []}, {"content": "One"}), "One", "a delta without `content`"),
    ):
        try:
            got = function(lines_of(*deltas))
        except json.JSONDecodeError:
            return "It stops at a line that is no JSON: blank lines and [DONE] are none."
        except (KeyError, TypeError) as error:
            return f"A stream with {case} stops it: {type(error).__name__}: {error}"
        if got != wanted:
            return f"From a stream with {case}, it reads {got!r} and not {wanted!r}."
    return None


class Pieces:
    """A stream of pieces that knows how many were read, and whether it was closed."""

    def __init__(self, *pieces):
        self.left, self.read, self.closed = list(pieces), 0, False

    def __iter__(self):
        return self

    def __next__(self):
        if not self.left or self.closed:
            raise StopIteration
        self.read += 1
        return self.left.pop(0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.closed = True


@exercise(
    "Stop when you have enough",
    hints=(
        "A `with` block closes the stream, also when you leave it by `break` or `return`.",
        "Count the characters as they come. Leave once there are `limit`.",
        "The last piece may be longer than you need: `text[:limit]`.",
    ),
)
def beginning(function):
    if not callable(function):
        return f"Define a function. This is {a_kind(function)}."
    pieces = ("The ", "lamp ", "was lit ", "at ", "last.")
    whole = "".join(pieces)
    for limit, wanted, enough in ((6, "The la", 2), (9, "The lamp ", 2), (99, whole, 5)):
        stream = Pieces(*pieces)
        try:
            got = function(stream, limit)
        except StopIteration:
            return f"With a limit of {limit}, it asked for a piece after the last one."
        if got != wanted:
            return f"Of 'The lamp was lit at last.' and a limit of {limit}, it returned {got!r}."
        if stream.read > enough:
            return f"It read {stream.read} pieces, though the first {enough} were enough."
        if not stream.closed:
            return "The stream is still open: the connection lives on, and so may the answer."
    return None


@exercise(
    "Remember a turn",
    hints=(
        "An answer is complete where its `finish_reason` is 'stop'.",
        "Two messages join a conversation: the question and the answer.",
        "Where the answer is not complete, return the conversation as it was.",
    ),
)
def turn(function):
    if not callable(function):
        return f"Define a function. This is {a_kind(function)}."
    before = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi."}]
    question = {"role": "user", "content": "And for dinner?"}
    answer = {"role": "assistant", "content": "A bouchon in the old town"}
    for reason, wanted in (
        ("stop", [*before, question, answer]),
        ("length", before),
        (None, before),
    ):
        reply = helpers.Reply(text=answer["content"], finish_reason=reason)
        got = function([*before], question["content"], reply)
        if not isinstance(got, list | tuple):
            return f"The function returns the conversation. It returned {got!r}."
        if list(got) == wanted:
            continue
        if len(got) != len(wanted):
            return (
                f"After an answer with the finish_reason {reason!r}, the conversation of two "
                f"messages has {len(got)}."
            )
        if isinstance(got[-1], dict) and isinstance(got[-1].get("content"), helpers.Reply):
            return "The content of the last message is the whole reply, and not its text."
        return f"After a complete answer, its last two messages are {list(got[-2:])}."
    return None
