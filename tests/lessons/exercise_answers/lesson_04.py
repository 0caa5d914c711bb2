"""Right and wrong answers to lesson 04's exercises."""

import copy
import unicodedata

import numpy as np
import pandas as pd

from tests.lessons.solutions import Answers

FORM = {
    "type": "json_schema",
    "json_schema": {
        "name": "trip",
        "schema": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["city", "days"],
        },
        "strict": True,
    },
}


def form(*path, value):
    """The right form with another value at a path."""
    changed = copy.deepcopy(FORM)
    *steps, last = path
    part = changed
    for step in steps:
        part = part[step]
    part[last] = value
    return changed


IN_SCHEMA = ("json_schema", "schema")
MESSAGES = [
    {"role": "system", "content": "Answer in French."},
    {"role": "user", "content": "Hello"},
    {"role": "assistant", "content": "Bonjour !"},
    {"role": "user", "content": "How are you?"},
    {"role": "assistant", "content": "Très bien,", "prefix": True},
]
# As some keyboards write è.
DECOMPOSED = [m | {"content": unicodedata.normalize("NFD", m["content"])} for m in MESSAGES]
KEPT = {0.05: 1, 0.4: 1, 0.5: 2, 0.95: 4}
SAME = {"A": True, "B": False, "C": True, "D": False, "E": True}
TEMPERATURES = {
    "invoice": 0,
    "café": 0.9,
    "contract": 0.5,
    "function": 0.2,
}
STATUSES = {"A": 422, "B": 200, "C": 422, "D": 400, "E": 422, "F": 200}
# What the stand-in API really answers.
ASK_ALL = """
cases = {
    "A": {"seed": 7}, "B": {"random_seed": 7}, "C": {"temperature": 1.6},
    "D": {"temperature": 0, "top_p": 0.9}, "E": {"max_completion_tokens": 50}, "F": {"stop": ["5", "!"]},
}
answered = {}
for letter, fields in cases.items():
    try:
        helpers.chat(CHEESE, **fields)
        answered[letter] = 200
    except helpers.APIError as error:
        answered[letter] = error.status
check.statuses(answered)"""
FRANCE, KEY = "The capital of France is", "She put the key in the"
HALF = {FRANCE: 1.25, KEY: 1.05}
FINER = """
finer = {}
for name, group in vocabulary.groupby("prompt"):
    logs = np.repeat(group["logprob"].to_numpy(), group["tokens"])
    finer[name] = min(np.arange(50, 150) / 100, key=lambda t: abs(probabilities(logs, t).max() - 0.5))
check.half(finer, max(finer, key=finer.get))"""


def penalize(logits, counts, presence, frequency):
    return logits - presence * (counts > 0) - frequency * counts


def by_loop(logits, counts, presence, frequency):
    pairs = zip(logits, counts, strict=True)
    return [logit - n * frequency - presence * min(n, 1) for logit, n in pairs]


def added(logits, counts, presence, frequency):
    return logits + presence * (counts > 0) + frequency * counts


def everywhere(logits, counts, presence, frequency):
    return logits - presence - frequency * counts


def once(logits, counts, presence, frequency):
    return logits - (presence + frequency) * np.minimum(counts, 1)


ANSWERS = {
    "schema": Answers(
        right=[(FORM,), (form(*IN_SCHEMA, "required", value=("days", "city")),)],
        wrong=[
            (({"type": "json_object"},), "promises JSON, but no fields"),
            ((FORM["json_schema"]["schema"],), "'object', and not 'json_schema'"),
            ((form(*IN_SCHEMA, "properties", "days", value={"type": "number"}),), "'number'"),
            ((form(*IN_SCHEMA, "required", value=["city"]),), "without 'days'"),
            (
                (form(*IN_SCHEMA, "properties", value={"city": {"type": "string"}}),),
                "You have city",
            ),
            ((form("json_schema", value=FORM["json_schema"]["schema"]),), "a dict with a `name`"),
            ((form("json_schema", "strict", value=False),), "`strict` asks"),
        ],
    ),
    "prompt": Answers(
        right=[
            "check.prompt(' '.join([*SENTENCES.values()][1:]), try_prompt)",
            "check.prompt('\\n '.join([*SENTENCES.values()][1:]).replace('\\n', ''), try_prompt)",
        ],
        wrong=[
            ("check.prompt(' '.join(SENTENCES.values()), try_prompt)", "and may have 47."),
            ("check.prompt(' '.join([*SENTENCES.values()][:3]), try_prompt)", "4 does not refuse"),
            (
                "check.prompt('You are a helpful assistant of a parcel service.', try_prompt)",
                "Message 1 has 4 sentences.",
            ),
            ("check.prompt('You are a pirate.', try_prompt)", "has no answers to this prompt"),
            ((["Be short."], print), "This is a list"),
            (("Be short.", lambda system: []), "has 0 messages"),
        ],
    ),
    "order": Answers(
        right=[(MESSAGES,), (tuple(MESSAGES),), (DECOMPOSED,), f"check.order(iter({MESSAGES!r}))"],
        wrong=[
            (([*MESSAGES[:4], {"role": "assistant", "content": "Très bien,"}],), "with 400"),
            ((MESSAGES[:4],), "'Très bien,', has no message of its own"),
            ((MESSAGES[1:],), "The system prompt comes first"),
            (([*MESSAGES[:4], MESSAGES[4] | {"prefix": "Très bien,"}],), "Here it is 'Très bien,'"),
            (([*MESSAGES[1:4], MESSAGES[0], MESSAGES[4]],), "user → system"),
            (([*MESSAGES[:2], MESSAGES[2] | {"content": "Hi"}, *MESSAGES[3:]],), "is 'Hi'"),
            (([message | {"prefix": True} for message in MESSAGES],), "Only the last"),
        ],
    ),
    "kept": Answers(
        right=[
            (KEPT,),
            ({p: np.int64(n) for p, n in KEPT.items()},),
            ({p: float(n) for p, n in KEPT.items()},),
            (pd.Series(KEPT),),
            "tail = np.array([0.4, 0.3, 0.2, 0.1])\n"
            "check.kept({p: int((nucleus(tail, p) > 0).sum()) for p in (0.05, 0.4, 0.5, 0.95)})",
        ],
        wrong=[
            ((KEPT | {0.05: 0},), "no token at all"),
            ((KEPT | {0.5: 1},), "1 of them are too few: they add up to 0.4"),
            ((KEPT | {0.4: 2},), "2 of them are too many"),
            ((KEPT | {0.95: "all"},), "It is 'all'"),
        ],
    ),
    "same": Answers(
        right=[f"check.same({SAME}, write)", f"check.same({dict(reversed(SAME.items()))}, write)"],
        wrong=[
            (f"check.same({SAME | {'B': 'True'}}, write)", "B is not True. One text goes on:"),
            (f"check.same({SAME | {'C': False}}, write)", "C is not False."),
            (f"check.same({SAME | {'D': True}}, write)", "D is not True."),
            (f"check.same({SAME | {'E': False}}, write)", "E is not False."),
            ((SAME, None), "function `write`"),
        ],
    ),
    "choose": Answers(
        right=[
            (TEMPERATURES,),
            (TEMPERATURES | {"contract": 0.3, "café": 1},),
            (pd.Series(TEMPERATURES | {"invoice": 0.1 + 0.2}),),
        ],
        wrong=[
            ((TEMPERATURES | {"café": 0},), "0 is too low: you want to be surprised"),
            ((TEMPERATURES | {"function": 0.8},), "0.8 is too high"),
            ((TEMPERATURES | {"café": 2},), "refuses a temperature of 2"),
            ((TEMPERATURES | {"invoice": "low"},), "It is 'low'"),
        ],
    ),
    "statuses": Answers(
        right=[(STATUSES,), ({letter.lower(): n for letter, n in STATUSES.items()},), ASK_ALL],
        wrong=[
            ((STATUSES | {"A": 200},), "A is no 200: Mistral's API calls this field random_seed"),
            ((STATUSES | {"D": 422},), "contradict each other"),
            ((STATUSES | {"C": 200},), "highest temperature is 1.5"),
            ((STATUSES | {"F": 404},), "and not 404"),
        ],
    ),
    "half": Answers(
        right=[(HALF, FRANCE), FINER],
        wrong=[
            (({FRANCE: 1.05, KEY: 1.25}, FRANCE), "the favourite gets 72.1%"),
            (({FRANCE: 1.3, KEY: 1.05}, FRANCE), "at 1.30"),
            ((HALF, KEY), "at a lower temperature"),
            ((HALF, "France"), "word for word"),
            ((1.25, FRANCE), "for each prompt"),
        ],
    ),
    "penalize": Answers(
        right=[(penalize,), (by_loop,)],
        wrong=[
            (
                (added,),
                "a presence penalty of 0.5, tokens that occurred [3, 0, 1, 0] times go from",
            ),
            ((everywhere,), "to [3.5, 2.5, 1.5, 0.5]"),
            ((once,), "a frequency penalty of 0.25"),
            ((lambda logits, counts, presence, frequency: logits.max(),), "It returned"),
        ],
    ),
}
