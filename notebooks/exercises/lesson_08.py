"""Checks of lesson 08, Fine-tuning data."""

import math
import numbers
import re

import helpers
from helpers import finetuning

from . import exercise, plain
from .values import a_kind, wrong_price

WISHES = {
    "Answers should begin with the customer's name.": (
        "prompt",
        "A rule that one sentence can state belongs in the prompt.",
    ),
    "Answers should know this week's opening hours.": (
        "search",
        "Facts that change every week belong in a document that is searched.",
    ),
    "Drafts in our tone: the prompt was measured, with 20 examples in it, and it isn't enough.": (
        "training",
        "The prompt was tried and measured, and a tone is a style and no fact.",
    ),
    "Answers should cite the paragraph of the warranty that applies.": (
        "search",
        "A citation needs the paragraph's own words in front of the model.",
    ),
}
REASONS = (None, "last message", "duplicate", "format", "bad JSON")
# What the line shows that speaks against another reason.
LINES = {
    '{"messages": [hi, bye]}': "a question, then an answer",
    '{"messages": [hi, bye, hi]}': "after the answer, one more question follows",
    '{"messages": [hi, bye]}, which is the first line once more': "the file has this line already",
    '{"prompt": "Hi", "completion": "Hello"}': "it is JSON, but has no `messages`",
    '{"messages": [hi, bye]': "a brace is open at its end",
}
# Rounded to cents is right as well.
CENT = 0.0051
# Tokens of the longest good sample, as the lesson counts them.
LONGEST = 621
TURNS = (
    ("user", "Do you rent trailers?"),
    ("assistant", "No idea."),
    ("user", "Could you look it up?"),
    ("assistant", "Yes, for children."),
)


@exercise(
    "Choose between prompt, search and training",
    hints=(
        "Could one sentence in the prompt do it?",
        "Does the answer need facts that change, or the words of a document?",
        "What is left is a style that a measured prompt can't reach.",
    ),
    words=("prompt", "search", "training"),
)
def decide(choices):
    if not isinstance(choices, dict):
        return f"`choices` is a dict, from each wish to a word. This is {a_kind(choices)}."
    for wish, (wanted, why) in WISHES.items():
        if wish not in choices:
            return f"This wish has no choice: {wish}"
        given = choices[wish]
        if given not in ("prompt", "search", "training"):
            return f"{given!r} is not one of 'prompt', 'search' and 'training'."
        if given != wanted:
            return f"Not {given!r} for: {wish} {why}"
    return None


@exercise(
    "Convert pairs of prompt and completion",
    hints=(
        "The result is a dict with the key `messages`: a list of two dicts.",
        "Each of the two has a `role`, 'user' or 'assistant', and a `content`.",
        "`str.strip` takes the whitespace from both ends, and leaves what is inside.",
    ),
)
def convert(from_pair):
    if not callable(from_pair):
        return f"Define a function. This is {a_kind(from_pair)}."
    pairs = (
        ("Open on Friday?\n\n", " Yes, from 9."),
        ("Two lines:\nwhich is it?", "\tThe second.\nSurely. \n"),
    )
    for prompt, completion in pairs:
        line = {"prompt": prompt, "completion": completion}
        sample = plain(from_pair(dict(line)))
        if not isinstance(sample, dict) or not isinstance(sample.get("messages"), list | tuple):
            return f"For {line}, it returned {sample!r}, and not a dict with a list of messages."
        messages = sample["messages"]
        if not all(isinstance(m, dict) and {"role", "content"} <= m.keys() for m in messages):
            return "Each message is a dict with `role` and `content`."
        if extra := set().union(*messages) - {"role", "content"}:
            return (
                f"A message here has `role` and `content`, and no {sorted(map(str, extra))[0]!r}."
            )
        roles = [message["role"] for message in messages]
        if roles != ["user", "assistant"]:
            return f"The roles are {', '.join(map(str, roles)) or 'none'}, not user, assistant."
        for message, text in zip(messages, (prompt, completion), strict=True):
            if message["content"] != text.strip():
                return f"{text!r} became {message['content']!r}, not {text.strip()!r}."
        if set(sample) != {"messages"}:
            return f"The sample has other keys beside `messages`: {sorted(sample)}."
    return None


@exercise(
    "Predict what check reports",
    hints=(
        "Which of them is JSON at all? Count the braces.",
        "A sample ends with an answer, or there is nothing to learn at its end.",
        "A line can be good by itself and still be the second of its kind.",
    ),
    words=(*finetuning.REASONS, None),
)
def predict(reasons):
    if not isinstance(reasons, dict):
        return f"`reasons` is a dict, from each line to its reason. This is {a_kind(reasons)}."
    if set(reasons) != set(LINES):
        return "The keys are the five lines, as in the cell. Change the values only."
    for number, (line, wanted) in enumerate(zip(LINES, REASONS, strict=True), 1):
        given = reasons[line]
        if given is not None and not isinstance(given, str):
            return f"A reason is a text or None. That of line {number} is {given!r}."
        if given is not None and given not in finetuning.REASONS:
            return f"{given!r} is not one of the reasons. A good line has None."
        if given != wanted and wanted is None:
            return f"Line {number} is good: a question, then an answer. You wrote {given!r}."
        if given != wanted:
            return f"Line {number} is not {given!r}: {LINES[line]}."
    return None


@exercise(
    "Find customer numbers",
    hints=(
        r"`\d{4}` is exactly four digits, and `[A-Z]{2}` exactly two capital letters.",
        r"`\b` stands for the edge of a word: nothing of the same kind may come before or after.",
    ),
)
def pattern(expression):
    if not isinstance(expression, str | re.Pattern):
        return f"A regular expression is a text. This is {a_kind(expression)}."
    try:
        found = re.compile(expression)
    except re.error as error:
        return f"This is no regular expression: {error}."
    whole = (
        ("My number is AM-2026-00123.", ["AM-2026-00123"]),
        ("AM-2026-00123, or ZK-1998-54321?", ["AM-2026-00123", "ZK-1998-54321"]),
        ("(BB-2025-10000)", ["BB-2025-10000"]),
    )
    for text, wanted in whole:
        got = [match[0] for match in found.finditer(text)]
        if got != wanted:
            return f"In {text!r} it finds {got or 'nothing'}, not {wanted}."
    for text in (
        "AM-20-123",
        "XAM-2026-001234",
        "AM-2026-001234",
        "XAM-2026-00123",
        "am-2026-00123",
        "42-2026-00123",
        "A-2026-00123",
    ):
        if match := found.search(text):
            return f"In {text!r} it finds {match[0]!r}, which is no customer number."
    return None


@exercise(
    "Let only the second answer count",
    hints=(
        "`weight` is a field of an assistant's message, beside `role` and `content`.",
        "0 means read, and 1, or no weight at all, means learned.",
    ),
)
def weights(sample):
    if not isinstance(sample, dict) or not isinstance(sample.get("messages"), list | tuple):
        return "A sample is a dict with the key `messages`, which holds a list."
    messages = sample["messages"]
    if not all(isinstance(m, dict) for m in messages):
        return "Each message is a dict."
    if messages and messages[0].get("role") == "system":
        messages = messages[1:]
    if len(messages) != len(TURNS):
        return f"Besides a system prompt, four messages are wanted, not {len(messages)}."
    for number, (message, turn) in enumerate(zip(messages, TURNS, strict=True), 1):
        if (given := (message.get("role"), message.get("content"))) != turn:
            return f"Message {number} is {given!r:.60}, not {turn!r}."
    if any("weight" in m for m in messages if m["role"] == "user"):
        return "A question has no weight: the model never learns to write it."
    first, second = (m.get("weight", 1) for m in messages if m["role"] == "assistant")
    for weight in (first, second):
        if weight not in (0, 1, None) or isinstance(weight, bool):
            return f"A weight is 0 or 1. This one is {weight!r}."
    if first != 0:
        return "The first answer, 'No idea.', would still be learned."
    if second == 0:
        return "Nothing is left to learn: the second answer also has the weight 0."
    return None


@exercise(
    "Find the honest split",
    hints=(
        "A model that has seen a question in training remembers it in the test.",
        "Ignore case and spaces. Which questions are the same, or nearly?",
    ),
    words=("a", "b", "c"),
)
def leak(honest):
    if honest not in ("a", "b", "c"):
        return f"The answer is 'a', 'b' or 'c'. This is {honest!r}."
    if honest == "a":
        return "In 'a', both trailers and Sunday are asked about on both sides."
    if honest == "c":
        return "In 'c', Sunday is in training, and nearly the same question is in validation."
    return None


@exercise(
    "Correct a configuration",
    hints=(
        "Which two settings name the same file?",
        "How many tokens does the longest sample have? Anything above `sequence_len` is lost.",
        "A small set is read three times or so. Compare the lesson's configuration.",
    ),
)
def config(corrected):
    if not isinstance(corrected, dict):
        return f"The configuration is a dict. This is {a_kind(corrected)}."
    wanted = {"datasets", "test_datasets", "sequence_len", "num_epochs", "learning_rate"}
    if missing := wanted - corrected.keys():
        return f"The setting {sorted(missing)[0]!r} is gone."
    if corrected["datasets"] != "train.jsonl":
        return f"Training needs the file train.jsonl, not {corrected['datasets']!r}."
    if corrected["test_datasets"] == corrected["datasets"]:
        return "The model is still tested on what it was trained with."
    if corrected["test_datasets"] != "validation.jsonl":
        return f"The hold-out is validation.jsonl, not {corrected['test_datasets']!r}."
    for name in ("sequence_len", "num_epochs", "learning_rate"):
        number = corrected[name]
        if isinstance(number, bool) or not isinstance(number, numbers.Real) or not number > 0:
            return f"`{name}` is a positive number. It is {number!r}."
    if corrected["sequence_len"] % 1:
        return f"`sequence_len` is a whole number. It is {corrected['sequence_len']!r}."
    if corrected["sequence_len"] < LONGEST:
        return f"The longest sample has {LONGEST} tokens, and a sequence {corrected['sequence_len']:g}."
    reads = helpers.models().set_index("id").loc["ministral-3b-2512", "context_tokens"]
    if corrected["sequence_len"] > reads:
        return (
            f"A sequence of {corrected['sequence_len']:,} tokens is longer than the {reads:,.0f} "
            "that Ministral 3 3B can read."
        )
    if corrected["num_epochs"] > 10:
        return f"After {corrected['num_epochs']} epochs, the model recites a small set by heart."
    if corrected["learning_rate"] != 0.0001:
        return "The learning rate was right: only three settings are wrong."
    return None


@exercise(
    "Compute steps and cost",
    hints=(
        "First the tokens of all epochs. A step reads 4,096 times 8 of them.",
        "Hours are tokens / tokens per second / 3600, and 6 minutes are 0.1 hours.",
    ),
)
def steps(steps_of_job, dollars):
    for name, value in (("steps_of_job", steps_of_job), ("dollars", dollars)):
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            return f"`{name}` is a number. This is {a_kind(value)}."
    tokens = 2_000_000 * 2
    if steps_of_job == math.ceil(2_000_000 / 4096 / 8):
        return "These are the steps of one epoch, and there are two."
    if steps_of_job == math.ceil(tokens / 4096):
        return "Each step takes 8 sequences, not one."
    if steps_of_job != math.ceil(tokens / 4096 / 8):
        return (
            f"{steps_of_job} steps are wrong: tokens of both epochs / tokens of a step, rounded up."
        )
    if abs(dollars - tokens / 5000 / 3600 * 4) < CENT:
        return "The minutes for loading also cost money."
    if abs(dollars - (tokens / 2 / 5000 / 3600 + 0.1) * 4) < CENT:
        return f"{dollars} dollars are the cost of one epoch, and there are two."
    right = (tokens / 5000 / 3600 + 0.1) * 4
    if abs(dollars - right) < CENT:
        return None
    return wrong_price(
        dollars, right, "At (hours of training + hours of loading) * 4, the job doesn't cost"
    )


@exercise(
    "Report a comparison",
    hints=(
        "`compare(old, new)` returns the difference and both ends of its interval.",
        "Does the interval include 0?",
    ),
    words=("better", "worse", "can't tell"),
)
def verdict(gain, report_it):
    if isinstance(gain, tuple | list) and len(gain) == 3:
        return "`gain` is the difference alone. `compare` returns it first."
    if isinstance(gain, bool) or not isinstance(gain, numbers.Real):
        return f"`gain` is a number. This is {a_kind(gain)}."
    if math.isclose(gain, -0.2, rel_tol=1e-6):
        return "The sign is the wrong way round: the new model counts as the second."
    if not math.isclose(gain, 0.2, rel_tol=1e-6):
        return f"{gain:g} is not the difference of 13 and 9 good drafts among 20, as a share."
    if report_it not in ("better", "worse", "can't tell"):
        return f"{report_it!r} is not one of 'better', 'worse' and \"can't tell\"."
    if report_it != "can't tell":
        return f"The interval includes 0, so {report_it!r} is more than 20 questions show."
    return None
