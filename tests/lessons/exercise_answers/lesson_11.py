"""Right and wrong answers to lesson 11's exercises."""

import sqlite3
from typing import Literal

import pydantic

import helpers
from tests.lessons.solutions import Answers


class Claim(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")

    part: str
    months: int = pydantic.Field(ge=0, le=120)
    photo: bool


class Otherwise(pydantic.BaseModel, extra="forbid"):
    photo: bool
    part: str
    months: pydantic.conint(gt=-1, lt=121)


class Open(pydantic.BaseModel):
    part: str
    months: int = pydantic.Field(ge=0, le=120)
    photo: bool


class OnePart(pydantic.BaseModel, extra="forbid"):
    part: Literal["brake cable"]
    months: int = pydantic.Field(ge=0, le=120)
    photo: bool


class Unlimited(pydantic.BaseModel, extra="forbid"):
    part: str
    months: int = pydantic.Field(ge=0)
    photo: bool


class Optional(pydantic.BaseModel, extra="forbid"):
    part: str
    months: int = pydantic.Field(ge=0, le=120)
    photo: bool = False


class NoPart(pydantic.BaseModel, extra="forbid"):
    part: str = ""
    months: int = pydantic.Field(ge=0, le=120)
    photo: bool


class Null(pydantic.BaseModel, extra="forbid"):
    part: str | None
    months: int = pydantic.Field(ge=0, le=120)
    photo: bool


class NoPhoto(pydantic.BaseModel, extra="forbid"):
    part: str
    months: int


TASK = {"role": "system", "content": "Sort a customer's message to a bicycle shop. Answer in JSON."}
LOST = {"role": "user", "content": "Where is my order?"}
BAD = {
    "role": "assistant",
    "content": '{"label": "delivery", "urgency": 1, "quote": "my order"}',
}
LABELS = "booking, rental, payment, repair, parts, warranty"
WRONG = {"role": "user", "content": f"The label must be one of {LABELS}."}


def call(number, end):
    arguments = f'{{"start": "2026-11-24", "end": "{end}"}}'
    function = {"name": "days_between", "arguments": arguments}
    return {"id": f"abcdefgh{number}", "type": "function", "function": function, "index": number}


CALLS = [call(0, "2026-12-24"), call(1, "2026-12-31")]
BOTH = helpers.Reply(tool_calls=CALLS, finish_reason="tool_calls")
TWO = {
    "role": "user",
    "content": "How many days are there from 2026-11-24 to 2026-12-24, and how many to 2026-12-31?",
}
WISH = {"role": "assistant", "content": "", "tool_calls": CALLS}


def result(number, content):
    return {"role": "tool", "tool_call_id": f"abcdefgh{number}", "content": content}


FIRST, SECOND = result(0, "30"), result(1, "37")
NAMED = {"type": "function", "function": {"name": "days_between"}}
DECLARED = {**NAMED, "function": {**NAMED["function"], "description": "Days.", "parameters": {}}}
FUNCTIONS = {"count", "sum", "avg", "min", "max", "round", "length", "lower", "upper", "like"}


def read_only(action, table, name, *_):
    allowed = (
        action == sqlite3.SQLITE_SELECT
        or (action == sqlite3.SQLITE_READ and table == "tickets")
        or (action == sqlite3.SQLITE_FUNCTION and name in FUNCTIONS)
    )
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def no_texts(action, table, name, *_):
    hidden = action == sqlite3.SQLITE_READ and name == "text"
    return sqlite3.SQLITE_DENY if hidden else read_only(action, table, name)


def columns(action, table, name, database, trigger):
    if action == sqlite3.SQLITE_READ:
        seen = table == "tickets" and name in ("", "id", "label", "hard")
        return sqlite3.SQLITE_OK if seen else sqlite3.SQLITE_DENY
    return read_only(action, table, name)


def ignored(action, table, name, *_):
    hidden = action == sqlite3.SQLITE_READ and name == "text"
    return sqlite3.SQLITE_IGNORE if hidden else read_only(action, table, name)


def without_rows(action, table, name, *_):
    if action == sqlite3.SQLITE_READ and name not in ("id", "label", "hard"):
        return sqlite3.SQLITE_DENY
    return read_only(action, table, name)


def half_a_decision(action, table, name, *_):
    if name != "text":
        return read_only(action, table, name)


def true_or_false(action, table, name, *_):
    return name != "text" and read_only(action, table, name) == sqlite3.SQLITE_OK


def everything(*_):
    return sqlite3.SQLITE_OK


def no_decision(action, table, name, *_):
    if name == "text":
        return sqlite3.SQLITE_DENY


def only_texts(action, table, name, *_):
    hidden = action == sqlite3.SQLITE_READ and name == "text"
    return sqlite3.SQLITE_DENY if hidden else sqlite3.SQLITE_OK


def steps(messages, reply, run):
    wish = {"role": "assistant", "content": "", "tool_calls": reply.tool_calls}
    return [
        *messages,
        wish,
        *({"role": "tool", "tool_call_id": c["id"], "content": run(c)} for c in reply.tool_calls),
    ]


def appended(messages, reply, run):
    messages.append({"role": "assistant", "tool_calls": reply.tool_calls})
    for one in reversed(reply.tool_calls):
        messages.append(
            {"role": "tool", "tool_call_id": one["id"], "name": "x", "content": run(one)}
        )
    return messages


def from_raw(messages, reply, run):
    return [*messages, reply.raw["choices"][0]["message"], *steps([], reply, run)[1:]]


def whole_reply(messages, reply, run):
    return [*messages, reply, *steps([], reply, run)[1:]]


def one_id(messages, reply, run):
    first = steps(messages, reply, run)
    return [
        *first[:3],
        *(message | {"tool_call_id": reply.tool_calls[0]["id"]} for message in first[3:]),
    ]


def as_it_was(messages, reply, run):
    results = [{"role": "tool", "content": run(one)} for one in reply.tool_calls[:1]]
    return messages + results


def without_ids(messages, reply, run):
    first = steps(messages, reply, run)
    return [{k: v for k, v in message.items() if k != "tool_call_id"} for message in first]


def first_only(messages, reply, run):
    return steps(messages, reply, run)[:3]


ANSWERS = {
    "claim": Answers(
        right=[(Claim,), (Otherwise,)],
        wrong=[
            (({"part": "lamp"},), "inherits from BaseModel"),
            ((Open,), "a field `name`"),
            ((OnePart,), 'refuses {"part": "pedal", '),
            ((Unlimited,), "121 months"),
            ((Optional,), "without `photo`"),
            ((NoPart,), "without `part`"),
            ((Null,), "null as `part`"),
            ((NoPhoto,), "no field `photo`"),
        ],
    ),
    "repair": Answers(
        right=[
            ([TASK, LOST, BAD, WRONG],),
            ((TASK, LOST, BAD, {"role": "user", "content": f"label: choose {LABELS}"}),),
        ],
        wrong=[
            (([TASK, LOST, WRONG],), "system, user, user"),
            (([LOST, BAD, WRONG],), "system prompt is missing"),
            (([TASK, LOST, {**BAD, "content": "delivery"}, WRONG],), "unchanged"),
            (
                ([TASK, LOST, BAD, {**WRONG, "content": "Your label is wrong."}],),
                "'booking' is missing",
            ),
            (([TASK, LOST, BAD, {**WRONG, "content": "That is wrong."}],), "name the field"),
            (
                ([TASK, LOST, {**BAD, "content": {"label": "delivery"}}, WRONG],),
                "A `content` is a string. That of message 3 is a dict.",
            ),
            (([{**TASK, "content": "TASK"}, LOST, BAD, WRONG],), "The variable `TASK` holds"),
        ],
    ),
    "remedy": Answers(
        right=[
            ("raise max_tokens", "repair", "ask a person", "wait and retry"),
            ("Raise max_tokens", "REPAIR", "Ask a person ", "wait  and retry"),
        ],
        wrong=[
            (("repair", "repair", "ask a person", "wait and retry"), "stays cut"),
            (("raise max_tokens", "wait and retry", "ask a person", "repair"), "shown the limit"),
            (("raise max_tokens", "repair", "repair", "wait and retry"), "One repair has failed"),
            (("raise max_tokens", "repair", "ask a person", "ask a person"), "passes with time"),
            (("ask a person", "repair", "ask a person", "wait and retry"), "no person yet"),
            (
                ("more", "repair", "ask a person", "wait and retry"),
                "'more' is none of the four remedies: repair, raise max_tokens,",
            ),
        ],
    ),
    "results": Answers(
        right=[
            ([TWO, WISH, FIRST, SECOND], BOTH),
            ((TWO, WISH, SECOND, {**FIRST, "content": '{"result": 30}'}), BOTH),
        ],
        wrong=[
            (([TWO, FIRST, SECOND], BOTH), "model's message"),
            (([TWO, WISH, FIRST], BOTH), "calls is 2, and 1 result follows"),
            (([TWO, BOTH, FIRST, SECOND], BOTH), "Message 2 is a whole Reply"),
            (
                ([TWO, {"id": 1, "choices": []}, FIRST], BOTH),
                "2 has no `role`. Its keys: id, choices",
            ),
            (([TWO, WISH, "30", "37"], BOTH), "Number 3 is '30'"),
            (([TWO, WISH, {**FIRST, "role": "user"}], BOTH), "not 'user'"),
            (([{**TWO, "content": "Hello"}, WISH, FIRST, SECOND], BOTH), "than `TWO`"),
            (([TWO, WISH, result(0, "130"), SECOND], BOTH), "is '30', and not '130'"),
            (([TWO, WISH, FIRST, FIRST], BOTH), "the same `tool_call_id`, 'abcdefgh0'"),
            (([TWO, WISH, result(0, "37"), result(1, "30")], BOTH), "is '30', and not '37'"),
            (([TWO, WISH, result(0, 30), SECOND], BOTH), "a string"),
            (([TWO, {**WISH, "tool_calls": CALLS[:1]}, FIRST, SECOND], BOTH), "unchanged"),
        ],
    ),
    "choice": Answers(
        right=[
            ("Auto", NAMED, "None"),
            ("auto", NAMED, "none"),
            ("auto", {"function": {"name": "days_between"}}, "none"),
        ],
        wrong=[
            (("any", NAMED, "none"), "decides for it"),
            (("automatic", NAMED, "none"), "The words are auto, none, any, required"),
            (("auto", "required", "none"), "only a name"),
            (("auto", "days_between", "none"), "a dict that names it"),
            (("auto", {"name": "days_between"}, "none"), "under `function`"),
            (("auto", DECLARED, "none"), "refuses 'description'"),
            (("auto", NAMED, "auto"), "may still call"),
        ],
    ),
    "authorizer": Answers(
        right=[(no_texts,), (columns,), (ignored,)],
        wrong=[
            ((read_only,), "SELECT text FROM tickets"),
            ((everything,), "SELECT text FROM tickets"),
            ((only_texts,), "DELETE FROM tickets"),
            ((no_decision,), "it returns None"),
            ((half_a_decision,), "it returns None"),
            ((true_or_false,), "it returns True"),
            ((without_rows,), "it returns SQLITE_DENY (count(*) reads no column)"),
            ((lambda action: sqlite3.SQLITE_OK,), "it raises TypeError"),
        ],
    ),
    "step": Answers(
        right=[(steps,), (appended,), (from_raw,)],
        wrong=[
            ((as_it_was,), "model's message"),
            ((without_ids,), "No result names the id"),
            ((first_only,), "calls is 2, and 1 result follows"),
            ((one_id,), "Two results name the same `tool_call_id`"),
            ((whole_reply,), "Message 2 is a whole Reply"),
            ((lambda messages, reply, run: steps([], reply, run),), "so far is missing"),
        ],
    ),
    "picture": Answers(
        right=[(1452, 7.26), (44 * 33, 10_000 * 1452 * 0.5 / 1e6)],
        wrong=[
            ((1419, 7.1), "at its end"),
            ((1376, 7.1), "round up"),
            ((1200 * 900 / 784, 7.1), "round up"),
            ((1462, 7.31), "swapped"),
            ((1452, 0.726), "a thousand photos"),
            ((1452, 0.000726), "one photo"),
            ((1452, 2.178), "Small 4's price"),
            ((1452, 10.0), "don't cost 10.00"),
            ((1452, 0.00726), "don't cost 0.00726"),
            ((1452, 7.3), "7.3 is rounded too much"),
        ],
    ),
}
