"""Checks of lesson 06, Errors."""

import httpx

import helpers

from . import exercise
from .values import a_kind, close, in_a_line, kind, wrong_letters

WHY = {
    "A": (False, "its header allows zero requests a minute, and another minute allows no more"),
    "B": (True, "the server is overloaded now, and later it is not"),
    "C": (False, "the field stays unknown, however often it is sent"),
    "D": (False, "the prompt is too long for the model, and as long at the next try"),
    "E": (True, "the model is busy, and later it is not"),
    "F": (False, "the key stays wrong"),
}


@exercise(
    "Write a script of failures",
    hints=(
        "`helpers.transports.load_faults()` lists all faults, and the table above has most names.",
        "Two faults are a 504; one of them is a page. Two are about your own limits; one names tokens.",
    ),
)
def script(script):
    if not isinstance(script, list | tuple):
        return f"A script is a list with an entry for each request. This is {a_kind(script)}."
    if "None" in script:
        return "'None' in quotes is a text. The value `None` lets a request through."
    if len(script) not in (3, 4) or (len(script) == 4 and script[3] is not None):
        return f"Three failures are wanted, then an answer. The script is {list(script)!r}."
    if None in script[:3]:
        return f"`None` is an answer. It comes too early: {list(script)!r}."
    try:
        page, limit, broken = map(helpers.transports.make_fault, script[:3])
    except ValueError as error:
        return str(error)
    if page.status != 504 or "<html" not in page.body:
        return (
            f"{page.name!r} is not a 504 with a web page: {page.status}, body {page.body[:40]!r}."
        )
    if limit.status != 429 or not any("tokens" in name for name in limit.headers):
        return f"{limit.name!r} is not the 429 whose headers name tokens: {dict(limit.headers)}."
    if broken.error != "ReadError":
        return (
            f"{broken.name!r} is not a connection that breaks before the answer: {_ends(broken)}."
        )
    return None


def _ends(fault):
    """How a call ends that meets this fault, if it is no broken connection."""
    if fault.error:
        return f"{fault.error}, so there was none that could break"
    if fault.status:
        return f"it is a {fault.status}, which is an answer"
    return "an answer that begins" if fault.cut is not None else "no byte comes in time"


@exercise(
    "Does a retry help?",
    hints=(
        "Which of them would fail in the same way tomorrow?",
        "Two pass. A 429 that allows nothing is not among them, nor is a 500 about the prompt.",
    ),
    words=(*WHY, True, False),
)
def again(again):
    return wrong_letters(again, WHY)


@exercise(
    "Find the bug",
    hints=(
        "Python takes the first `except` that fits.",
        "`helpers.StreamCut` and `httpx.ConnectError` are both kinds of `httpx.TransportError`.",
        "Three failures come before anything is sent: `ConnectError`, `ConnectTimeout`, `PoolTimeout`.",
    ),
)
def outcome(outcome):
    if not callable(outcome):
        return f"Define a function. This is {a_kind(outcome)}."
    request = httpx.Request("POST", "https://api.mistral.ai/v1/chat/completions")
    refused = helpers.APIError(httpx.Response(503, request=request))
    cut = helpers.StreamCut(helpers.Reply.from_json(ANSWER), "test", request=request)
    for error, words in (
        (None, "answered"),
        (refused, "refused"),
        (cut, "cut"),
        # After a WriteError or a WriteTimeout nobody knows how much was sent: not asked.
        (httpx.ReadTimeout("", request=request), "maybe billed"),
        (httpx.ReadError("", request=request), "maybe billed"),
        (httpx.RemoteProtocolError("", request=request), "maybe billed"),
        (httpx.ConnectError("", request=request), "not sent"),
        (httpx.ConnectTimeout("", request=request), "not sent"),
        (httpx.PoolTimeout("", request=request), "not sent"),
    ):
        try:
            got = outcome(raiser(error))
        except httpx.HTTPError as escaped:
            return f"{kind(escaped)} was raised by the call, and not caught."
        if got != words:
            what = f"raises {kind(error)}" if error else "answers"
            return f"For a call that {what}, it returned {got!r}, not {words!r}."
    try:
        got = outcome(raiser(ZeroDivisionError()))
    except ZeroDivisionError:
        return None
    return (
        f"A ZeroDivisionError is a bug in the call, not a failure of the network: {got!r} hides it."
    )


def raiser(error):
    """A call that raises this error, or answers."""

    def call():
        if error:
            raise error
        return "an answer"

    return call


@exercise(
    "How long does it take?",
    hints=(
        "There are two limits. Compute the minutes for each of them.",
        "The larger number of minutes counts: both limits hold at the same time.",
    ),
)
def minutes(whole, half):
    for what, answer, by_requests, by_tokens in (("whole", whole, 50, 90), ("half", half, 50, 45)):
        right, other = max(by_requests, by_tokens), min(by_requests, by_tokens)
        if isinstance(answer, bool) or not isinstance(answer, int | float):
            return f"`{what}` is a number of minutes. This is {a_kind(answer)}."
        if close(answer, other):
            limit = "tokens" if by_tokens > by_requests else "requests"
            return f"`{what}`: {other} minutes would break the limit of {limit}."
        if close(answer, by_requests + by_tokens):
            return f"`{what}`: both limits hold at the same time, so the minutes don't add up."
        if close(answer, right - 1):
            return f"`{what}`: sent evenly, calls also go out in the last minute."
        if not close(answer, right):
            return f"`{what}`: it doesn't take {answer:g} minutes."
    return None


@exercise(
    "Read every body",
    hints=(
        "Try `response.json()` first. A web page and an empty body raise a ValueError there.",
        "The text is in `message` or in `detail`, and `detail` may be a list of dicts with a `msg`.",
        "Where nothing can be read, `response.reason_phrase` is still a description.",
    ),
)
def message(message_of):
    if not callable(message_of):
        return f"Define a function. This is {a_kind(message_of)}."
    faults = helpers.transports.load_faults().values()
    for fault in [fault for fault in faults if (fault.status or 0) >= 400]:
        request = httpx.Request("GET", "https://api.mistral.ai/v1/models")
        response = httpx.Response(fault.status, content=fault.body.encode(), request=request)
        try:
            got = message_of(response)
        except Exception as error:
            return f"For {fault.name!r} ({shown(fault)}), it raised {in_a_line(error)}"
        if not isinstance(got, str):
            return f"For {fault.name!r} ({shown(fault)}), it returned {got!r}, not a text."
        if not got.strip():
            return f"For {fault.name!r} ({shown(fault)}), it returned {got!r}: say it in words."
        if "<" in got or "{" in got:
            return f"For {fault.name!r}, it returned the raw body, and not a message: {got[:60]!r}."
        # The place of a wrong field may be written in another way, or be left out.
        text = helpers.APIError(response).message.rpartition(": ")[2]
        if fault.body.startswith("{") and text not in got:
            return f"For {fault.name!r}, the body says {text!r}, and it returned {got!r}."
    return None


def shown(fault):
    return "a web page" if "<html" in fault.body else f"body {fault.body[:40]!r}"


@exercise(
    "Ask another model",
    hints=(
        "Only two failures are about the plan. Which statuses do they have, and are they `retryable`?",
        "Waiting helps against `capacity`, which is a 429 as well: let its error through.",
        "When the last model is refused, its error has to be raised as well.",
    ),
)
def fallback(ask):
    if not callable(ask):
        return f"Define a function. This is {a_kind(ask)}."
    for faults, wanted in (
        (["no_allowance"], ["a", "b"]),
        (["not_in_plan", "no_allowance"], ["a", "b", "c"]),
        ([], ["a"]),
        (["capacity"], ["a"]),
        (["request_limit"], ["a"]),
        (["unknown_field"], ["a"]),
        (["overloaded"], ["a"]),
        (["not_in_plan"] * 3, ["a", "b", "c"]),
    ):
        asked, answered, raised = try_models(ask, faults)
        played = ", ".join(faults) or "no fault"
        if asked != wanted:
            return f"With {played}, it asked the models {asked}, not {wanted}."
        # Not about the plan, or there is no other model.
        fails = bool({*faults} - {"no_allowance", "not_in_plan"}) or len(faults) == 3
        if fails and not raised:
            return f"With {played}, it raised no error, and returned {answered!r}."
        if not fails and (raised or getattr(answered, "model", None) != wanted[-1]):
            return f"With {played}, it gave {raised or answered!r}, not the reply of {wanted[-1]}."
    return None


def try_models(ask, faults):
    """The models that were asked, the reply, and the error that came out."""
    asked = []

    def answer(request):
        return httpx.Response(200, json=ANSWER | {"model": asked[-1]})

    def note(request):
        asked.append(helpers.errors.parse_json(request.content)["model"])

    transport = helpers.Faults(httpx.MockTransport(answer), faults)
    with httpx.Client(transport=transport, event_hooks={"request": [note]}) as client:
        try:
            return asked, ask("Name a fruit.", ["a", "b", "c"], client), None
        except helpers.APIError as error:
            return asked, None, error


ANSWER = {
    "id": "0",
    "object": "chat.completion",
    "created": 0,
    "model": "a",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Apricot"},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13},
}
