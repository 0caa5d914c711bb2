"""Checks of lesson 02, First call."""

import helpers
from helpers.replay.matching import KNOWN_FIELDS

from . import exercise, plain
from .values import a_kind, close, meant, wrong_price

QUESTION = "Name three French cheeses, comma-separated, nothing else."
CHEESE = "What is the best French cheese?"
FOLLOW_UP = "Which of the two melts better?"


@exercise(
    "Build a request",
    hints=(
        "The body of a chat request is a dict with the fields `model` and `messages`.",
        "`messages` is a list, also where it holds one message: a dict with `role` and `content`.",
        "The limit on the answer's length is a third field. The section on length names it.",
    ),
)
def body(request):
    if not isinstance(request, dict):
        return f"The body is a dict, which becomes a JSON object. This is {a_kind(request)}."
    if extra := set(request) - {"model", "messages", "max_tokens"}:
        name = sorted(map(str, extra))[0]
        if name in KNOWN_FIELDS:
            return f"The API takes {name!r}, but nobody asked for it here."
        return f"The API would answer with 422: it knows no field {name!r} here."
    if request.get("model") != "mistral-small-latest":
        return f"`model` is {request.get('model')!r}, not 'mistral-small-latest'."
    messages = request.get("messages")
    if not isinstance(messages, list | tuple):
        return f"`messages` is a list, also of one message. This is {a_kind(messages)}."
    if len(messages) != 1:
        return f"One message is enough here. There are {len(messages)}."
    message = messages[0]
    if not isinstance(message, dict) or set(message) != {"role", "content"}:
        return f"A message is a dict with `role` and `content`. This is {message!r:.60}."
    if message["role"] != "user":
        return f"The question comes from the role 'user', not from {message['role']!r}."
    # The same text, as a list of one part.
    content = message["content"]
    if content not in (QUESTION, [{"type": "text", "text": QUESTION}]):
        return f"The question is not word for word the one above, with its full stop: {content!r}."
    if "max_tokens" not in request:
        return "The limit of 30 tokens is missing."
    limit = request["max_tokens"]
    if type(limit) is not int:
        return f"`max_tokens` is a whole number. It is {limit!r}."
    if limit != 30:
        return f"`max_tokens` caps the answer at {limit} tokens, not at 30."
    return None


@exercise(
    "Read an answer",
    hints=(
        "Print `answer` again, and follow the names from the outside in.",
        "`choices` is a list, so a `[0]` comes before `message`.",
        "An answer is complete where its `finish_reason` is 'stop'.",
    ),
)
def read(summarize):
    if not callable(summarize):
        return f"Define a function. This is {a_kind(summarize)}."
    for text, reason, tokens in (("Comté", "stop", 25), ("It depends.", "length", 34)):
        choice = {"index": 0, "message": {"role": "assistant", "content": text}}
        answer = {
            "choices": [choice | {"finish_reason": reason}],
            "usage": {
                "prompt_tokens": 22,
                "completion_tokens": tokens - 22,
                "total_tokens": tokens,
            },
        }
        got = plain(summarize(answer))
        if not isinstance(got, tuple | list) or len(got) != 3:
            return (
                f"The function returns three things: text, complete, tokens. It returned {got!r}."
            )
        if got[0] != text:
            return f"For the text {text!r}, it returned {got[0]!r}."
        complete = meant(got[1], (True, False))
        if type(complete) is not bool:
            return f"Whether the answer is complete is True or False. It returned {got[1]!r}."
        if complete != (reason == "stop"):
            return f"An answer with the finish_reason {reason!r} was called complete: {complete}."
        if got[2] != tokens:
            return f"An answer with total_tokens of {tokens} was counted as {got[2]!r}."
    return None


@exercise(
    "Continue a conversation",
    hints=(
        "The model sees only what is in this list. What must it have seen to know 'the two'?",
        "Three messages: your question, its answer, your next question.",
    ),
)
def conversation(messages):
    if not isinstance(messages, list | tuple):
        return f"A conversation is a list of messages. This is {a_kind(messages)}."
    for message in messages:
        if not isinstance(message, dict):
            return f"Each message is a dict with `role` and `content`. Among these is {_what(message)}."
        if not {"role", "content"} <= message.keys():
            keys = ", ".join(map(str, message))
            return (
                f"Each message has `role` and `content`. Among these is one with the keys {keys}."
            )
    roles = [message["role"] for message in messages]
    if roles == ["user"]:
        return "There is only one message, and the API remembers nothing of the turn before."
    if roles == ["user", "user"]:
        return "The roles are user, user: the model's answer between your questions is missing."
    if roles == ["user"] * 3:
        return "The roles are user, user, user, but the message in the middle is the model's."
    if roles != ["user", "assistant", "user"]:
        return f"The roles are {', '.join(map(str, roles)) or 'none'}. Question, answer, question is the order."
    asked, answered, follow_up = (message["content"] for message in messages)
    if asked != CHEESE:
        return f"The first message is {asked!r}, not {CHEESE!r}."
    if follow_up != FOLLOW_UP:
        return f"The last message is {follow_up!r}, not {FOLLOW_UP!r}."
    if isinstance(answered, helpers.Reply):
        return "The `content` of the second message is a Reply. Its text is in `.text`."
    if not isinstance(answered, str) or len(answered) < 20 or answered in (asked, follow_up):
        return f"The second message is not the model's answer, word for word: {answered!r:.60}."
    return None


@exercise(
    "Find the limit, and price it",
    hints=(
        "A list comprehension over the three limits makes the replies.",
        "An answer is complete where its `finish_reason` is 'stop'.",
        "Tokens times the price per million, and then a million such answers: the millions cancel.",
    ),
)
def limit(replies, complete, dollars):
    if not isinstance(replies, list | tuple) or len(replies) != 3:
        return "`replies` is a list of three, one for each limit."
    if not all(isinstance(reply, helpers.Reply) for reply in replies):
        return "Each reply is what `helpers.chat` returned, and not just its text."
    limits = (20, 40, 60)
    for cap, reply in zip(limits, replies, strict=True):
        if reply.usage.completion_tokens > cap:
            return f"The answer for {cap} has {reply.usage.completion_tokens} tokens."
        if reply.finish_reason == "length" and reply.usage.completion_tokens != cap:
            return f"The answer for {cap} was cut at {reply.usage.completion_tokens} tokens."
    whole = {
        cap for cap, reply in zip(limits, replies, strict=True) if reply.finish_reason == "stop"
    }
    given = {complete} if isinstance(complete, int) else complete
    if not isinstance(given, list | tuple | set):
        return f"`complete` is a list of limits. This is {a_kind(complete)}."
    if odd := [cap for cap in given if isinstance(cap, bool) or not isinstance(cap, int)]:
        return f"`complete` holds limits, so some of 20, 40 and 60. It holds {_what(odd[0])}."
    if set(given) - set(limits):
        return f"`complete` holds a limit that you didn't ask for: {given!r}."
    for cap in limits:
        if (cap in whole) != (cap in given):
            reason = replies[limits.index(cap)].finish_reason
            return f"The answer for {cap} ended with the finish_reason {reason!r}."
    if not isinstance(dollars, int | float):
        return f"The price is a number of dollars. This is {a_kind(dollars)}."
    return wrong_bill(dollars, replies[-1].usage)


def wrong_bill(dollars, usage):
    """What is wrong with a price for a million calls like this one, if anything."""
    small = helpers.models().set_index("id").loc["mistral-small-2603"]
    into, out = usage.prompt_tokens, usage.completion_tokens
    dollars_in, dollars_out = small["usd_per_million_input"], small["usd_per_million_output"]
    right = into * dollars_in + out * dollars_out
    for bill, mistake in (
        (right / 1e6, "This is the price of one call, not of a million."),
        (right * 1e6, "The prices are for a million tokens: this multiplies by a million twice."),
        (into * dollars_in, "This leaves out the answer."),
        (out * dollars_out, "This leaves out the question."),
        ((into + out) * dollars_in, "This bills all tokens as input."),
        ((into + out) * dollars_out, "This bills all tokens as output."),
        (into * dollars_out + out * dollars_in, "This swaps the prices of input and output."),
    ):
        if close(dollars, bill):
            return mistake
    return wrong_price(dollars, right, "A million such calls don't cost")


@exercise(
    "Translate code of 2024",
    hints=(
        "The table above has each line that you need.",
        "Messages are plain dicts today, and `client.chat` became `client.chat.complete`.",
        "`mistral-tiny` was retired. The table names what took its place.",
    ),
)
def translate(translated):
    if isinstance(translated, str):
        return "Pass the whole answer of the SDK, not its text."
    if type(translated).__name__ != "ChatCompletionResponse":
        return f"The SDK's answer is a ChatCompletionResponse. This is {a_kind(translated)}."
    # The alias of the table, and the version behind it.
    if translated.model not in ("ministral-8b-latest", "ministral-8b-2512"):
        return f"The answer comes from {translated.model}, not from ministral-8b-latest."
    return None


def _what(value):
    """A value, or for a large one just its type, to name it in a message."""
    shown = repr(value)
    return shown if len(shown) <= 40 else a_kind(value)
