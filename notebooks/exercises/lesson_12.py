"""Checks of lesson 12, Many calls."""

import asyncio
import concurrent.futures
import json

import httpx

import helpers

from . import exercise
from .values import a_kind

KEYS = {
    "another order of the prompts": (True, "each answer stands under the key of its own request"),
    "another temperature": (False, "the answer was drawn at the old temperature"),
    "another time-out": (True, "a time-out is not in the body, so the model never sees it"),
    "one word more in the system prompt": (False, "the model is asked something else"),
    "model and messages change places in the JSON": (True, "the same fields are the same request"),
}
FAILURES = {
    "503, overloaded": (True, "the server may have room in a minute"),
    "422, max_tokens is -1": (False, "the same request is refused each time"),
    "401, wrong key": (False, "a second try has the same key"),
    "PoolTimeout": (True, "it never left your machine"),
}
JOBS = {
    "200,000 chats by Monday, as cheap as possible": (
        "batch",
        "nobody waits for a single answer, and half the price counts",
    ),
    "5,000 chats at 100 a minute, somebody waits": (
        "one process",
        "the limit decides, and one process reaches it with ease",
    ),
    "four web servers answer users with one key": (
        "shared limit",
        "four processes that count on their own send up to four times the limit",
    ),
    "find near-duplicates in two terabytes of text, no API": (
        "Dask",
        "this computes, and more processors make it faster",
    ),
}


@exercise(
    "Plan a run",
    hints=(
        "One at a time, the times of all answers add up. Seconds / 60 are minutes.",
        "At the limit, 60 prompts leave in each minute; the first 60 leave in minute 0.",
        "Under way at once: rate in a second times the seconds of an answer.",
    ),
)
def predict(minutes_alone, minutes_at_limit, at_once):
    for name, value in (
        ("minutes_alone", minutes_alone),
        ("minutes_at_limit", minutes_at_limit),
        ("at_once", at_once),
    ):
        if not isinstance(value, int | float) or isinstance(value, bool) or value != value:
            return f"`{name}` is a number; this is {value!r}."
    if not near(minutes_alone, 200):
        return f"3,000 answers of 4 seconds are not {minutes_alone:g} minutes, one after the other."
    if not 49 <= minutes_at_limit <= 50:
        return (
            f"With 60 admitted a minute, 3,000 prompts don't take {minutes_at_limit:g} minutes. "
            "The seconds of an answer don't matter here."
        )
    if not near(at_once, 4):
        return f"At one request a second, each 4 seconds long, not {at_once:g} are under way."
    return None


@exercise(
    "Stop at half a cent",
    hints=(
        "Build it from the inside out, beginning with the network.",
        "An attempt that Retry makes must pass the limit and the budget: so Retry is outside.",
        "What waits for the limit has reserved no money: so Budget is inside of RateLimit.",
    ),
)
def layers(transport):
    names, limit = [], None
    while isinstance(transport, helpers.Retry | helpers.RateLimit | helpers.Budget):
        names.append(type(transport).__name__)
        limit = transport.limit if isinstance(transport, helpers.Budget) else limit
        transport = transport.transport
    if not names:
        return f"Wrap the network in layers; this is {a_kind(transport)}."
    if missing := [name for name in ("Retry", "RateLimit", "Budget") if name not in names]:
        return f"There is no `{missing[0]}` in it."
    if len(names) != 3:
        return f"One of each is enough; this has {len(names)} layers: {', '.join(names)}."
    if names[0] != "Retry":
        return f"`{names[0]}` is outside of `Retry`, so it doesn't see each new attempt."
    if names[1] != "RateLimit":
        return "`Budget` is outside of `RateLimit`: what waits for the limit holds money already."
    if not isinstance(transport, httpx.AsyncHTTPTransport):
        return f"`httpx.AsyncClient` needs an async network, not {type(transport).__name__}."
    if not near(limit, 0.005):
        return f"The budget is ${limit:g}, not $0.005."
    return None


@exercise(
    "Find the loss",
    hints=(
        "`as_completed` hands out results in the order in which they arrive.",
        "`asyncio.gather` keeps the order, and has an argument for errors.",
    ),
)
def keep(ask_all):
    if not callable(ask_all):
        return f"Define a function; this is {a_kind(ask_all)}."

    async def ask_one(prompt):
        await asyncio.sleep(0.002 * (5 - prompt))
        if prompt == 3:
            raise ValueError("three")
        return prompt * 10

    async def call():
        return await asyncio.wait_for(ask_all(ask_one, [0, 1, 2, 3, 4]), 5)

    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        try:
            found = thread.submit(asyncio.run, call()).result()
        except ValueError as error:
            if str(error) != "three":
                raise
            return "The error of one prompt was raised, and the other four replies are lost."
    if not isinstance(found, list | tuple) or len(found) != 5:
        return f"Five prompts need a list of five results, not {found!r}."
    if not isinstance(found[3], ValueError):
        good = [value for value in found if not isinstance(value, Exception)]
        if len(good) == 4:
            return "The exception isn't in the place of its prompt: the order is lost."
        return f"In the place of the prompt that failed stands {found[3]!r}, not its exception."
    if [found[place] for place in (0, 1, 2, 4)] != [0, 10, 20, 40]:
        return f"The replies are not in the order of the prompts: {found!r}."
    return None


def _result(name, text):
    body = {"choices": [{"index": 0, "message": {"role": "assistant", "content": text}}]}
    return {"custom_id": name, "response": {"status_code": 200, "body": body}, "error": None}


@exercise(
    "Put results in order",
    hints=(
        "Make a dict of `custom_id` and text first.",
        "A failed result has an `error`, and its `response` is None.",
        "An id may also be missing from the results: then it has no text either.",
    ),
)
def order(in_order):
    if not callable(in_order):
        return f"Define a function; this is {a_kind(in_order)}."
    failed = {"custom_id": "b", "response": None, "error": {"message": "Invalid", "code": "1500"}}
    results, ids = [_result("c", "three"), failed, _result("a", "one")], ["a", "b", "c", "d"]
    found = in_order([*results], [*ids])
    if not isinstance(found, list | tuple) or len(found) != 2:
        return f"Return two things, the texts and the ids without one; this is {found!r}."
    texts, without = found
    if not isinstance(texts, list | tuple) or len(texts) != len(ids):
        return f"Four ids need four texts or None; this is {texts!r}."
    if [text for text in texts if text is not None] == ["three", "one"]:
        return "The texts are in the order of the results, not in that of the ids."
    if list(texts) != ["one", None, "three", None]:
        return f"For the ids a, b (failed), c and d (missing), the texts are {texts!r}."
    if sorted(without) == ["b"]:
        return "The id `d` is in no result, so it has no text either: add it to the second list."
    if sorted(without) != ["b", "d"]:
        return f"Without a text are b and d, not {without!r}."
    return None


@exercise(
    "Which answers are still good?",
    hints=(
        "The key is a hash of the body, with its fields in a fixed order.",
        "Ask for each change: does the model see anything else?",
    ),
    words=(True, False),
)
def key(still_good):
    return _choices(still_good, KEYS)


@exercise(
    "Is it worth another try?",
    hints=(
        "Ask for each failure: would the very same request get an answer a minute later?",
        "What is overloaded or full passes by itself. A wrong request stays wrong.",
    ),
    words=(True, False),
)
def again(worth_it):
    return _choices(worth_it, FAILURES)


@exercise(
    "Half a line",
    hints=(
        "`json.loads` raises a ValueError for half a line.",
        "A row with an `error` has no answer: leave it out, so that it is asked again.",
        "Don't forget that half a line may be empty.",
    ),
)
def torn(finished):
    if not callable(finished):
        return f"Define a function; this is {a_kind(finished)}."
    rows = [
        {"key": "k1", "answer": "2"},
        {"key": "k2", "error": "503"},
        {"key": "k3", "answer": ""},
        {"key": "k4", "answer": "four\nlines"},
    ]
    whole = "".join(json.dumps(row) + "\n" for row in rows)
    last = json.dumps({"key": "k5", "answer": "five"})
    wanted = {"k1": "2", "k3": "", "k4": "four\nlines"}
    for end in (0, 1, len(last) // 2, len(last) - 1):
        try:
            found = finished(whole + last[:end])
        except ValueError as error:
            return f"A last line cut after {end} characters raises {type(error).__name__}."
        if not isinstance(found, dict):
            return f"Return a dict of key and answer; this is {a_kind(found)}."
        if "k2" in found:
            return "`k2` is an error, and must be asked again: leave it out."
        if "k3" not in found:
            return "`k3` has an empty answer. That is also an answer, and was paid for."
        if found != wanted:
            return f"Expected {wanted!r}, found {found!r}."
    if finished(whole + last + "\n") != wanted | {"k5": "five"}:
        return "A complete last line is an answer as well: here `k5` is missing."
    return None


@exercise(
    "Cut by tokens",
    hints=(
        "Keep count of the room that is left in the current list.",
        "Begin a new list when a text doesn't fit, and set the room back.",
        "Check the size of each text by itself before anything else.",
    ),
)
def cut(cut_positions):
    if not callable(cut_positions):
        return f"Define a function; this is {a_kind(cut_positions)}."
    for sizes, most, wanted in (
        ([3, 4, 3, 5, 5, 1], 10, [[0, 1, 2], [3, 4], [5]]),
        ([10, 1, 9, 10], 10, [[0], [1, 2], [3]]),
        ([], 10, []),
    ):
        found = [list(part) for part in cut_positions([*sizes], most)]
        if any(not part for part in found):
            return f"For {sizes} and {most}, there is an empty list in {found}."
        if sorted(place for part in found for place in part) != [*range(len(sizes))]:
            return f"For {sizes} and {most}, texts are lost or doubled: {found}."
        if any(sum(sizes[place] for place in part) > most for part in found):
            return f"For {sizes} and {most}, a list has more than {most} tokens: {found}."
        if found != wanted:
            return f"For {sizes} and {most}, lists could be longer, or in order: {found}."
    try:
        found = [list(part) for part in cut_positions([2, 11, 3], 10)]
    except ValueError:
        return None
    return f"A text of 11 tokens doesn't fit into 10: raise a ValueError. You returned {found}."


@exercise(
    "One machine or more?",
    hints=(
        "Does somebody wait for single answers? If not, what is cheapest?",
        "Does the job wait for the API, or does it compute?",
        "Several processes with one key need one place that counts.",
    ),
    words=("batch", "one process", "shared limit", "Dask"),
)
def decide(choices):
    return _choices(choices, JOBS)


def _choices(given, wanted):
    if not isinstance(given, dict):
        return f"A dict is expected; this is {a_kind(given)}."
    if missing := [name for name in wanted if name not in given]:
        return f"There is no answer for “{missing[0]}”."
    for name, (answer, why) in wanted.items():
        if given[name] != answer or type(given[name]) is not type(answer):
            return f"“{name}”: not {given[name]!r}. Think again: {why}."
    return None


def near(value, wanted):
    return abs(value - wanted) <= 1e-9 * abs(wanted)
