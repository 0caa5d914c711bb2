"""Right and wrong answers to lesson 03's exercises."""

import contextlib
import json

from tests.lessons.solutions import Answers

RAW = (
    b'data: {"choices":[{"delta":{"content":""}}]}\n\n'
    b'data: {"choices":[{"delta":{"content":"1,"}}],"p":"abc"}\n\n'
    b'data: {"choices":[{"delta":{"content":" 2"}}],"p":"abcd"}\n\n'
    b"data: [DONE]\n\n"
)
STREAM = """\
from mistralai.client import Mistral
sdk = Mistral(api_key=os.environ["MISTRAL_API_KEY"])
count = {"model": "MODEL", "messages": [{"role": "user", "content": "Count from 1 to 5."}]}
"""
SMALL = STREAM.replace("MODEL", "mistral-small-latest")


def times(events):
    return next(seconds for seconds, text in events if text), events[-1][0]


def times_by_loop(events):
    with_text = [seconds for seconds, text in events if text]
    return [with_text[0], max(seconds for seconds, _ in events)]


HELPS = {
    "cut": True,
    "end": True,
    "refused": False,
    "server": True,
    "length": False,
    "tool": False,
}


def content(line):
    return json.loads(line.removeprefix("data: "))["choices"][0]["delta"].get("content") or ""


def read_text(lines):
    return "".join(content(line) for line in lines if line.startswith("data: {"))


def read_by_loop(lines):
    text = ""
    for line in lines:
        with contextlib.suppress(json.JSONDecodeError):
            text += content(line)
    return text


def as_given(lines, skip=lambda line: False, get=lambda delta: delta["content"]):
    text = ""
    for line in lines:
        if skip(line):
            continue
        chunk = json.loads(line.removeprefix("data: "))
        if chunk["choices"][0]["finish_reason"]:
            break
        text += get(chunk["choices"][0]["delta"])
    return text


def no_json_lines(line):
    return not line.startswith("data: {")


def all_text(lines):
    return "".join(
        json.loads(line.removeprefix("data: "))["choices"][0]["delta"]["content"]
        for line in lines
        if line.startswith("data: {")
    )


def beginning(stream, limit):
    text = ""
    with stream:
        for piece in stream:
            text += piece
            if len(text) >= limit:
                break
    return text[:limit]


def until_the_limit(stream, limit):
    text = ""
    with stream:
        while len(text) < limit:
            text += next(stream)
    return text[:limit]


def beginning_by_close(stream, limit):
    text = ""
    while len(text) < limit and (piece := next(stream, None)) is not None:
        text += piece
    stream.close()
    return text[:limit]


def one_too_many(stream, limit):
    text = ""
    with stream:
        for piece in stream:
            text += piece
            if len(text) > limit:
                break
    return text[:limit]


def left_open(stream, limit):
    text = ""
    for piece in stream:
        text += piece
        if len(text) >= limit:
            break
    return text[:limit]


def reads_all(stream, limit):
    with stream:
        return "".join(stream)[:limit]


def whole_pieces(stream, limit):
    text = ""
    with stream:
        for piece in stream:
            text += piece
            if len(text) >= limit:
                break
    return text


def turn(conversation, text, reply):
    if reply.finish_reason != "stop":
        return conversation
    question = {"role": "user", "content": text}
    return [*conversation, question, {"role": "assistant", "content": reply.text}]


def turn_in_place(conversation, text, reply):
    if reply.finish_reason == "stop":
        conversation += turn([], text, reply)
    return conversation


def always(conversation, text, reply):
    question = {"role": "user", "content": text}
    return [*conversation, question, {"role": "assistant", "content": reply.text}]


def question_stays(conversation, text, reply):
    return turn(conversation, text, reply) if reply.finish_reason == "stop" else [*conversation, 1]


def whole_reply(conversation, text, reply):
    answered = turn(conversation, text, reply)
    return [message | {"content": reply} for message in answered]


def both_by_user(conversation, text, reply):
    answered = turn(conversation, text, reply)
    return [message | {"role": "user"} for message in answered]


ANSWERS = {
    "wire": Answers(
        right=[(RAW, 4, 7), "check.wire(raw, raw.count(b'data: '), 134)"],
        wrong=[
            ((RAW, 3, 7), "`[DONE]` is also an event"),
            ((RAW, 8, 7), "does not have 8 events"),
            ((RAW, 4, 8), "not 8 characters"),
            ((RAW.decode(), 4, 7), "This is a str"),
            ((b'{"object":"error","message":"Invalid model: x"}', 0, 0), "no stream"),
        ],
    ),
    "translate": Answers(
        right=[
            SMALL + "with sdk.chat.stream(**count) as s:\n    check.translate([*s])",
            # The asynchronous way is also right.
            SMALL
            + "async with await sdk.chat.stream_async(**count) as s:\n"
            + "    check.translate([event async for event in s])",
        ],
        wrong=[
            (SMALL + "with sdk.chat.stream(**count) as s:\n    check.translate(s)", "inside the"),
            (
                SMALL + "with sdk.chat.stream(**count) as s:\n    check.translate([*s][:-1])",
                "has no finish_reason",
            ),
            (
                STREAM.replace("MODEL", "ministral-8b-latest")
                + "with sdk.chat.stream(**count) as s:\n    check.translate([*s])",
                "comes from ministral-8b-latest",
            ),
            ((["1,", " 2"],), "not their text"),
            (([],), "The list is empty"),
            (("1, 2",), "This is a str"),
        ],
    ),
    "times": Answers(
        right=[(times,), (times_by_loop,)],
        wrong=[
            ((lambda events: (events[0][0], events[-1][0]),), "first text is not 0.4."),
            ((lambda events: (times(events)[0], events[-2][0]),), "total time is not 1.0."),
            ((lambda events: (times(events)[0], 0.8),), "total time is not 0.8."),
            ((lambda events: times(events)[0],), "returned 0.45"),
        ],
    ),
    "again": Answers(
        right=[
            (HELPS,),
            (dict(reversed(HELPS.items())),),
            ({ending: ("No", "Yes")[helps] for ending, helps in HELPS.items()},),
        ],
        wrong=[
            ((HELPS | {"end": False},), "'end' is not False: you can't know"),
            ((HELPS | {"length": True},), "'length' is not True: with the same limit"),
            ((HELPS | {"tool": True},), "nothing went wrong"),
            ((HELPS | {"cut": "maybe"},), "cut is 'maybe'"),
            (({"cut": True},), "Yours are cut."),
        ],
    ),
    "read_text": Answers(
        right=[(read_text,), (read_by_loop,)],
        wrong=[
            ((as_given,), "no JSON"),
            ((lambda lines: as_given(lines, no_json_lines),), "text in the last chunk"),
            ((all_text,), "`content` of null stops it: TypeError"),
            (
                (lambda lines: as_given(lines, no_json_lines, lambda d: d.get("content") or ""),),
                "it reads 'One' and not 'One two'",
            ),
        ],
    ),
    "beginning": Answers(
        right=[(beginning,), (beginning_by_close,)],
        wrong=[
            ((reads_all,), "It read 5 pieces"),
            ((one_too_many,), "It read 3 pieces, though the first 2 were enough"),
            ((left_open,), "still open"),
            ((until_the_limit,), "With a limit of 99, it asked for a piece after the last one"),
            ((whole_pieces,), "limit of 6, it returned 'The lamp '"),
        ],
    ),
    "turn": Answers(
        right=[(turn,), (turn_in_place,)],
        wrong=[
            ((always,), "finish_reason 'length', the conversation of two messages has 4"),
            ((question_stays,), "has 3"),
            ((both_by_user,), "last two messages are"),
            ((whole_reply,), "and not its text"),
            ((lambda conversation, text, reply: conversation.extend([]),), "It returned None"),
        ],
    ),
}
