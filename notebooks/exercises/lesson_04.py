"""Checks of lesson 04, System prompts and temperature."""

import bisect
import functools

import numpy as np
import pandas as pd

import helpers

from . import NOTEBOOKS, exercise, plain
from .values import a_kind

MOST_WORDS = 47


@exercise(
    "Force a form",
    hints=(
        "`FORMATS['json_schema']` above has the form that is wanted, with other fields.",
        "In a JSON schema, a text is a 'string', and a whole number an 'integer'.",
        "`required` lists the fields that must be there.",
    ),
)
def schema(response_format):
    if not isinstance(response_format, dict):
        return f"`response_format` is a dict. This is {a_kind(response_format)}."
    if response_format.get("type") == "json_object":
        return "`json_object` promises JSON, but no fields."
    if response_format.get("type") != "json_schema":
        return f"Its `type` is {response_format.get('type')!r}, and not 'json_schema'."
    named = response_format.get("json_schema")
    if not isinstance(named, dict) or not isinstance(named.get("schema"), dict):
        return "Below `json_schema` comes a dict with a `name` and, as `schema`, the schema itself."
    if not isinstance(named.get("name"), str):
        return "The schema has no `name`."
    found = named["schema"]
    fields = found.get("properties")
    if found.get("type") != "object" or not isinstance(fields, dict):
        return "The schema's `type` is 'object', and its `properties` has an entry for each field."
    if set(fields) != {"city", "days"}:
        return f"The fields are city and days. You have {', '.join(map(str, fields)) or 'none'}."
    for field, wanted in (("city", "string"), ("days", "integer")):
        got = fields[field].get("type") if isinstance(fields[field], dict) else fields[field]
        if got != wanted:
            return f"`{field}` has the type {got!r}, and not {wanted!r}."
    if missing := {"city", "days"} - set(found.get("required", ())):
        return f"An answer without {sorted(missing)[0]!r} would be allowed: see `required`."
    if named.get("strict") is not True:
        return "`strict` asks for exactly these fields. Here it is not True."
    return None


@exercise(
    "Find a shorter prompt that passes",
    hints=(
        "Leave out each sentence in turn, and see which messages fail.",
        "`' '.join(text for name, text in SENTENCES.items() if name != ...)` leaves one out.",
    ),
)
def prompt(system, try_prompt):
    if not isinstance(system, str):
        return f"A prompt is a text. This is {a_kind(system)}."
    if not callable(try_prompt):
        return "The second argument is the lesson's function `try_prompt`."
    try:
        problems = try_prompt(system)
    except helpers.RecordingNotFound:
        return (
            "Replay has no answers to this prompt. It has some to the prompts of this lesson, and to "
            "the third one without one of its sentences, joined by a space."
        )
    if len(problems) != 4:
        return f"Your `MESSAGES` has {len(problems)} messages, and not the four of the lesson."
    failing = [f"Message {n} {problem}." for n, problem in enumerate(problems, 1) if problem]
    if failing:
        return failing[0]
    if (words := len(system.split())) > MOST_WORDS:
        return f"All four pass, but the prompt has {words} words, and may have {MOST_WORDS}."
    return None


@exercise(
    "Put the messages in order",
    hints=(
        "Five messages: one of the system, two of the user, two of the assistant.",
        "The beginning of the answer is the last message, and the assistant's.",
        "It needs a third field, beside `role` and `content`.",
    ),
)
def order(messages):
    wanted = (
        ("system", "Answer in French."),
        ("user", "Hello"),
        ("assistant", "Bonjour !"),
        ("user", "How are you?"),
        ("assistant", "Très bien,"),
    )
    if not isinstance(messages, list | tuple):
        return f"A list of messages is wanted. This is {a_kind(messages)}."
    if not all(isinstance(m, dict) and {"role", "content"} <= set(m) for m in messages):
        return "Each message is a dict with `role` and `content`."
    roles = [str(message["role"]) for message in messages]
    if roles == [role for role, _ in wanted[:-1]]:
        return "The beginning of the new answer, 'Très bien,', has no message of its own yet."
    if "system" not in roles[:1]:
        return f"The system prompt comes first. Your roles: {' → '.join(roles) or 'none'}."
    if roles != [role for role, _ in wanted]:
        return f"Your roles: {' → '.join(roles) or 'none'}. Compare them with the request."
    for message, (role, content) in zip(messages, wanted, strict=True):
        if message["content"] != content:
            return f"A message of the {role} is {message['content']!r}, and not {content!r}."
    if messages[-1].get("prefix", True) is not True:
        return f"`prefix` is True or left out. Here it is {messages[-1]['prefix']!r}."
    if "prefix" not in messages[-1]:
        return "The API would answer with 400: an assistant message at the end needs a third field."
    if any(message.get("prefix") for message in messages[:-1]):
        return "Only the last message is a beginning. The others are old."
    return None


@exercise(
    "Predict how many tokens stay",
    hints=(
        "Add up from the likeliest on: 0.4, 0.7, 0.9, 1.0.",
        "The token that reaches `top_p` is still kept.",
        "At least one token always stays.",
    ),
)
def kept(tokens):
    sums = [0.4, 0.7, 0.9, 1.0]
    right = {top_p: bisect.bisect_left(sums, top_p) + 1 for top_p in (0.05, 0.4, 0.5, 0.95)}
    if not isinstance(tokens, dict) or set(tokens) != set(right):
        return "A dict with a number for each `top_p` is wanted: 0.05, 0.4, 0.5 and 0.95."
    for top_p, number in tokens.items():
        if type(number) not in (int, float) or number not in range(5):
            return f"For {top_p}, a number of tokens up to 4 is wanted. It is {number!r}."
        if number == 0:
            return f"At {top_p}, no token at all would be left to draw."
        if number < right[top_p]:
            return f"At {top_p}, {number:g} of them are too few: they add up to {sums[int(number) - 1]}."
        if number > right[top_p]:
            return f"At {top_p}, {number:g} of them are too many: fewer reach {top_p} already."
    return None


@exercise(
    "Predict which texts are the same",
    hints=(
        "At temperature 0 nothing is drawn: the favourite is always taken.",
        "A seed decides the draws. Do they lead to the same text if the beginning is another?",
        "How many tokens does a `top_p` of 0.01 keep?",
    ),
    words=(*"ABCDE", True, False),
)
def same(predicted, write):
    if not callable(write):
        return "The second argument is the lesson's function `write`."
    if not isinstance(predicted, dict) or set(predicted) != set("ABCDE"):
        return "A dict with True or False for each letter from A to E is wanted."
    pairs = {
        "A": (("The bicycle", 0.7, 1.0, 1), ("The bicycle", 0.7, 1.0, 1)),
        "B": (("The bicycle", 0.7, 1.0, 1), ("The bicycle", 0.7, 1.0, 2)),
        "C": (("The bicycle", 0, 1.0, 1), ("The bicycle", 0, 1.0, 2)),
        "D": (("The bicycle", 0.7, 1.0, 1), ("A bicycle", 0.7, 1.0, 1)),
        "E": (("The bicycle", 0, 1.0, 1), ("The bicycle", 1.5, 0.01, 1)),
    }
    for letter, answer in sorted(predicted.items()):
        if type(answer) is not bool:
            return f"{letter} is True or False, and not {answer!r}."
        # The text after its beginning, which is another in D.
        one, other = (write(*pair).partition("bicycle")[2] for pair in pairs[letter])
        if answer != (one == other):
            return f"{letter} is not {answer}. One text goes on: {one[:40]!r}, the other: {other[:40]!r}"
    return None


@exercise(
    "Choose temperatures",
    hints=(
        "Which of these tasks have one right answer?",
        "The table above has a range for each kind of task.",
    ),
)
def choose(temperatures):
    ranges = {
        "invoice": (0, 0.3, "there is one right answer"),
        "café": (0.7, 1.0, "you want to be surprised, by words that are still words"),
        "contract": (0.3, 0.7, "it should sound natural, and be right"),
        "function": (0, 0.3, "an unlikely token is most often an error"),
    }
    if not isinstance(temperatures, dict) or set(temperatures) != set(ranges):
        return f"A dict with a number for each task is wanted: {', '.join(ranges)}."
    for task, number in temperatures.items():
        if not isinstance(number, int | float) or isinstance(number, bool):
            return f"For {task!r}, a number is wanted. It is {number!r}."
        low, high, why = ranges[task]
        if number > 1.5:
            return f"The API refuses a temperature of {number}."
        if not low - 1e-6 <= number <= high + 1e-6:
            return f"For {task!r}, {number} is too {'low' if number < low else 'high'}: {why}."
    return None


@exercise(
    "Predict the status",
    hints=(
        "An unknown field, or a value out of its range, is a 422.",
        "Two names are OpenAI's. Mistral's are random_seed and max_tokens.",
        "Two fields that contradict each other are a 400.",
    ),
    words="ABCDEF",
)
def statuses(predicted):
    right = {"A": 422, "B": 200, "C": 422, "D": 400, "E": 422, "F": 200}
    why = {
        "A": "Mistral's API calls this field random_seed",
        "B": "this is the field that fixes the draw",
        "C": "the highest temperature is 1.5",
        "D": "both fields are known and in their range, but they contradict each other",
        "E": "Mistral's API calls this field max_tokens",
        "F": "`stop` takes a string or a list",
    }
    if not isinstance(predicted, dict) or set(predicted) != set(right):
        return "A dict with a status for each letter from A to F is wanted."
    for letter, status in predicted.items():
        if status not in (200, 400, 422):
            return f"The status of {letter} is 200, 400 or 422, and not {status!r}."
        if status != right[letter]:
            return f"{letter} is no {status}: {why[letter]}."
    return None


@exercise(
    "Find where the favourite gets half",
    hints=(
        "`probabilities(logprobs, t).max()` is what the favourite gets at temperature t.",
        "Repeat each logprob as often as it has tokens, as `REAL` does above.",
        "The higher the temperature that it takes to unsettle a model, the more certain it is.",
    ),
)
def half(temperatures, more_certain):
    groups, at = measured()
    if not isinstance(temperatures, dict) or set(temperatures) != set(at):
        return f"A dict with a temperature for each prompt is wanted: {', '.join(at)}."
    for name, number in temperatures.items():
        if isinstance(number, bool) or not isinstance(number, int | float | np.number):
            return f"For {name!r}, a number is wanted. It is {number!r}."
        # Half a step of 0.05: the nearest step, or any nearer number.
        if not abs(number - at[name]) <= 0.0251:
            share = favourite(groups[name], number)
            return f"For {name!r}, the favourite gets {share:.1%} at {number:.2f}."
    if more_certain not in at:
        return f"`more_certain` is one of the two prompts, word for word. It is {more_certain!r}."
    if at[more_certain] != max(at.values()):
        return f"The favourite of {more_certain!r} falls to half at a lower temperature than the other."
    return None


@functools.cache
def measured():
    """The tokens of each measured prompt, and where its favourite gets half."""
    rows = pd.read_csv(NOTEBOOKS.parent / "data/measured/next_token.csv", comment="#")
    groups = dict(iter(rows.groupby("prompt")))
    return groups, {name: half_at(group) for name, group in groups.items()}


def favourite(rows, temperature):
    """The favourite's share of a measured vocabulary at a temperature."""
    if not temperature > 0:
        return 1.0
    powers = np.exp((rows["logprob"] - rows["logprob"].max()) / temperature)
    return powers.iloc[0] / (powers * rows["tokens"]).sum()


def half_at(rows):
    low, high = 0.1, 3.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if favourite(rows, middle) > 0.5 else (low, middle)
    return low


@exercise(
    "Make repetition unlikely",
    hints=(
        "`counts > 0` is True for each token that occurred, and True counts as 1.",
        "Subtract twice: once for having occurred, and once for each time.",
    ),
)
def penalize(function):
    if not callable(function):
        return f"Define a function. This is {a_kind(function)}."
    logits, counts = np.array([4.0, 3.0, 2.0, 1.0]), np.array([3, 0, 1, 0])
    for presence, frequency, what in (
        (0, 0, "no penalty"),
        (0.5, 0, "a presence penalty of 0.5"),
        (0, 0.25, "a frequency penalty of 0.25"),
        (1.5, -0.5, "a presence penalty of 1.5 and a frequency penalty of -0.5"),
    ):
        wanted = logits - presence * (counts > 0) - frequency * counts
        got = plain(function(logits.copy(), counts.copy(), presence, frequency))
        if np.shape(got) != np.shape(wanted):
            return f"It returns an array with a logit for each token. It returned {got!r}."
        if not np.allclose(np.asarray(got, float), wanted, rtol=1e-9, atol=1e-12):
            return (
                f"With {what}, tokens that occurred {counts.tolist()} times go from "
                f"{logits.tolist()} to {np.asarray(got).tolist()}."
            )
    return None
