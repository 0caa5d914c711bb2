"""Right and wrong answers to lesson 06's exercises."""

import httpx
import pandas as pd

import helpers
from tests.lessons.solutions import Answers

AGAIN = {"A": False, "B": True, "C": False, "D": False, "E": True, "F": False}


def by_status(call):
    """Another way than the solution: one `except`, and its type."""
    try:
        call()
    except httpx.HTTPStatusError:
        return "refused"
    except httpx.TransportError as error:
        if type(error).__name__ in ("ConnectError", "ConnectTimeout", "PoolTimeout"):
            return "not sent"
        return "cut" if isinstance(error, helpers.StreamCut) else "maybe billed"
    return "answered"


def by_class(call):
    try:
        call()
    except helpers.APIError:
        return "refused"
    except helpers.StreamCut:
        return "cut"
    except (httpx.ReadTimeout, httpx.ReadError, httpx.RemoteProtocolError):
        return "maybe billed"
    except httpx.TransportError:
        return "not sent"
    return "answered"


def as_in_the_question(call):
    try:
        call()
    except httpx.TransportError:
        return "maybe billed"
    except helpers.StreamCut:
        return "cut"
    except httpx.ConnectError:
        return "not sent"
    except helpers.APIError:
        return "refused"
    return "answered"


def only_in_another_order(call):
    try:
        call()
    except helpers.StreamCut:
        return "cut"
    except httpx.ConnectError:
        return "not sent"
    except httpx.TransportError:
        return "maybe billed"
    except helpers.APIError:
        return "refused"
    return "answered"


def without_refused(call):
    try:
        call()
    except helpers.StreamCut:
        return "cut"
    except httpx.TransportError:
        return "maybe billed"
    return "answered"


def only_time_outs(call):
    """Bills each time-out, also one before the request is sent, and no reset."""
    try:
        call()
    except helpers.APIError:
        return "refused"
    except helpers.StreamCut:
        return "cut"
    except httpx.TimeoutException:
        return "maybe billed"
    except httpx.TransportError:
        return "not sent"
    return "answered"


def hides_bugs(call):
    try:
        return by_class(call)
    except Exception:
        return "not sent"


def only_the_network(call):
    try:
        call()
    except helpers.APIError:
        return "refused"
    except helpers.StreamCut:
        return "cut"
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
        return "not sent"
    except (httpx.TimeoutException, httpx.NetworkError):
        return "maybe billed"
    return "answered"


def message_of(response):
    try:
        body = response.json()
    except ValueError:
        return response.reason_phrase
    detail = body.get("detail") or body["message"]
    if isinstance(detail, dict):
        detail = detail["detail"]
    if isinstance(detail, list):
        detail = "; ".join(f"{item['loc'][-1]}: {item['msg']}" for item in detail)
    return detail


def silent(response):
    return message_of(response) if response.content else ""


def raises(response):
    return response.raise_for_status().text


def only_messages(response):
    return response.json()["message"]


def raw(response):
    return response.text or response.reason_phrase


def details_as_they_are(response):
    try:
        body = response.json()
    except ValueError:
        return response.reason_phrase
    return body.get("detail") or body["message"]


def reason(response):
    return response.reason_phrase or "unknown"


ASK = """\
def ask(question, models, client):
    for model in models:
        try:
            return helpers.chat(question, model=model, client=client)
        except helpers.APIError as error:
            {condition}
                raise
check.fallback(ask)
"""

ANSWERS = {
    "script": Answers(
        right=[
            (["gateway_timeout_page", "token_limit", "connection_reset", None],),
            (("gateway_timeout_page", "token_limit", "connection_reset"),),
            (pd.Series(["gateway_timeout_page", "token_limit", "connection_reset", None]),),
        ],
        wrong=[
            (("gateway_timeout_page",), "a list"),
            (([504, "token_limit", "connection_reset", None],), "not a 504 with a web page"),
            (([None, 504, "token_limit", "connection_reset"],), "an answer"),
            (
                (["gateway_timeout_page", 429, "connection_reset"],),
                "'request_limit' is not the 429 whose headers name tokens",
            ),
            (
                (["gateway_timeout_page", "token_limit", "no_connection"],),
                "'no_connection' is not a connection that breaks before the answer: ConnectError",
            ),
            (
                (["gateway_timeout_page", "token_limit", "timeout", None],),
                "no byte comes in time",
            ),
            ((["gateway_timeout_page", "token_limit", 502, None],), "it is a 502"),
            ((["gateway_timeout_page", "token_limit", "connection_reset", "None"],), "in quotes"),
            (
                (["gateway_timeout_page", "token_limit", "cut", None],),
                "an answer that begins",
            ),
            ((["gateway_timeout_page", "token_limit", "reset"],), "There is no fault 'reset'"),
        ],
    ),
    "again": Answers(
        right=[
            (AGAIN,),
            (dict(reversed(AGAIN.items())),),
            ({letter.lower(): str(helps) for letter, helps in AGAIN.items()},),
        ],
        wrong=[
            ((AGAIN | {"A": True},), "A is not True: its header allows zero"),
            ((AGAIN | {"D": True},), "D is not True: the prompt is too long for the model"),
            ((AGAIN | {"E": False},), "E is not False: the model is busy"),
            ((AGAIN | {"B": None},), "B is None; answer with True or False"),
            (({"B": True, "E": True},), "Yours are B, E."),
            (([False, True, False, False, True, False],), "for each of A, B, C, D, E, F"),
            ((pd.DataFrame([AGAIN]),), "This is a DataFrame."),
        ],
    ),
    "outcome": Answers(
        right=[(by_status,), (by_class,)],
        wrong=[
            ((as_in_the_question,), "raises StreamCut, it returned 'maybe billed', not 'cut'"),
            (
                (only_in_another_order,),
                "raises ConnectTimeout, it returned 'maybe billed', not 'not sent'",
            ),
            ((without_refused,), "APIError was raised by the call, and not caught"),
            ((only_time_outs,), "raises ReadError, it returned 'not sent', not 'maybe billed'"),
            ((hides_bugs,), "a bug in the call"),
            ((only_the_network,), "RemoteProtocolError was raised by the call, and not caught"),
            (("cut",), "Define a function"),
        ],
    ),
    "minutes": Answers(
        right=[(90, 50), (90.0, 3000 / 60)],
        wrong=[
            ((50, 50), "`whole`: 50 minutes would break the limit of tokens"),
            ((90, 45), "`half`: 45 minutes would break the limit of requests"),
            ((140, 95), "don't add up"),
            ((90, 75), "doesn't take 75 minutes"),
            (("90", 50), "a number of minutes"),
            ((89, 50), "sent evenly, calls also go out in the last minute."),
            ((90, 49), "sent evenly, calls also go out in the last minute."),
        ],
    ),
    "message": Answers(
        right=[(message_of,), (lambda response: helpers.APIError(response).message,)],
        wrong=[
            ((only_messages,), "it raised KeyError: 'message'"),
            ((raw,), "the raw body"),
            ((details_as_they_are,), "not a text"),
            ((silent,), "it returned '': say it in words"),
            ((raises,), "it raised HTTPStatusError: Client error '400 Bad Request'"),
            ((reason,), "the body says 'mistral-does-not-exist'"),
        ],
    ),
    "fallback": Answers(
        right=[
            ASK.format(
                condition="if error.retryable or error.status not in (403, 429) or model == models[-1]:"
            ),
            """\
def ask(question, models, client):
    first, *others = models
    try:
        return helpers.chat(question, model=first, client=client)
    except helpers.APIError as error:
        if others and error.status in (403, 429) and not error.retryable:
            return ask(question, others, client)
        raise
check.fallback(ask)
""",
        ],
        wrong=[
            (ASK.format(condition="if model == models[-1]:"), "With capacity, it asked"),
            (
                ASK.format(
                    condition="if model == models[-1] or error.code not in ('1300', '1910'):"
                ),
                "With request_limit, it asked the models ['a', 'b'], not ['a']",
            ),
            (
                ASK.format(condition="if error.status != 403:"),
                "With no_allowance, it asked the models ['a'], not ['a', 'b']",
            ),
            (
                ASK.format(condition="if error.status not in (403, 429):"),
                "With capacity, it asked the models ['a', 'b']",
            ),
            (
                ASK.format(condition="if error.retryable:"),
                "With unknown_field, it asked the models ['a', 'b']",
            ),
            (
                ASK.format(condition="if error.retryable or error.status not in (403, 429):"),
                "With not_in_plan, not_in_plan, not_in_plan, it raised no error",
            ),
            (("ministral-8b-latest",), "Define a function"),
        ],
    ),
}
