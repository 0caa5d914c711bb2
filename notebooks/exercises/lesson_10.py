"""Checks of lesson 10, Semantic search. Those with measures know the recorded vectors."""

import itertools
import math
import re

from . import exercise, plain
from .values import a_kind, close, wrong_letters

NOT_FOUND = "not found in the documents"
QUESTION = "May a customer take a rented bicycle abroad?"
SOURCES = {
    "03-e3312c": "Terms of a rental: A rental bicycle may leave the country for three days.",
    "03-e79715": "Terms of a rental: The customer carries the key of the lock at all times.",
}


@exercise(
    "Group sentences",
    hints=(
        "The first two have 90 words together, which is more than 80.",
        "A single sentence that is too long makes a group of its own.",
        "Each pair names the first and the last of a group, counted from 0.",
    ),
)
def group(pairs):
    if not isinstance(pairs, list | tuple | set) or not all(is_pair(pair) for pair in pairs):
        return f"A list of pairs (first, last) is wanted. This is {pairs!r}."
    lengths, found = [50, 40, 30, 90, 20], sorted(tuple(map(int, pair)) for pair in pairs)
    for first, last in found:
        if not 0 <= first <= last <= 4:
            return f"{(first, last)}: the sentences are 0 to 4, and a pair includes its last one."
    for sentence in range(5):
        groups = sum(first <= sentence <= last for first, last in found)
        if groups != 1:
            return (
                f"Sentence {sentence} is in {groups or 'none'} of these groups, and belongs to one."
            )
    for first, last in found:
        words = sum(lengths[first : last + 1])
        if words > 80 and first != last:
            return f"The group {(first, last)} has {words} words."
    for before, after in itertools.pairwise(found):
        words = sum(lengths[before[0] : after[0] + 1])
        if words <= 80:
            return f"Sentence {after[0]} still fits into the group before: {words} words."
    return None


@exercise(
    "What changes an id?",
    hints=("Look at `chunk`: what goes into the digest?", "The places `start` and `end` don't."),
    words=(*"ABCD", True, False),
)
def ids(changes):
    return wrong_letters(
        changes,
        {
            "A": (True, "the text is part of what is hashed"),
            "B": (False, "its place in the file moves, but name, heading and text stay"),
            "C": (True, "the heading is part of the chunk's text"),
            "D": (True, "the file's name is hashed as well"),
        },
    )


@exercise(
    "Rebuild safely",
    hints=(
        "What costs money and may fail comes before anything is stored.",
        "Searches ask by the alias. It must always name a complete collection.",
    ),
    words=("create", "delete", "embed", "switch", "upload"),
)
def safe(steps):
    names = {"create", "delete", "embed", "switch", "upload"}
    if not isinstance(steps, list | tuple) or not all(isinstance(step, str) for step in steps):
        return f"A list of the five names is wanted. This is {steps!r}."
    if sorted(steps) != sorted(names):
        return f"Each of {', '.join(sorted(names))} is wanted once. This is {list(steps)}."
    at = {step: steps.index(step) for step in steps}
    for first, second, what in (
        ("switch", "delete", "for a moment, the alias would name nothing"),
        ("upload", "switch", "searches would see half an index"),
        ("create", "upload", "there is nothing to upload to"),
        ("embed", "upload", "there are no vectors to upload"),
        ("embed", "create", "if embedding fails, an empty collection stays behind"),
    ):
        if at[first] > at[second]:
            return f"With {second!r} before {first!r}, {what}."
    return None


@exercise(
    "Build a grounded request",
    hints=(
        "`answer` above builds such a list. Take its form, and its rules.",
        "Each source stands between tags: <source id=…> and </source>.",
        "The user's message is the question, and nothing else.",
    ),
)
def prompt(messages):
    if not isinstance(messages, list | tuple):
        return f"A list of messages is wanted. This is {a_kind(messages)}."
    for message in messages:
        if not isinstance(message, dict) or "content" not in message:
            return f"A message is a dict with `role` and `content`. This is {message!r:.60}."
        if not isinstance(message["content"], str):
            return f"A `content` is a string. This is {a_kind(message['content'])}."
    roles = [message.get("role") for message in messages]
    if roles != ["system", "user"]:
        return f"The roles are {', '.join(map(str, roles)) or 'none'}, not system, user."
    system, user = (message["content"] for message in messages)
    if user.strip() != QUESTION:
        return f"The user's message is the question alone. It is {user[:60]!r}."
    for name, text in SOURCES.items():
        if text not in system:
            return f"The source {name} is missing in the system prompt."
        if not re.search(
            rf"""<source id=["']{name}["']>\s*{re.escape(text)}\s*</source>""", system
        ):
            return f'{name} doesn\'t stand between its tags: <source id="{name}"> and </source>.'
    if NOT_FOUND not in system:
        return "No rule says what to write if the sources don't hold the answer."
    if "instruction" not in system.lower():
        return "No rule says what to do about instructions that stand in the sources."
    return None


@exercise(
    "Recognise an instruction",
    hints=(
        "Who is meant to follow it: the staff and the customers, or the model that reads the text?",
        "Three of the five are for the model. A comment of HTML is text as well.",
    ),
    words=(*"ABCDE", True, False),
)
def injected(hidden):
    return wrong_letters(
        hidden,
        {
            "A": (False, "it tells the staff what to do, and the answer may repeat it"),
            "B": (True, "it speaks to the assistant that reads it"),
            "C": (True, "a language model is to leave something out"),
            "D": (False, "it tells people which of two price lists is valid"),
            "E": (True, "readers of the page don't see it, but the model does"),
        },
    )


@exercise(
    "Compute the measures",
    hints=(
        "Recall at k: how many of the five places are k or less, divided by five?",
        "MRR: 1/1, 1/3, 0, 1/2 and, beyond ten, 0; divided by five.",
    ),
)
def measures(recall, mrr):
    right = {1: 0.2, 5: 0.6, 10: 0.6}
    if not isinstance(recall, dict) or set(recall) != set(right):
        return f"`recall` is a dict with the keys 1, 5 and 10. This is {recall!r}."
    for k, share in [*recall.items(), ("MRR", mrr)]:
        if isinstance(share, bool) or not isinstance(share, int | float):
            return f"{k}: a number is wanted, not {share!r}."
        if not 0 <= share <= 1:
            return f"{k}: {share:g} is not a share, which is between 0 and 1."
    for k, share in recall.items():
        if close(share, right[k] * 5 / 4):
            return f"Recall at {k}: divide by all five questions; the lost one counts as well."
        if not close(share, right[k]):
            return (
                f"Recall at {k} is not {share:g}: count the places up to {k}, and divide by five."
            )
    total = 1 + 1 / 3 + 1 / 2
    for wrong, why in (
        ((total + 1 / 12) / 5, "a place beyond ten counts 0"),
        (total / 3, "divide by all five questions"),
        (total / 4, "divide by all five questions"),
    ):
        if close(mrr, wrong):
            return f"MRR: {why}."
    # Also rounded to two places, as in the table.
    return (
        None if abs(mrr - total / 5) < 0.0051 else f"The MRR is not {mrr:g}, the mean of 1 / place."
    )


@exercise(
    "Fuse two rankings",
    hints=(
        "Add 1 / (60 + place) for each ranking in which a chunk stands. Places begin at 1.",
        "`enumerate(ranking, 1)` gives the places; a dict can hold the sums.",
        "`sorted(sums, key=sums.get, reverse=True)`",
    ),
)
def fuse(fused):
    if not callable(fused):
        return f"Define a function. This is {a_kind(fused)}."
    for one, two in (
        (["x", "y", "z"], ["w", "y", "v"]),
        (["a", "b", "c", "d"], ["d", "b"]),
        (["a", "b"], []),
        (["q", "r", "s", "t"], ["t", "s", "r", "u"]),
    ):
        sums = {}
        for ranking in (one, two):
            for place, name in enumerate(ranking, 1):
                sums[name] = sums.get(name, 0) + 1 / (60 + place)
        got = plain(fused(list(one), list(two)))
        what = f"For {one} and {two}, it returned {got!r}"
        if not isinstance(got, list | tuple):
            return f"{what}, which is no list."
        if sorted(map(str, got)) != sorted(sums):
            return f"{what}: each name is wanted once, and nothing else."
        scores = [sums[name] for name in got]
        if any(b - a > 1e-12 for a, b in itertools.pairwise(scores)):
            best = max(sums, key=sums.get)
            return f"{what}. The highest sum is {sums[best]:.4f}, of {best!r}."
    # Counted from 0, place 1 alone would be more than the places 61 and 62.
    one, two = (["x", *map(str, range(60)), "y"], [*map(str, range(60, 120)), "y"])
    if plain(fused(one, two))[0] != "y":
        return "A name at the places 61 and 62 has more than one at place 1: places begin at 1."
    return None


@exercise(
    "Judge by hand",
    hints=(
        "Cited: does each sentence name a source, and was it sent?",
        "Grounded: does each number stand in a source that is cited?",
        "Abstained: it says 'not found' only if the sources don't hold the answer.",
    ),
    words=(*"ABCD", "cited", "grounded", "abstained", None),
)
def verdict(failed):
    kinds = ("cited", "grounded", "abstained", None)
    why = {
        "A": (None, "each sentence names its source, and the number stands there"),
        "B": ("cited", "the first sentence names no source"),
        "C": ("grounded", "the source says 600, not 650"),
        "D": ("abstained", "the source holds the answer"),
    }
    if not isinstance(failed, dict) or set(failed) != set(why):
        return f"A dict with the keys {', '.join(why)} is wanted. This is {failed!r:.60}."
    for letter, answer in failed.items():
        if answer not in kinds:
            return f"{letter} is {answer!r}; write 'cited', 'grounded', 'abstained' or None."
    wrong = [letter for letter, (right, _) in why.items() if failed[letter] != right]
    return f"{wrong[0]}: {why[wrong[0]][1]}." if wrong else None


@exercise(
    "Ask for one half",
    hints=(
        "`find(question, vector, 20)` returns the 20 best, for each `find` in `WAYS.values()`.",
        '`covered(hits, "04_prices_and_deposits.md", "release the block on the same day")`',
        "The vector of a question is `helpers.embed(question)[0]`.",
    ),
)
def half(both, one):
    names = ["words (BM25)", "meaning", "hybrid", "re-ranked"]
    rights = [18, 14, math.inf, math.inf], [6, 2, 2, 1]
    both, one = (
        [got[name] for name in names] if isinstance(got, dict) and set(got) == set(names) else got
        for got in (both, one)
    )
    if [both, one] == [*rights[::-1]]:
        return "The two lists are the wrong way round: the question with both halves is the first."
    for what, got, right in zip(("both halves", "one half"), (both, one), rights, strict=True):
        if not isinstance(got, list | tuple) or len(got) != 4:
            return f"For {what}, a list of four places is wanted, in the order of `WAYS`: {got!r}."
        for place in got:
            if isinstance(place, bool) or not isinstance(place, int | float):
                return f"For {what}, {place!r} is no place: write a number or float('inf')."
        if list(got) == right[::-1] or [place + 1 for place in got] == right:
            return f"For {what}: the order is that of `WAYS`, and `covered` counts from 1."
        for name, place, wanted in zip(names, got, right, strict=True):
            if place == math.inf != wanted:
                return f"For {what}, {name!r} finds it: ask for 20 hits."
            if place != wanted:
                return f"For {what}, {name!r} doesn't find it at place {place:g}."
    return None


@exercise(
    "Leave the heading out",
    hints=(
        "Copy each chunk with another text: `{**part, 'text': …}`.",
        "`measure(rank(parts, asked_vectors))` returns places and measures; take `recall@1`.",
    ),
)
def heading(recall_with, recall_without):
    for what, got, right, wrong_way, other in (
        ("with the heading", recall_with, 0.70, 0.62, 0.94),
        ("without the heading", recall_without, 0.62, 0.70, 0.92),
    ):
        if isinstance(got, bool) or not isinstance(got, int | float):
            return f"A number is wanted {what}, the measure 'recall@1'. This is {a_kind(got)}."
        if not 0 <= got <= 1:
            return f"{got:g} is not a share, which is between 0 and 1."
        if close(got, wrong_way):
            return f"{got:.2f} is recall at 1 {'without' if wrong_way < right else 'with'} the heading."
        if close(got, other):
            return f"{got:.2f} is the recall at 5 {what}, not at 1."
        if not close(got, right):
            return f"Recall at 1 {what} is not {got:.2f}."
    return None


@exercise(
    "Cut a file of your own",
    hints=(
        'Read a file: `Path("notes.md").read_text(encoding="utf-8")`. Or write a text in quotes.',
        'Then `cut("99_mine", own_text, size=40)`.',
    ),
)
def own(text, parts):
    if not isinstance(text, str):
        return f"The first answer is the text itself. This is {a_kind(text)}."
    if "\n" not in text and text.endswith((".md", ".txt")):
        return f"{text!r} is the name of a file: read its text with `Path(…).read_text`."
    if len(re.findall(r"^#{1,6} .", text, re.MULTILINE)) < 2:
        return "The text needs two headings at least: lines that begin with #."
    keys = {"id", "title", "start", "end", "text"}
    if not isinstance(parts, list | tuple) or not all(
        isinstance(part, dict) and keys <= part.keys() for part in parts
    ):
        return "The second answer is the list of chunks that `cut` returns."
    if not parts:
        return "There are no chunks: `cut` takes a name first, and then the text."
    if len({part["title"] for part in parts}) < 2:
        return "All chunks have the same heading: write something below two headings."
    for part in parts:
        body = text[part["start"] : part["end"]]
        if not body or not part["text"].endswith(body):
            return f"The chunk {part['id']} is not from this text: cut the text again."
        if len(body.split()) > 40 and len(re.findall(r"[.!?]\s", body)):
            return f"The chunk {part['id']} has {len(body.split())} words, not 40 at most."
    if len(parts) < 3:
        return f"The text gives only {len(parts)} chunks: take a longer one."
    return None


def is_pair(pair):
    return isinstance(pair, list | tuple) and len(pair) == 2 and all(map(is_whole, pair))


def is_whole(number):
    return type(number) in (int, float) and number == number // 1
