"""Checks of lesson 11, Structured output and tools."""

import datetime
import json
import re
import sqlite3

import pydantic

import helpers

from . import exercise
from .values import a_kind, close, in_a_line, is_number, wrong_price

LABELS = ("booking", "rental", "payment", "repair", "parts", "warranty")
LOST = "Where is my order?"
BAD = '{"label": "delivery", "urgency": 1, "quote": "my order"}'
TWO = "How many days are there from 2026-11-24 to 2026-12-24, and how many to 2026-12-31?"
CHOICES = ("auto", "none", "any", "required")
REMEDIES = ("repair", "raise max_tokens", "wait and retry", "ask a person")
CLAIM = {"part": "brake cable", "months": 3, "photo": True}


@exercise(
    "Describe a claim",
    hints=(
        "Look at `Ticket`: the same three things are in it, a text, a number with limits, `extra`.",
        "A field is a name and a type: `part: str`. Limits come after it, with `= Field(ge=…, le=…)`.",
    ),
)
def claim(model):
    if not isinstance(model, type) or not issubclass(model, pydantic.BaseModel):
        return f"A class that inherits from BaseModel is wanted. This is {model!r:.60}."
    missing = [name for name in CLAIM if name not in model.model_fields]
    if missing:
        return f"The class has no field `{missing[0]}`."
    if extra := set(model.model_fields) - set(CLAIM):
        return f"The class has a field that nobody asked for: {sorted(extra)[0]}."
    for fields in (
        CLAIM,
        CLAIM | {"part": "pedal", "months": 0},
        CLAIM | {"months": 120, "photo": False},
    ):
        if not _accepts(model, fields):
            return f"It refuses {json.dumps(fields)}, which is a good claim."
    for fields, why in (
        (CLAIM | {"months": -1}, "-1 months"),
        (CLAIM | {"months": 121}, "121 months"),
        (CLAIM | {"months": 2.5}, "2.5 months, which is no whole number"),
        (CLAIM | {"part": 7}, "a part that is a number"),
        (CLAIM | {"photo": "on the way"}, "a photo that is neither true nor false"),
        *(
            ({key: CLAIM[key] for key in CLAIM if key != name}, f"a claim without `{name}`")
            for name in CLAIM
        ),
        *((CLAIM | {name: None}, f"null as `{name}`") for name in CLAIM),
        (CLAIM | {"name": "Ada"}, "a field `name`, which the class doesn't have"),
    ):
        if _accepts(model, fields):
            return f"It accepts {why}."
    return None


def _accepts(model, fields):
    try:
        model.model_validate_json(json.dumps(fields))
    except pydantic.ValidationError:
        return False
    return True


@exercise(
    "Show the model its error",
    hints=(
        "The model must see what it was asked, what it answered, and what is wrong with that.",
        "Its own answer has the role `assistant`; your complaint has the role `user`.",
        "`explain(error)` names the field and the labels that are allowed.",
    ),
)
def repair(messages):
    if problem := _not_messages(messages):
        return problem
    roles = [message["role"] for message in messages]
    if roles not in (["user", "assistant", "user"], ["system", "user", "assistant", "user"]):
        return f"The roles are {', '.join(map(str, roles)) or 'none'}. Four messages are wanted."
    if roles[0] != "system":
        return "The system prompt is missing: each request carries it again."
    task, question, answer, complaint = (message["content"] for message in messages)
    if task == "TASK":
        return "'TASK' in quotes is a text of four letters. The variable `TASK` holds the prompt."
    if question != LOST:
        return f"The first question was {LOST!r}, not {question!r:.60}."
    if answer != BAD:
        return "The answer of the model goes back unchanged, as the string that it was."
    if "label" not in complaint:
        return "The last message doesn't name the field that is wrong."
    if missing := [label for label in LABELS if label not in complaint]:
        return f"The last message doesn't say what is allowed: {missing[0]!r} is missing."
    return None


def _not_messages(messages):
    """What is wrong with the form of a conversation, if anything."""
    if not isinstance(messages, list | tuple) or not messages:
        return f"A conversation is a list of messages. This is {messages!r:.60}."
    if problem := _not_dicts(messages):
        return problem
    for number, message in enumerate(messages, 1):
        if not isinstance(message.get("content"), str):
            return f"A `content` is a string. That of message {number} is {a_kind(message.get('content'))}."
    return None


@exercise(
    "Which remedy?",
    hints=(
        "Which of the four is a mistake that the model can see and correct?",
        "Two of the four are no mistake of the model: one is your limit, one the API's.",
    ),
    words=REMEDIES,
)
def remedy(was_cut, urgency_5, still_wrong, status_429):
    given = (was_cut, urgency_5, still_wrong, status_429)
    if odd := [one for one in given if one not in REMEDIES]:
        return f"{odd[0]!r:.60} is none of the four remedies: {', '.join(REMEDIES)}."
    if was_cut == "ask a person":
        return "A cut answer needs no person yet: more tokens are enough."
    if was_cut != "raise max_tokens":
        return f"A cut answer stays cut: {was_cut!r} asks for the same again, with the same limit."
    if urgency_5 != "repair":
        return f"The model can correct an urgency of 5, if it is shown the limit. You chose {urgency_5!r}."
    if still_wrong == "repair":
        return "One repair has failed already: another costs more, and rarely helps."
    if still_wrong != "ask a person":
        return f"{still_wrong!r} doesn't help where the model repeats a mistake."
    if status_429 != "wait and retry":
        return f"A 429 passes with time (lesson 06). You chose {status_429!r}."
    return None


@exercise(
    "Answer two calls",
    hints=(
        "Four messages: the question, the model's message, and a result for each call.",
        "`both.raw` holds the model's message. Send it back unchanged.",
        "A result is `{'role': 'tool', 'tool_call_id': …, 'content': …}`; `content` is a string.",
    ),
)
def results(messages, reply):
    if not isinstance(reply, helpers.Reply) or not reply.tool_calls:
        return "The second argument is `both`, the reply that holds the calls."
    if not isinstance(messages, list | tuple) or not messages:
        return f"A conversation is a list of dicts. This is {messages!r:.60}."
    if problem := _not_dicts(messages):
        return problem
    roles = [message.get("role") for message in messages]
    if roles[:2] != ["user", "assistant"]:
        return f"It begins with your question and the model's message. The roles are {roles}."
    if messages[0].get("content") != TWO:
        return f"The conversation begins with another question than `TWO`: {messages[0].get('content')!r:.60}."
    return _wrong_results(messages[1], messages[2:], reply.tool_calls, _days)


def _not_dicts(messages):
    """Which part of a conversation is no message, if any."""
    for number, message in enumerate(messages, 1):
        if isinstance(message, helpers.Reply):
            return f"Message {number} is a whole Reply. The model's message is a part of its `raw`."
        if not isinstance(message, dict):
            return f"Each message is a dict. Number {number} is {message!r:.40}."
        if "role" not in message:
            return f"Message {number} has no `role`. Its keys: {', '.join(map(str, message))}."
    return None


def _days(call):
    spans = json.loads(call["function"]["arguments"])
    start, end = (datetime.date.fromisoformat(spans[name]) for name in ("start", "end"))
    return str((end - start).days)


def _wrong_results(wish, answers, calls, run):
    """What is wrong with the message that calls and its results, if anything."""
    sent = wish.get("tool_calls")
    if sent != calls:
        return "The model's message goes back with its `tool_calls` unchanged."
    if odd := [answer for answer in answers if answer.get("role") != "tool"]:
        return f"A result has the role `tool`, not {odd[0].get('role')!r:.40}."
    if len(answers) != len(calls):
        results = "1 result follows" if len(answers) == 1 else f"{len(answers)} results follow"
        return f"The number of calls is {len(calls)}, and {results}: each call needs one."
    ids = [answer.get("tool_call_id") for answer in answers]
    if twice := [one for one in ids if one is not None and ids.count(one) > 1]:
        return f"Two results name the same `tool_call_id`, {twice[0]!r:.40}: each call has its own."
    found = {answer.get("tool_call_id"): answer.get("content") for answer in answers}
    for call in calls:
        if call["id"] not in found:
            return f"No result names the id {call['id']} as its `tool_call_id`."
        content = found[call["id"]]
        if not isinstance(content, str):
            return f"`content` is a string. It is {content!r:.60}."
        if not re.search(rf"(?<![\w-]){re.escape(run(call))}(?!\w)", content):
            return f"The result of {call['id']} is {run(call)!r}, and not {content!r:.60}."
    return None


@exercise(
    "Choose the tool_choice",
    hints=(
        "The table above has all of them. One leaves the choice to the model.",
        'A name is a dict: `{"type": "function", "function": {"name": …}}`.',
    ),
    words=CHOICES,
)
def choice(chat, form, last):
    for one in (chat, last):
        if isinstance(one, str) and one not in CHOICES:
            return f"{one!r:.60} is no `tool_choice`. The words are {', '.join(CHOICES)}."
    if chat != "auto":
        return f"In the chat the model should decide. {chat!r:.60} decides for it."
    if form in ("any", "required"):
        return f"{form!r} demands a call, but of any tool: only a name demands this one."
    if not isinstance(form, dict):
        return f"For one tool, `tool_choice` is a dict that names it. This is {form!r:.60}."
    function = form.get("function")
    if not isinstance(function, dict) or function.get("name") != "days_between":
        return "The name stands in the dict under `function` and `name`: days_between."
    if extra := set(function) - {"name"}:
        return f"The API refuses {sorted(extra)[0]!r} here: the name is enough, and `tools` has the rest."
    if form.get("type", "function") != "function" or set(form) - {"type", "function"}:
        return "The dict has two fields: `type`, which is 'function', and `function`."
    if last != "none":
        return f"With {last!r:.60} the model may still call a tool in the last round."
    return None


ALLOWED = (
    "SELECT count(*) FROM tickets",
    "SELECT label, count(*) FROM tickets GROUP BY label",
    "SELECT id FROM tickets WHERE hard = 1",
)
ABOUT_TEXT = (
    "SELECT text FROM tickets",
    "SELECT * FROM tickets",
    "SELECT id FROM tickets WHERE text LIKE '%deposit%'",
    "SELECT max(length(text)) FROM tickets",
)
FORBIDDEN = (
    "DELETE FROM tickets",
    "UPDATE tickets SET label = 'x'",
    "SELECT * FROM sqlite_master",
)


@exercise(
    "Hide what customers wrote",
    hints=(
        "`read_only` does nearly all of it. Ask it at the end, for what you don't decide yourself.",
        "For SQLITE_READ, `table` is the table and `name` the column: refuse the column `text`.",
        "A function that ends without `return` returns None, which is no decision.",
    ),
)
def authorizer(decide):
    if not callable(decide):
        return f"Define a function. This is {decide!r:.60}."
    for sql in (*ALLOWED, *ABOUT_TEXT, *FORBIDDEN):
        rows, problem = _rows(sql, decide)
        if problem and (sql in ALLOWED or not problem.startswith("for ")):
            return f"At {sql!r}: {problem}."
        if rows is not None and sql in FORBIDDEN:
            return f"It lets this pass: {sql}"
        # Where the column reads as NULL (SQLITE_IGNORE), the rows don't depend on the texts.
        if rows is not None and sql in ABOUT_TEXT and rows != _rows(sql, decide, text="?")[0]:
            return f"It lets this pass: {sql}"
    return None


def _rows(sql, decide, text="My deposit?"):
    """The rows that a statement finds or None, and what stopped it."""
    problems = []

    def asked(action, *about):
        try:
            decision = decide(action, *about)
        except Exception as error:
            problems.append(f"it raises {in_a_line(error)}")
            return sqlite3.SQLITE_DENY
        if type(decision) is not int:
            problems.append(f"it returns {decision!r:.40}, not a constant such as SQLITE_OK")
            return sqlite3.SQLITE_DENY
        if decision == sqlite3.SQLITE_DENY:
            column = " (count(*) reads no column)" if about[1] == "" else ""
            problems.append(f"for {_action(action)} and {about[:2]} it returns SQLITE_DENY{column}")
        return decision

    database = sqlite3.connect(":memory:")
    try:
        database.execute("CREATE TABLE tickets (id TEXT, text TEXT, label TEXT, hard INTEGER)")
        database.execute("INSERT INTO tickets VALUES ('m1', ?, 'payment', 1)", [text])
        database.commit()
        database.set_authorizer(asked)
        return database.execute(sql).fetchall(), None
    except sqlite3.Error as error:
        return None, problems[0] if problems else f"SQLite refuses its decision: {error}"
    finally:
        database.close()


def _action(number):
    names = {getattr(sqlite3, f"SQLITE_{name}"): name for name in ("SELECT", "READ", "FUNCTION")}
    return f"SQLITE_{names[number]}" if number in names else f"the action {number}"


@exercise(
    "Find three bugs",
    hints=(
        "There are three mistakes. Compare with the last lines of `solve`.",
        "What must stand before the results? And which call does a result answer?",
        "`[:1]` answers the first call only. Each call needs its own result.",
    ),
)
def step(next_messages):
    if not callable(next_messages):
        return f"Define a function. This is {next_messages!r:.60}."
    for count in (1, 2):
        calls = [
            {
                "id": f"aBc45678{number}",
                "type": "function",
                "function": {"name": "days_between", "arguments": "{}"},
                "index": number,
            }
            for number in range(count)
        ]
        asked = {"role": "user", "content": "How long?"}
        message = {"role": "assistant", "content": "", "tool_calls": calls}
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
        reply = helpers.Reply.from_json({"choices": [choice]})
        got = next_messages([asked], reply, lambda call: f"result of {call['id']}")
        if not isinstance(got, list | tuple):
            return f"The function returns a list of messages. It returned {got!r:.60}."
        if problem := _not_dicts(got):
            return problem
        if not got or got[0] != asked:
            return "The conversation so far is missing at the beginning."
        if len(got) < 2 or got[1].get("role") != "assistant":
            return "The model's message with its calls is missing between question and results."
        if problem := _wrong_results(
            got[1], got[2:], calls, lambda call: f"result of {call['id']}"
        ):
            return problem
    return None


@exercise(
    "Price a photo",
    hints=(
        "`picture_tokens` of the lesson counts it.",
        "`models` holds the price of a million tokens of input, in `usd_per_million_input`.",
    ),
)
def picture(tokens, dollars):
    if not is_number(tokens) or not is_number(dollars):
        return f"Two numbers are wanted. These are {tokens!r:.40} and {dollars!r:.40}."
    if tokens == 43 * 33:
        return "Each row of squares has one token more, at its end."
    if tokens == 1462:
        return (
            "Width and height are swapped: the extra tokens are one for each row, not each column."
        )
    if tokens in (42 * 32, 43 * 32, 1200 * 900 / 28**2) or (
        isinstance(tokens, float) and not tokens.is_integer()
    ):
        return "A square that is only begun counts as a whole one: round up."
    if tokens != 44 * 33:
        return f"1,200 by 900 pixels are not {tokens} tokens."
    row = helpers.models().set_index("id")["usd_per_million_input"]
    right = 10_000 * tokens * row["mistral-large-2512"] / 1_000_000
    for bill, mistake in (
        (right / 10_000, "This is the price of one photo."),
        (right / 10, "This is the price of a thousand photos."),
        (right * 1_000_000, "The prices are for a million tokens."),
        (10_000 * tokens * row["mistral-small-2603"] / 1_000_000, "This is Small 4's price."),
    ):
        if close(dollars, bill):
            return mistake
    return wrong_price(dollars, right, "10,000 photos don't cost")
