"""Right and wrong answers to lesson 12's exercises."""

import asyncio
import json

import httpx
from exercises import lesson_12 as checks

import helpers
from tests.lessons.solutions import Answers


def network():
    return httpx.AsyncHTTPTransport()


def layered(*kinds, limit=0.005):
    transport = network()
    for kind in kinds:
        is_budget = kind is helpers.Budget
        transport = kind(limit, transport) if is_budget else kind(transport)
    return transport


async def gathered(ask_one, prompts):
    return await asyncio.gather(*map(ask_one, prompts), return_exceptions=True)


async def one_by_one(ask_one, prompts):
    found = []
    for prompt in prompts:
        try:
            found.append(await ask_one(prompt))
        except ValueError as error:
            found.append(error)
    return tuple(found)


async def raising(ask_one, prompts):
    return await asyncio.gather(*map(ask_one, prompts))


async def by_arrival(ask_one, prompts):
    found = []
    for task in asyncio.as_completed([asyncio.create_task(ask_one(p)) for p in prompts]):
        try:
            found.append(await task)
        except ValueError as error:
            found.append(error)
    return found


async def none_for_errors(ask_one, prompts):
    found = await gathered(ask_one, prompts)
    return [None if isinstance(value, Exception) else value for value in found]


def in_order(results, ids):
    good = {row["custom_id"]: row for row in results if not row["error"]}
    texts = [
        good[name]["response"]["body"]["choices"][0]["message"]["content"] if name in good else None
        for name in ids
    ]
    return texts, [name for name in ids if name not in good]


def as_they_come(results, ids):
    texts = [
        row["response"]["body"]["choices"][0]["message"]["content"] if row["response"] else None
        for row in results
    ]
    return [*texts, None], ["b", "d"]


def without_missing(results, ids):
    return in_order(results, ids)[0], [row["custom_id"] for row in results if row["error"]]


def finished(text):
    found = {}
    for line in text.splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if "answer" in row:
            found[row["key"]] = row["answer"]
    return found


def whole_lines(text):
    """Only lines that end are read."""
    return finished(text[: text.rfind("\n") + 1])


def trusting(text):
    rows = map(json.loads, text.splitlines())
    return {row["key"]: row["answer"] for row in rows if "answer" in row}


def with_errors(text):
    found = {}
    for line in text.splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        found[row["key"]] = row.get("answer")
    return found


def without_empty(text):
    return {key: answer for key, answer in finished(text).items() if answer}


def cut(sizes, most):
    found, room = [], 0
    for place, size in enumerate(sizes):
        if size > most:
            raise ValueError(f"text {place} is too long")
        if size > room:
            found.append([])
            room = most
        found[-1].append(place)
        room -= size
    return found


def cut_tuples(sizes, most):
    return (tuple(part) for part in cut(sizes, most))


def empty_first(sizes, most):
    found, used = [[]], 0
    for place, size in enumerate(sizes):
        if used + size > most:
            found.append([])
            used = 0
        found[-1].append(place)
        used += size
    return found


def one_each(sizes, most):
    return [[place] for place in range(len(sizes))]


def never_raises(sizes, most):
    return cut([min(size, most) for size in sizes], most)


GOOD = {name: answer for name, (answer, _) in checks.KEYS.items()}
AGAIN = {name: answer for name, (answer, _) in checks.FAILURES.items()}
JOBS = {name: answer for name, (answer, _) in checks.JOBS.items()}

ANSWERS = {
    "predict": Answers(
        right=[(200, 49, 4), (200.0, 50, 4.0)],
        wrong=[
            ((3.3, 49, 4), "3.3 minutes"),
            ((200, 200, 4), "don't take 200"),
            ((200, 50, 1), "not 1 are"),
            (("200", 50, 4), "`minutes_alone` is a number"),
        ],
    ),
    "layers": Answers(
        right=[
            (layered(helpers.Budget, helpers.RateLimit, helpers.Retry),),
            (helpers.Retry(layered(helpers.Budget, helpers.RateLimit), attempts=3),),
        ],
        wrong=[
            ((layered(helpers.Retry, helpers.RateLimit, helpers.Budget),), "outside of `Retry`"),
            ((layered(helpers.RateLimit, helpers.Budget, helpers.Retry),), "holds money"),
            ((layered(helpers.RateLimit, helpers.Retry),), "no `Budget`"),
            (
                (layered(helpers.Budget, helpers.RateLimit, helpers.Retry, limit=0.5),),
                "not $0.005",
            ),
            ((network(),), "Wrap the network"),
        ],
    ),
    "keep": Answers(
        right=[(gathered,), (one_by_one,)],
        wrong=[
            ((raising,), "other four replies are lost"),
            ((by_arrival,), "order is lost"),
            ((none_for_errors,), "not its exception"),
        ],
    ),
    "order": Answers(
        right=[(in_order,), (lambda results, ids: tuple(map(tuple, in_order(results, ids))),)],
        wrong=[
            ((as_they_come,), "the order of the results"),
            ((without_missing,), "`d` is in no result"),
            ((lambda results, ids: in_order(results, ids)[0],), "Return two things"),
        ],
    ),
    "key": Answers(
        right=[(GOOD,), (dict(reversed(GOOD.items())),)],
        wrong=[
            (({**GOOD, "another temperature": True},), "old temperature"),
            (({**GOOD, "another time-out": False},), "not in the body"),
            (({},), "There is no answer"),
        ],
    ),
    "again": Answers(
        right=[(AGAIN,), (dict(reversed(AGAIN.items())),)],
        wrong=[
            (({**AGAIN, "401, wrong key": True},), "the same key"),
            (({**AGAIN, "PoolTimeout": False},), "never left your machine"),
            ((dict.fromkeys(AGAIN, True),), "refused each time"),
        ],
    ),
    "torn": Answers(
        right=[(finished,), (whole_lines,)],
        wrong=[
            ((trusting,), "raises JSONDecodeError"),
            ((with_errors,), "`k2` is an error"),
            ((without_empty,), "`k3` has an empty answer"),
        ],
    ),
    "cut": Answers(
        right=[(cut,), (cut_tuples,)],
        wrong=[
            ((empty_first,), "there is an empty list"),
            ((one_each,), "could be longer"),
            ((never_raises,), "raise a ValueError"),
        ],
    ),
    "decide": Answers(
        right=[(JOBS,), (dict(reversed(JOBS.items())),)],
        wrong=[
            (({**JOBS, "four web servers answer users with one key": "Dask"},), "four processes"),
            ((dict.fromkeys(JOBS, "Dask"),), "Think again"),
        ],
    ),
}
