"""Checks of lesson 09, Cost comparison."""

import datetime

import helpers

from . import exercise, plain
from .values import a_kind, close, is_number, kind

SMALL = "mistral-small-latest"
POEM = "Write a long poem about bicycles."
LABELS = 1_000_000
MONTH = 30 * 3_000
QUESTION = (583, 34)


@exercise(
    "Find what the count leaves out",
    hints=(
        "The API wraps special tokens around each message. Does `count_text` know of messages?",
        "Build the list of both messages, as for `helpers.chat`, and count that.",
        "`helpers.count_tokens` returns more than a number: what you want is in its `tokens`.",
    ),
)
def count(prompt_tokens):
    if not callable(prompt_tokens):
        return f"Define a function. This is {a_kind(prompt_tokens)}."
    for system, text in (
        ("Answer in one word.", "When must I bring the bicycle back?"),
        ("You help customers of a bicycle workshop.", "Wo hängt das Fahrradschloss?"),
    ):
        messages = [{"role": "system", "content": system}, {"role": "user", "content": text}]
        right = helpers.count_tokens(messages, SMALL).tokens
        got = prompt_tokens(system, text)
        if isinstance(got, helpers.costs.TokenCount):
            got = got.tokens
        if not is_number(got):
            return f"The function returns a number of tokens. It returned {got!r}."
        alone = helpers.costs.count_text(system) + helpers.costs.count_text(text)
        if got == alone:
            return f"{got} are the tokens of the two texts alone, as before."
        if got == helpers.count_tokens(text, SMALL).tokens:
            return f"{got} leaves out the system prompt {system!r}."
        if got != right:
            return f"For {system!r} and {text!r}, it returned {got}; the API reports {right}."
    return None


@exercise(
    "Put a window on a chat",
    hints=(
        "Take the list apart first: the system prompt, if there is one, and the rest.",
        "`rest[-last:]` is the end of a list. What is `rest[-0:]`?",
    ),
)
def window(window):
    if not callable(window):
        return f"Define a function. This is {a_kind(window)}."
    system = {"role": "system", "content": "Be brief."}
    turns = [
        {"role": role, "content": f"{role} {turn}"}
        for turn in range(4)
        for role in ("user", "assistant")
    ]
    for given, last, right in (
        ([system, *turns], 3, [system, *turns[-3:]]),
        (turns, 3, turns[-3:]),
        ([system, *turns[:2]], 6, [system, *turns[:2]]),
        ([system, *turns], 0, [system]),
    ):
        kept = list(given)
        got = plain(window(kept, last))
        if kept != given:
            return "The function changes the list that it was given: the conversation is lost."
        if not isinstance(got, list | tuple):
            return f"The function returns a list of messages. It returned {got!r}."
        if list(got) != right:
            return (
                f"Of {described(given)}, with last={last}, it kept {described(got)}; "
                f"wanted: {described(right)}."
            )
    return None


def described(messages):
    """A conversation in short, such as "system, user, assistant"."""
    roles = [str(each.get("role")) if isinstance(each, dict) else kind(each) for each in messages]
    return ", ".join(roles) or "nothing"


@exercise(
    "Compute a month of questions",
    hints=(
        "A month has 30 × 3,000 questions. Multiply the tokens in and the tokens out by that.",
        "`helpers.price((tokens in, tokens out), model)` has the attributes `usd` and `eur`.",
    ),
)
def month(small, medium):
    for model, got in ((SMALL, small), ("mistral-medium-latest", medium)):
        if not is_number(got):
            return f"The price with {model} is a number of euros. This is {a_kind(got)}."
        tokens = tuple(MONTH * each for each in QUESTION)
        bill = helpers.price(tokens, model)
        one_day = helpers.price(tuple(3_000 * each for each in QUESTION), model)
        for price, mistake in (
            (bill.usd, "is in dollars, not in euros"),
            (one_day.eur, "is the price of one day"),
            (helpers.price(QUESTION, model).eur, "is the price of one question"),
            (helpers.price((tokens[0], 0), model).eur, "leaves out the answers"),
            (helpers.price((0, tokens[1]), model).eur, "leaves out the questions"),
        ):
            if close(got, price):
                return f"{got:,.6g} for {model} {mistake}."
        if not is_rounded(got, bill.eur):
            return f"A month with {model} doesn't cost {got:,.6g} euros."
    return None


@exercise(
    "Look up the price next month",
    hints=(
        "The table of changes above has this model. What happens between now and then?",
        "`helpers.price` takes the day as `when=datetime.date(…)`.",
    ),
)
def later(dollars):
    if not is_number(dollars):
        return f"The price is a number of dollars. This is {a_kind(dollars)}."
    tokens = 209 * LABELS, 2 * LABELS
    options = {"model": "gemini-4-argon", "requests": LABELS}
    today = helpers.price(tokens, **options).usd
    right = helpers.price(tokens, **options, when=datetime.date(2026, 12, 15)).usd
    if is_rounded(dollars, today):
        return f"{dollars:,.2f} dollars is the price of {helpers.costs.PRICE_DAY}, which will have ended."
    if is_rounded(dollars * LABELS, right):
        return "This is the price of one label, not of a million."
    if is_rounded(dollars, right):
        return None
    return (
        f"It won't cost {dollars:,.2f} dollars: 209 tokens in and 2 out, at the prices of that day."
    )


@exercise(
    "See when thinking doubles the bill",
    hints=(
        "What does one label cost without thinking? Both prices are for a million tokens.",
        "Thinking is billed as output. How many output tokens cost as much as that label?",
    ),
)
def thinking(thinking):
    if not is_number(thinking):
        return f"The answer is a number of tokens. This is {a_kind(thinking)}."
    without = 209 * 1.50 + 2 * 7.50
    right = without / 7.50
    if abs(thinking - without / 1.50) < 1:
        return (
            f"{thinking:g} thinking tokens would be right at the price of input: they are output."
        )
    if abs(thinking - 2 * right) < 1:
        return f"With {thinking:g} thinking tokens, the bill would be three times as high."
    if abs(thinking - 209 * 1.50 / 7.50) < 0.5:
        return "This leaves out the two tokens of the answer, which are in the bill as well."
    if abs(thinking - right) > 1:
        times = (without + thinking * 7.50) / without
        return f"With {thinking:g} thinking tokens, the bill would be {times:,.2f} times as high."
    return None


@exercise(
    "Write two requests that share",
    hints=(
        "Only the beginning can be shared. Which of the three texts never changes?",
        "Put the rules into a system prompt, and what changes into the user message behind it.",
        "The field `prompt_cache_key` is the same in both bodies.",
    ),
)
def share(body):
    if not callable(body):
        return f"Define a function. This is {a_kind(body)}."
    rules = "Label the message: booking, rental or repair."
    texts, times = ("Is the tandem free?", "My chain fell off."), ("09:15", "17:40")
    bodies = [body(rules, text, time) for text, time in zip(texts, times, strict=True)]
    for made, text, time in zip(bodies, texts, times, strict=True):
        if not isinstance(made, dict) or not isinstance(made.get("messages"), list | tuple):
            return f"The function returns a body: a dict with `messages`. It returned {made!r}."
        if problem := incomplete(made, (rules, text, time)):
            return problem
    keys = [made.get("prompt_cache_key") for made in bodies]
    if keys[0] is None:
        return "The bodies have no `prompt_cache_key`."
    if keys[0] != keys[1]:
        return f"The keys differ, {keys[0]!r} and {keys[1]!r}: these two requests look unrelated."
    if not isinstance(keys[0], str):
        return f"`prompt_cache_key` is a string. This is {a_kind(keys[0])}."
    first = text_of(bodies[0])
    if rules not in first[: shared_length(first, text_of(bodies[1]))]:
        return "The requests differ before their rules end, so the rules can't come from the cache."
    return None


def incomplete(made, parts):
    """What is missing from a request, in words, if anything."""
    roles = [message.get("role") for message in made["messages"]]
    if "user" not in roles or not set(roles) <= {"system", "user"}:
        return f"The roles are {', '.join(map(str, roles)) or 'none'}; system and user are enough."
    if "model" not in made:
        return "The body names no `model`."
    missing = [part for part in parts if part not in text_of(made)]
    return f"The messages don't contain {missing[0]!r}." if missing else None


def text_of(made):
    """What a request sends, in the order in which the model reads it."""
    return "\n".join(f"{each['role']}: {each['content']}" for each in made["messages"])


def shared_length(one, other):
    pairs = zip(one, other, strict=False)
    return next((place for place, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


@exercise(
    "Compute the smallest budget",
    hints=(
        "A Budget reserves the counted input and the longest output that you allow.",
        "`helpers.count_tokens` counts the input; `max_tokens` is the output.",
    ),
)
def limit(smallest):
    if not is_number(smallest):
        return f"A limit is a number of dollars. This is {a_kind(smallest)}."
    into = helpers.count_tokens(POEM, SMALL).tokens
    right = helpers.price((into, 500), SMALL).usd
    for wrong, mistake in (
        ((0, 500), "leaves out the question"),
        ((into, 0), "leaves out the answer"),
        ((helpers.costs.count_text(POEM), 500), "counts the text alone, not the request"),
        ((500, into), "takes the price of input for output, and the other way round"),
    ):
        if close(smallest, helpers.price(wrong, SMALL).usd):
            return f"{smallest:.6f} {mistake}."
    # Rounded up to six places, it lets one pass as well; rounded down, it doesn't.
    if close(smallest, right) or right <= smallest <= right + 1e-6:
        return None
    compared = "lets nothing pass" if smallest < right else "is more than one request needs"
    if round(smallest, 6) == round(right, 6):
        compared += ", since it is rounded down"
    return f"A limit of {smallest:g} dollars {compared}."


@exercise(
    "Find out how many examples you need",
    hints=(
        "5 points to each side: the interval is 10 points wide.",
        "80% right of `count` made-up answers: `[True] * (count * 8 // 10) + …`",
        "Four times as many examples make it half as wide.",
    ),
)
def sample(tickets_needed):
    if not is_number(tickets_needed):
        return f"The answer is a number of tickets. This is {a_kind(tickets_needed)}."
    # By the normal approximation, which the bootstrap comes near: 1.96 standard errors.
    if 0.9 * 246 <= tickets_needed <= 1.1 * 246:
        return None
    if tickets_needed <= 0:
        return "You need at least one ticket."
    points = 196 * (0.8 * 0.2 / tickets_needed) ** 0.5
    return f"With {tickets_needed:g} tickets, it is about {points:.1f} points to each side."


@exercise(
    "Write the rule as a function",
    hints=(
        'Keep the rows where `summary["accuracy"] >= good_enough`, then look for the cheapest.',
        "`idxmin()` of a column returns the name of the row with its smallest value.",
        "What does your function return if no row is left? `idxmin()` of nothing is an error.",
    ),
)
def pick(pick):
    import pandas as pd

    if not callable(pick):
        return f"Define a function. This is {a_kind(pick)}."
    rows = {"cheap": (0.6, 0.02), "strong": (0.95, 0.4), "good": (0.9, 0.1), "odd": (0.7, 0.5)}
    columns = ["accuracy", "dollars per 1,000"]
    summary = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    for enough, right in ((0.5, "cheap"), (0.8, "good"), (0.9, "good"), (0.95, "strong")):
        got = plain(pick(summary.copy(), enough))
        if not isinstance(got, str | None):
            return f"The function returns the name of a model. It returned {got!r}."
        if got != right:
            table = ", ".join(f"{name} {a:.0%} for {paid}" for name, (a, paid) in rows.items())
            return f"Of {table}, {right!r} is the cheapest with {enough:.0%}. It returned {got!r}."
    try:
        got = plain(pick(summary.copy(), 0.99))
    except Exception as error:
        return f"Where no model is good enough, it raised {type(error).__name__}."
    return None if got is None else f"No model has 99%, but it returned {got!r}."


def is_rounded(got, right):
    """Whether this is the right amount, at least to the cent."""
    return close(got, right) or abs(got - right) <= 0.005 + 1e-9
