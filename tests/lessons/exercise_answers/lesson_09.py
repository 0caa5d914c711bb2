"""Right and wrong answers to lesson 09's exercises."""

import datetime

import helpers
from helpers.costs import count_text, count_tokens
from tests.lessons.solutions import Answers

SMALL, MEDIUM = "mistral-small-latest", "mistral-medium-latest"


def counted(system, text):
    turns = [{"role": "system", "content": system}, {"role": "user", "content": text}]
    return count_tokens(turns, SMALL)


def window(messages, last):
    system = messages[:1] if messages and messages[0]["role"] == "system" else []
    rest = messages[len(system) :]
    return system + rest[len(rest) - min(last, len(rest)) :]


def popping(messages, last):
    system = [messages.pop(0)] if messages[0]["role"] == "system" else []
    return system + messages[max(0, len(messages) - last) :]


def month(model, days=30, currency="eur", into=583, out=34):
    count = days * 3_000
    return getattr(helpers.price((count * into, count * out), model), currency)


def argon(day, count=1_000_000):
    tokens = 209 * count, 2 * count
    return helpers.price(tokens, "gemini-4-argon", when=day, requests=count).usd


DECEMBER = datetime.date(2026, 12, 15)


def body(rules, text, time):
    turns = [{"role": "system", "content": rules}, {"role": "user", "content": f"{text} ({time})"}]
    return {"model": SMALL, "messages": turns, "prompt_cache_key": "labels"}


def in_one_message(rules, text, time):
    turns = [{"role": "user", "content": f"{rules}\n\n{time}\n{text}"}]
    return {"model": MEDIUM, "messages": turns, "prompt_cache_key": "labels", "max_tokens": 5}


def time_first(rules, text, time):
    turns = [{"role": "system", "content": f"{time} {rules}"}, {"role": "user", "content": text}]
    return body(rules, text, time) | {"messages": turns}


def key_of_the_text(rules, text, time):
    return body(rules, text, time) | {"prompt_cache_key": text}


def no_key(rules, text, time):
    return {k: v for k, v in body(rules, text, time).items() if k != "prompt_cache_key"}


def without_time(rules, text, time):
    return body(rules, text, "")


# Of the question for a poem. Not counted here: each process of the tests reads this file, and the
# tokenizer takes two seconds to load.
INTO, TEXT_ALONE = 23, 8


def pick(summary, good_enough):
    enough = summary[summary["accuracy"] >= good_enough].sort_values("dollars per 1,000")
    return enough.index[0] if len(enough) else None


def pick_in_a_loop(summary, good_enough):
    found = None
    for name, row in summary.iterrows():
        if row["accuracy"] >= good_enough and (
            found is None or row["dollars per 1,000"] < summary["dollars per 1,000"][found]
        ):
            found = name
    return found


def best(summary, good_enough):
    return summary["accuracy"].idxmax()


def above(summary, good_enough):
    enough = summary[summary["accuracy"] > good_enough]
    return None if enough.empty else enough["dollars per 1,000"].idxmin()


def never_none(summary, good_enough):
    return summary[summary["accuracy"] >= good_enough]["dollars per 1,000"].idxmin()


ANSWERS = {
    "count": Answers(
        right=[(lambda system, text: counted(system, text).tokens,), (counted,)],
        wrong=[
            ((lambda system, text: count_text(system) + count_text(text),), "alone, as before"),
            ((lambda system, text: count_tokens(text, SMALL).tokens,), "leaves out the system"),
            ((lambda system, text: counted(system, text).tokens - 1,), "the API reports"),
            ((lambda system, text: str(counted(system, text)),), "a number of tokens"),
            ((23,), "Define a function"),
        ],
    ),
    "window": Answers(
        right=[
            (window,),
            (lambda messages, last: tuple(window(messages, last)),),
            (lambda messages, last: iter(window(messages, last)),),
        ],
        wrong=[
            ((lambda messages, last: messages[-last:],), "wanted: system"),
            ((lambda messages, last: messages[:1] + messages[1:][-last:],), "it kept user"),
            ((popping,), "the conversation is lost"),
            ((lambda messages, last: len(messages),), "a list of messages"),
            ((lambda messages, last: window(messages, last) if last else messages,), "last=0"),
        ],
    ),
    "month": Answers(
        right=[
            (month(SMALL), month(MEDIUM)),
            (round(month(SMALL), 2), round(month(MEDIUM), 2)),
        ],
        wrong=[
            ((month(SMALL, currency="usd"), month(MEDIUM)), "dollars, not in euros"),
            ((month(SMALL), month(MEDIUM, currency="usd")), "mistral-medium-latest is in dollars"),
            ((month(SMALL) / 90_000, month(MEDIUM)), "the price of one question"),
            ((month(SMALL, days=1), month(MEDIUM, days=1)), "of one day"),
            ((month(SMALL, out=0), month(MEDIUM)), "leaves out the answers"),
            ((month(MEDIUM), month(SMALL)), "doesn't cost"),
            (("7.83", "85.17"), "a number of euros"),
        ],
    ),
    "later": Answers(
        right=[(argon(DECEMBER),), (round(argon(DECEMBER), 2),)],
        wrong=[
            ((argon(None),), "which will have ended"),
            ((argon(DECEMBER, 1),), "of one label"),
            ((418,), "It won't cost 418.00 dollars: 209 tokens in and 2 out"),
            ((argon(DECEMBER) + 1,), "It won't cost"),
        ],
    ),
    "thinking": Answers(
        right=[((209 * 1.5 + 2 * 7.5) / 7.5,), (43,), (44,)],
        wrong=[
            ((209 * 1.5 / 7.5,), "leaves out the two tokens"),
            ((219,), "at the price of input"),
            ((87.6,), "three times"),
            ((209,), "5.77 times"),
            ((45.8,), "2.05 times"),
        ],
    ),
    "share": Answers(
        right=[(body,), (in_one_message,)],
        wrong=[
            ((time_first,), "differ before their rules end"),
            ((key_of_the_text,), "The keys differ"),
            ((no_key,), "no `prompt_cache_key`"),
            ((without_time,), "don't contain '09:15'"),
            ((lambda rules, text, time: body(rules, text, time)["messages"],), "returns a body"),
        ],
    ),
    "limit": Answers(
        right=[
            (helpers.price((INTO, 500), SMALL).usd,),
            (INTO * 0.15e-6 + 500 * 0.6e-6,),
            (0.000304,),
        ],
        wrong=[
            ((helpers.price((0, 500), SMALL).usd,), "leaves out the question"),
            ((helpers.price((TEXT_ALONE, 500), SMALL).usd,), "the text alone"),
            ((0.0005,), "more than one request needs"),
            ((0.0001,), "lets nothing pass"),
            ((0.000303,), "lets nothing pass, since it is rounded down"),
        ],
    ),
    "sample": Answers(
        right=[(250,), (246,), (230,)],
        wrong=[((100,), "7.8 points"), ((1000,), "2.5 points"), ((0,), "at least one")],
    ),
    "pick": Answers(
        right=[(pick,), (pick_in_a_loop,)],
        wrong=[
            ((best,), "It returned 'strong'"),
            ((above,), "'good' is the cheapest with 90%"),
            ((never_none,), "it raised ValueError"),
            ((lambda summary, enough: summary.iloc[0],), "returns the name of a model"),
        ],
    ),
}
