"""Right and wrong answers to lesson 08's exercises."""

import re
from decimal import Decimal

import numpy as np
import pandas as pd
from exercises.lesson_08 import LINES, WISHES

from tests.lessons.solutions import Answers

CHOICES = {wish: wanted for wish, (wanted, _) in WISHES.items()}
NAME, HOURS, TONE, _ = WISHES
WANTED = (None, "last message", "duplicate", "format", "bad JSON")
REASONS = dict(zip(LINES, WANTED, strict=True))
GOOD, QUESTION_LAST, TWICE, PAIR, BROKEN = LINES
ASK = {"role": "user", "content": "Do you rent trailers?"}
NO = {"role": "assistant", "content": "No idea.", "weight": 0}
AGAIN = {"role": "user", "content": "Could you look it up?"}
YES = {"role": "assistant", "content": "Yes, for children."}
SETTINGS = {
    "datasets": "train.jsonl",
    "test_datasets": "validation.jsonl",
    "sequence_len": 4096,
    "num_epochs": 3,
    "learning_rate": 0.0001,
}


def from_pair(line):
    texts = {"user": line["prompt"], "assistant": line["completion"]}
    return {"messages": [{"role": role, "content": t.strip()} for role, t in texts.items()]}


def popping(line):
    line["messages"] = [
        {"role": "user", "content": line.pop("prompt").strip()},
        {"content": line.pop("completion").strip(), "role": "assistant"},
    ]
    return line


def unstripped(line):
    user = {"role": "user", "content": line["prompt"]}
    return {"messages": [user, {"role": "assistant", "content": line["completion"]}]}


def squeezed(line):
    sample = from_pair(line)
    for message in sample["messages"]:
        message["content"] = " ".join(message["content"].split())
    return sample


def listed(line):
    return from_pair(line)["messages"]


def with_the_pair(line):
    return line | from_pair(line)


def turned(line):
    return {"messages": from_pair(line)["messages"][::-1]}


ANSWERS = {
    "decide": Answers(
        right=[(CHOICES,), (dict(reversed(CHOICES.items())),), (pd.Series(CHOICES),)],
        wrong=[
            ((list(CHOICES.values()),), "This is a list"),
            (({NAME: "prompt"},), "has no choice"),
            ((CHOICES | {HOURS: "training"},), "Facts that change every week"),
            ((CHOICES | {NAME: "training"},), "one sentence"),
            ((CHOICES | {TONE: "prompt"},), "was tried and measured"),
            ((CHOICES | {TONE: "tuning"},), "'tuning' is not one of"),
        ],
    ),
    "convert": Answers(
        right=[(from_pair,), (popping,)],
        wrong=[
            ((from_pair({"prompt": "a", "completion": "b"}),), "Define a function"),
            ((unstripped,), "became 'Open on Friday?\\n\\n', not 'Open on Friday?'"),
            ((squeezed,), "became 'Two lines: which is it?'"),
            ((listed,), "not a dict with a list of messages"),
            ((with_the_pair,), "other keys"),
            ((turned,), "roles are assistant, user"),
        ],
    ),
    "predict": Answers(
        right=[
            (REASONS,),
            (dict(reversed(REASONS.items())),),
            (pd.Series(REASONS, dtype=object),),
        ],
        wrong=[
            ((list(REASONS.values()),), "This is a list"),
            ((REASONS | {GOOD: "format"},), "Line 1 is good"),
            (
                (REASONS | {QUESTION_LAST: "wrong order"},),
                "'wrong order': after the answer, one more",
            ),
            ((REASONS | {TWICE: None},), "Line 3 is not None: the file has this line"),
            ((REASONS | {PAIR: "empty content"},), "'empty content': it is JSON, but"),
            ((REASONS | {BROKEN: "format"},), "Line 5 is not 'format': a brace is open"),
            ((REASONS | {BROKEN: "Bad json"},), "'Bad json' is not one of the reasons"),
            ((REASONS | {PAIR: 0},), "a text or None"),
            ((dict(zip("abcde", WANTED, strict=True)),), "The keys are the five lines"),
        ],
    ),
    "pattern": Answers(
        right=[
            (r"\b[A-Z]{2}-\d{4}-\d{5}\b",),
            (re.compile(r"(?<![A-Z])[A-Z][A-Z]-[0-9]{4}-[0-9]{5}(?!\d)"),),
            (r"(?<!\w)([A-Z]{2})-(\d{4})-(\d{5})(?!\w)",),
            (re.compile(r"\b[A-Z]{2} -\d{4} -\d{5}\b", re.VERBOSE),),
        ],
        wrong=[
            ((r"[A-Z]{2}-\d{4}-\d{5}",), "In 'XAM-2026-001234' it finds"),
            ((r"\b[A-Z]{2}-\d+-\d+\b",), "In 'AM-20-123' it finds"),
            ((r"AM-\d{4}-\d{5}\b",), "['AM-2026-00123'], not ['AM-2026-00123', 'ZK-1998-54321']"),
            ((r"\b\w{2}-\d{4}-\d{5}\b",), "it finds 'am-2026-00123'"),
            ((re.compile(r"\b[A-Z]{2}-\d{4}-\d{5}\b", re.IGNORECASE),), "finds 'am-2026-00123'"),
            ((r"\b[A-Z]{2}-\d{4}-\d{5}$",), "it finds nothing"),
            ((r"[A-Z",), "no regular expression"),
        ],
    ),
    "weights": Answers(
        right=[
            ({"messages": [ASK, NO, AGAIN, YES]},),
            ({"messages": [ASK, NO, AGAIN, YES | {"weight": 1}]},),
            ({"messages": [{"role": "system", "content": "Be kind."}, ASK, NO, AGAIN, YES]},),
        ],
        wrong=[
            (([ASK, NO, AGAIN, YES],), "a dict with the key"),
            (({"messages": [ASK, NO | {"weight": 1}, AGAIN, YES]},), "still be learned"),
            (({"messages": [ASK, NO, AGAIN, YES | {"weight": 0}]},), "Nothing is left"),
            (({"messages": [ASK, NO | {"weight": 0.5}, AGAIN, YES]},), "is 0.5"),
            (({"messages": [ASK | {"weight": 0}, NO, AGAIN, YES]},), "A question has no weight"),
            (({"messages": [ASK, AGAIN, YES]},), "other messages"),
        ],
    ),
    "leak": Answers(
        right=[("b",)],
        wrong=[(("a",), "trailers"), (("c",), "Sunday"), (("d",), "'a', 'b' or 'c'")],
    ),
    "config": Answers(
        right=[
            (SETTINGS,),
            (SETTINGS | {"sequence_len": 1024, "num_epochs": 2},),
            (SETTINGS | {"adapter": "qlora"},),
            (SETTINGS | {"sequence_len": 621, "num_epochs": np.int64(3)},),
        ],
        wrong=[
            ((SETTINGS | {"test_datasets": "train.jsonl"},), "still tested"),
            (
                (SETTINGS | {"sequence_len": 512},),
                "longest sample has 621 tokens, and a sequence 512",
            ),
            ((SETTINGS | {"num_epochs": 60},), "After 60 epochs"),
            ((SETTINGS | {"learning_rate": 0.1},), "was right"),
            (({"sequence_len": 4096},), "is gone"),
            ((SETTINGS | {"datasets": "validation.jsonl"},), "Training needs"),
        ],
    ),
    "steps": Answers(
        right=[
            (123, (4_000_000 / 5000 / 3600 + 6 / 60) * 4),
            (123.0, 1.29),
            (123, 1.2889),
            (np.ceil(4e6 / 32768), Decimal("1.29")),
            (
                "steps_of_job, dollars = int(np.ceil(4e6 / 32768)), 4 * (4e6 / 5000 + 360) / 3600\n"
                "check.steps(steps_of_job, dollars)"
            ),
        ],
        wrong=[
            ((62, 1.29), "one epoch"),
            ((977, 1.29), "8 sequences"),
            ((122, 1.29), "122 steps are wrong"),
            ((123, 0.89), "loading also cost money"),
            ((123, 0.84), "the cost of one epoch"),
            ((123, 1.28), "1.28 dollars are wrong"),
            ((123, 4.0), "4.0 dollars are wrong"),
            (("123", 1.29), "is a number"),
        ],
    ),
    "verdict": Answers(
        right=[
            (0.2, "can't tell"),
            (0.2 + 1e-9, "can’t tell"),
            'check.verdict(np.mean(new) - np.mean(old), "can\'t tell")',
        ],
        wrong=[
            ((0.2, "better"), "more than 20 questions show"),
            ((-0.2, "worse"), "wrong way round"),
            ((0.65, "better"), "13 and 9"),
            (((0.2, -0.05, 0.45), "can't tell"), "the difference alone"),
            ((0.2, "equal"), "is not one of"),
            ((4, "can't tell"), "13 and 9"),
        ],
    ),
}
