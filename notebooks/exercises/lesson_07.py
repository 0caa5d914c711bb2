"""Checks of lesson 07, Backoff and limits."""

import math
import random

import httpx

import helpers

from . import exercise, plain
from .values import a_kind, in_a_line

PASSES = (429, 500, 502, 503, 504, 520)
WAVES = (
    "all 300 ask at once",
    "of the 300 before, 20 have an answer, and the rest ask again",
    "in each second, 20 more have their answer",
    "in each second, 20 more have their answer",
)


@exercise(
    "Predict the waves",
    hints=(
        "All 300 ask in second 0. How many of them get an answer?",
        "Those who were refused wait one second, all of them.",
    ),
)
def waves(requests):
    if problem := not_numbers(requests, 4):
        return problem
    right = [300, 280, 260, 240]
    if list(requests) == [20] * 4:
        return "These are the requests that are admitted. The server sees all others as well."
    for second, (got, wanted) in enumerate(zip(requests, right, strict=True)):
        if got != wanted:
            return f"Not {got:g} in second {second}: {WAVES[second]}."
    return None


@exercise(
    "Find three bugs",
    hints=(
        "Which statuses does it retry? It should retry only those that pass.",
        "Count its waits when all four attempts fail.",
        "Full jitter is `random.uniform(0, …)`.",
    ),
)
def loop(ask):
    if not callable(ask):
        return f"Define a function. This is {a_kind(ask)}."
    for statuses, sent in (([200], 1), ([503, 200], 2), ([422, 200], 1), ([401, 200], 1)):
        answers, pauses = play(ask, statuses)
        if len(answers) != sent + 1:
            return f"When the server answers {statuses}, it asked {times(len(answers) - 1)}, not {times(sent)}."
        if answers[-1] is not answers[-2]:
            return f"When the server answers {statuses}, it did not return the last response."
    for status in PASSES:
        answers, pauses = play(ask, [status] * 9)
        if len(answers) - 1 != 4:
            return (
                f"When the status {status} stays, it asked {times(len(answers) - 1)}, not 4 times."
            )
        if len(pauses) != 3:
            return f"It calls `sleep` {times(len(pauses))} for 4 attempts, not 3 times: only between attempts."
        if answers[-1] is not answers[-2]:
            return f"When the status {status} stays, it did not return the last response."
    for status in (400, 403, 404, 501):
        if len(play(ask, [status] * 9)[0]) != 2:
            return f"It asks again after a {status}, which is not among the statuses to retry."
    runs = [play(ask, [503] * 9)[1] for _ in range(60)]
    for number, longest in enumerate((1, 2, 4)):
        of_wait = [run[number] for run in runs]
        if len(set(of_wait)) == 1:
            return (
                f"Wait {number + 1} is always {of_wait[0]} seconds: all clients come back together."
            )
        if len(set(of_wait)) < 10:
            return (
                f"Wait {number + 1} has only {len(set(of_wait))} values, so clients still come back "
                "in waves: draw any time, not only whole seconds."
            )
        if min(of_wait) < 0 or max(of_wait) > longest:
            return f"Wait {number + 1} was {max(of_wait):.1f} seconds, not between 0 and {longest}."
        if max(of_wait) < longest / 2:
            return (
                f"Wait {number + 1} is never longer than {max(of_wait):.1f} seconds of {longest}."
            )
        if min(of_wait) > longest / 2:
            return f"Wait {number + 1} is never below {min(of_wait):.1f} seconds: full jitter begins at 0."
    return None


def times(count):
    return "once" if count == 1 else f"{count} times"


def play(ask, statuses):
    """The responses that it got, with what it returned at the end, and its waits."""
    answers, pauses = [], []
    script = iter(statuses)

    def send():
        request = httpx.Request("POST", "https://api.mistral.ai/v1/chat/completions")
        answers.append(httpx.Response(next(script), request=request))
        return answers[-1]

    returned = ask(send, pauses.append)
    return [*answers, returned], pauses


@exercise(
    "Set an end",
    hints=(
        "The docstring of `helpers.Retry` names the setting: `helpers.Retry?` shows it.",
        "`total` limits when the last attempt begins. How long may that attempt take?",
    ),
)
def patience(retry, longest):
    if not isinstance(retry, helpers.Retry):
        return f"`patient` is a `helpers.Retry` around a transport. This is {a_kind(retry)}."
    if retry.total > 20:
        return f"With a total of {retry.total:g} seconds, it may begin an attempt after 20 seconds."
    if retry.total < 20:
        return (
            f"With a total of {retry.total:g} seconds, it gives up before the 20 seconds are over."
        )
    if isinstance(longest, bool) or not isinstance(longest, int | float):
        return f"`longest` is a number of seconds. This is {a_kind(longest)}."
    if longest == 20:
        return "20 seconds is when the last attempt begins at the latest. It also takes time."
    if not math.isclose(longest, 30, rel_tol=1e-6):
        return f"Not {longest:g}: the last attempt begins after 20 seconds, and may take 10 more."
    return None


@exercise(
    "Put the layers in order",
    hints=(
        "What is outermost sees the request first. A retry must also pass the limit.",
        "Streams have no headers, so the limit must be named: `requests_per_minute`.",
    ),
)
def layers(build):
    if not callable(build):
        return f"Define a function. This is {a_kind(build)}."
    clock, sent = helpers.transports.FakeClock(), []

    def answer(request):
        sent.append(clock.now())
        return httpx.Response(503 if len(sent) % 6 == 1 else 200)

    transport = build(httpx.MockTransport(answer), clock)
    if not isinstance(transport, httpx.BaseTransport):
        return f"It returns the outermost transport. This is {a_kind(transport)}."
    if any(layer.clock is not clock for layer in wrapped(transport)):
        return "Both layers take the clock: `clock=clock`."
    with httpx.Client(transport=transport) as client:
        answers = [client.get("https://api.mistral.ai/v1/models") for _ in range(75)]
    if not sent:
        return "No request reached the transport that `build` is given."
    if lost := sum(response.is_error for response in answers):
        return f"{lost} of {len(answers)} requests end with a 503, which nothing repeats."
    most = max(sum(start <= time < start + 60 for time in sent) for start in sent)
    if most > 60 and most - 60 < 60 / 4 and isinstance(transport, helpers.RateLimit):
        return f"{most} requests were sent in one minute: the retries pass the limit uncounted."
    if most > 60:
        limited = any(isinstance(layer, helpers.RateLimit) for layer in wrapped(transport))
        why = "a stream reports no limits, so name yours" if limited else "no layer limits them"
        return f"{most} requests were sent in one minute, not 60 at most: {why}."
    if sent[-1] - sent[0] > 100:
        return f"{len(sent)} requests took {sent[-1] - sent[0]:.0f} seconds: the limit is too low."
    return None


@exercise(
    "Share a limit",
    hints=(
        "With a fixed sixth, a worker may send ten requests in each minute.",
        "The first requests of a window go out at once, at its beginning. How many windows are needed?",
    ),
)
def shares(fixed, shared):
    for what, answer, right in (("fixed_share", fixed, 8), ("one_window", shared, 2)):
        if isinstance(answer, bool) or not isinstance(answer, int | float):
            return f"`{what}` is a number of minutes. This is {a_kind(answer)}."
        if math.isclose(answer, right + 1, rel_tol=1e-6):
            return f"`{what}`: that is the number of windows. The first begins at minute 0."
        if what == "fixed_share" and math.isclose(answer, 2, rel_tol=1e-6):
            return "`fixed_share`: the other workers' shares can't be used by this one."
        if not math.isclose(answer, right, rel_tol=1e-6):
            many, most = (90, 10) if what == "fixed_share" else (180, 60)
            return (
                f"`{what}`: not {answer:g} minutes. {many} requests go out, {most} in each window."
            )
    return None


SECRET = {
    "headers": "it holds the key",
    "messages": "it holds what somebody wrote",
    "answer": "it is a text, and often repeats the question",
    "user": "it names a person",
}
USEFUL = {"status", "correlation_id", "model", "attempts", "total_tokens"}


@exercise(
    "Clean a log line",
    hints=(
        "Two kinds of things don't belong in a log: keys, and what people wrote.",
        "Four fields have to go. A header can hold a key, and an answer is a text as well.",
    ),
    words=(*USEFUL, *SECRET),
)
def leaks(leaks):
    if isinstance(leaks, str) or not isinstance(leaks, set | list | tuple | frozenset):
        return f"A list of names is wanted. This is {a_kind(leaks)}."
    found = set(leaks)
    if unknown := sorted(map(str, found - set(SECRET) - USEFUL)):
        if "authorization" in unknown[0]:
            return "'authorization' is inside a field: name the field of the line."
        return f"The line has no field {unknown[0]!r}."
    if harmless := sorted(found & USEFUL):
        return f"{harmless[0]!r} holds neither a key nor a text, and it helps at night: keep it."
    if missing := sorted(set(SECRET) - found):
        return f"{missing[0]!r} has to go: {SECRET[missing[0]]}."
    return None


@exercise(
    "Add a way to wait",
    hints=(
        "`exponential(attempt, last, chance)` gives the whole time.",
        "`chance.uniform(0, half)` is the random part of the other half.",
    ),
)
def equal(equal_jitter):
    if not callable(equal_jitter):
        return f"Define a function. This is {a_kind(equal_jitter)}."
    for attempt in range(1, 11):
        whole = min(60, 2.0 ** (attempt - 1))
        chance = random.Random(attempt)
        drawn = plain([equal_jitter(attempt, 1.0, chance) for _ in range(200)])
        if not all(isinstance(wait, int | float) for wait in drawn):
            return f"A wait is a number of seconds. It returned {drawn[0]!r}."
        if min(drawn) < whole / 2:
            return f"After attempt {attempt}, it waited {min(drawn):.2f} s: less than half of {whole:g}."
        if max(drawn) > whole:
            return f"After attempt {attempt}, it waited {max(drawn):.2f} s: more than {whole:g}."
        if len(set(drawn)) < 100:
            return f"After attempt {attempt}, it nearly always waits {drawn[0]:g} s: no jitter."
        if max(drawn) - min(drawn) < whole / 4:
            return f"After attempt {attempt}, it waits {min(drawn):.2f} to {max(drawn):.2f} s: too narrow."
    once, again = (equal_jitter(3, 1.0, random.Random(0)) for _ in range(2))
    if once != again:
        return "Draw from `chance`, as the others do: with the same seed, it waited another time."
    return None


@exercise(
    "Build a circuit breaker",
    hints=(
        "Keep a count in `self`: one more after a status of 500 or above, else 0.",
        "Look at the count before you ask the transport inside.",
        '`raise httpx.ConnectError("the circuit is open", request=request)`',
    ),
)
def breaker(breaker):
    if not isinstance(breaker, type) or not issubclass(breaker, httpx.BaseTransport):
        return "Pass the class itself, a subclass of httpx.BaseTransport."
    for script, seen, opened in (
        ([503] * 6, 3, 3),
        ([500, 504, 502, 503], 3, 1),
        ([503, 503, None, 503, 503, None], 6, 0),
        ([503, 503, 422, 503, 503, None], 6, 0),
        ([422] * 5, 5, 0),
        ([429] * 5, 5, 0),
    ):
        inside = helpers.Faults(httpx.MockTransport(lambda _: httpx.Response(200)), script)
        refused = 0
        with httpx.Client(transport=breaker(inside)) as client:
            for _ in script:
                try:
                    client.get("https://api.mistral.ai/v1/models")
                except httpx.ConnectError:
                    refused += 1
                except Exception as error:
                    if "'NoneType' object has no attribute 'stream'" in str(error):
                        return "`handle_request` returns the response of the transport inside."
                    return f"It raised no httpx.ConnectError, but {in_a_line(error)}"
        answers = [entry or 200 for entry in script]
        if not inside.played:
            return "A new breaker begins open: keep the count in `self`, not in the class."
        if len(inside.played) + refused > len(script):
            return "It asks the transport inside even when it is open: look at the count first."
        if len(inside.played) != seen:
            return (
                f"If the answers are {answers}, the server sees {len(inside.played)}, not {seen}."
            )
        if refused != opened:
            return (
                f"If the answers are {answers}, {refused} calls raised ConnectError, not {opened}."
            )
    return None


def wrapped(transport):
    """The layers of a transport, from the outside in."""
    while isinstance(transport, helpers.Retry | helpers.RateLimit):
        yield transport
        transport = transport.transport


def not_numbers(values, count):
    """What is wrong with a list of numbers, if anything."""
    if not isinstance(values, list | tuple):
        return f"A list of {count} numbers is wanted. This is {a_kind(values)}."
    if len(values) != count:
        return f"The list has {len(values)} entries, not {count}."
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return f"{value!r} is not a number."
    return None
