"""Lesson 04: its measured tables, and the lesson under the edits that it invites."""

import contextlib
import io
import json
import math
import re

import nbformat
import numpy as np
import pandas as pd
import pytest

import helpers
from tests.lessons.cells import NOTEBOOKS, in_notebooks
from tests.lessons.solutions import solutions

NAME = "04_system_prompts_and_temperature"
MEASURED = NOTEBOOKS.parent / "data" / "measured"
# As measured from all logprobs, before they were grouped: the favourite's probability, tokens kept by top_p 0.9.
FAVOURITES = {
    "The capital of France is": {0.7: (0.955, 1), 1.0: (0.772, 10), 1.5: (0.240, 3450)},
    "She put the key in the": {0.7: (0.862, 2), 1.0: (0.569, 45), 1.5: (0.150, 2682)},
}
CHECKERS = ("start", "messages", "checker")
PROMPTS = (*CHECKERS, "system", "system-prompts", "format-schema", "try")
TOY = ("start", "logits", "top-p")
REAL = (*TOY, "real-load", "real", "real-table")
MODEL = (*TOY, "words", "followers", "next-logits", "write", "write-temperatures")

BOOK = nbformat.read(NOTEBOOKS / f"{NAME}.ipynb", as_version=4)
SOLUTIONS = {
    name: f"from exercises import lesson_04 as check\n{source}" for name, source in solutions(BOOK)
}

# Asks the third prompt without one of its sentences.
TRY_EACH = """
for left_out in SENTENCES:
    shorter = " ".join(text for name, text in SENTENCES.items() if name != left_out)
    faults = [find_problem(ask(m, shorter), about) for m, about in MESSAGES.items()]
    print(f"without {left_out}: {[fault or 'passes' for fault in faults]}")
"""


def read(name):
    return pd.read_csv(MEASURED / f"{name}.csv", comment="#")


def logprobs_of(prompt):
    rows = read("next_token").query("prompt == @prompt")
    return np.repeat(rows["logprob"].to_numpy(), rows["tokens"])


def softmax(logits, temperature):
    powers = np.exp((logits - logits.max()) / temperature)
    return powers / powers.sum()


def kept(probs, top_p):
    return int((np.cumsum(np.sort(probs)[::-1]) < top_p).sum()) + 1


@pytest.fixture(scope="module")
def trigrams():
    """The variables of the trigram model's cells, for tests that only call `write`."""
    names = {}
    cells = {cell.id: cell.source for cell in BOOK.cells}
    with in_notebooks(), contextlib.redirect_stdout(io.StringIO()):
        for cell in MODEL[1:-1]:
            exec(cells[cell], names)
    return names


@pytest.fixture
def figures(monkeypatch):
    """What the lesson shows: (title, description, table) of each figure."""
    shown = []
    monkeypatch.setattr(
        helpers,
        "show",
        lambda figure, words, table: shown.append((figure.axes[0].get_title("left"), words, table)),
    )
    return shown


def test_the_table_names_model_licence_and_hash():
    head = (MEASURED / "next_token.csv").read_text("utf-8").splitlines()[:2]
    assert head[0].startswith("# Model: SmolLM2-135M-Instruct.Q4_1, 49,152 tokens")
    assert "licence Apache-2.0" in head[0]
    digest = head[1].rpartition(": ")[2]
    assert len(digest) == 64 and digest.startswith("b179c952")


@pytest.mark.parametrize("prompt", FAVOURITES)
def test_the_table_holds_the_whole_vocabulary(prompt):
    rows = read("next_token").query("prompt == @prompt")
    assert rows["tokens"].sum() == 49_152
    assert (rows["rank"].diff().dropna() == rows["tokens"].shift().dropna()).all()
    assert rows["token"].notna().sum() == 40
    assert rows["logprob"].is_monotonic_decreasing
    assert np.exp(logprobs_of(prompt)).sum() == pytest.approx(1, abs=2e-4)


def test_the_table_reproduces_what_was_measured():
    problems = []
    for prompt, settings in FAVOURITES.items():
        for temperature, (favourite, tokens) in settings.items():
            probs = softmax(logprobs_of(prompt), temperature)
            if round(probs[0], 3) != favourite or abs(kept(probs, 0.9) - tokens) > 1:
                problems.append((prompt, temperature, probs[0], kept(probs, 0.9)))
    for row in read("next_token_draws").query("top_p == 1").itertuples():
        tail = softmax(logprobs_of(row.prompt), row.temperature)[40:].sum()
        if abs(tail - row.outside_40) > 2e-4:
            problems.append((row.prompt, row.temperature, tail))
    assert problems == []


def test_llama_cpp_drew_as_softmax_and_the_order_predict():
    problems = []
    for row in read("next_token_draws").itertuples():
        for share, count in (
            (row.favourite, row.favourite_drawn),
            (row.outside_40, row.outside_40_drawn),
        ):
            spread = math.sqrt(share * (1 - share) / row.draws)
            if abs(count / row.draws - share) > 4 * spread:
                problems.append((row, share, count))
    assert problems == []


def test_the_other_order_would_not_predict_the_draws():
    """The test above can fail: the two orders are far apart."""
    both = read("next_token_draws").query("top_p < 1").pivot(index="prompt", columns="first")
    share = both["favourite_drawn"] / both["draws"]
    spread = np.sqrt(both["favourite"] * (1 - both["favourite"]) / both["draws"])
    swapped = both["favourite"][["top_p", "temperature"]].to_numpy()
    assert (
        np.abs(share[["temperature", "top_p"]].to_numpy() - swapped) > 4 * spread.max(axis=None)
    ).all()


@pytest.mark.parametrize("prompt", FAVOURITES)
def test_titles_and_words_follow_the_prompt_and_temperatures(lesson, figures, prompt):
    shown = lesson(NAME)
    shown.run(*REAL, real=('PROMPT = "The capital of France is"', f"PROMPT = {prompt!r}"))
    shown.run("logits-table", "logits-plot")
    figures.clear()
    shown.run("tail", "tail-plot", "kept", "kept-plot")
    assert shown.last_error is None
    (tail_title, tail_words, tail), (kept_title, kept_words, kept_table) = figures
    outside = softmax(logprobs_of(prompt), 1.5)[40:].sum()
    assert tail_title == f"At 1.5, {outside:.0%} of the draws leave the 40 likeliest tokens"
    assert tail.iloc[-1, -1] == pytest.approx(outside, abs=1e-4)
    assert prompt in tail_words and prompt in kept_words
    counts = [kept(softmax(logprobs_of(prompt), t), 0.9) for t in (0.7, 1.0, 1.5)]
    assert kept_table.iloc[:, 0].tolist() == counts
    assert kept_title.endswith(f"{counts[0]:,} at 0.7, {counts[1]:,} at 1.0, {counts[2]:,} at 1.5")


def test_a_figure_names_the_prompt_and_logits_that_it_shows(lesson, figures):
    """Also where only one of the cells before it was run again."""
    shown = lesson(NAME)
    shown.run(*REAL, "tail", "tail-plot", "kept", "kept-plot", "logits-table", "logits-plot")
    assert shown.last_error is None
    before, figures[:] = figures[-3:], []
    other = ('PROMPT = "The capital of France is"', 'PROMPT = "She put the key in the"')
    shown.run("real", "logits", real=other, logits=("[4.0, 3.4", "[1.0, 3.4"))
    shown.run("tail-plot", "kept-plot", "logits-plot")
    assert shown.last_error is None
    assert [figure[:2] for figure in figures] == [figure[:2] for figure in before]
    shown.run("logits-table", "tail", "tail-plot", "logits-plot")
    (_, tail_words, _), (title, words, toy) = figures[-2:]
    assert "She put the key" in tail_words
    assert "The favourite, Brie," in words and f"{toy.iloc[:, 0].max():.0%} at" in title


def test_titles_and_words_follow_other_temperatures(lesson, figures):
    shown = lesson(NAME)
    shown.run(*REAL, real_table=("(0.7, 1.0, 1.5)", "(0, 0.5, 1.2)"))
    shown.run("logits-table", "logits-plot", logits_table=("(0.3, 1.0, 1.5)", "(0, 0.7)"))
    shown.run(
        "tail", "tail-plot", "kept", "kept-plot", kept=("np.arange(1, 16) / 10", "[0.25, 2.0]")
    )
    assert shown.last_error is None
    toy_title, tail_title, kept_title = [title for title, _, _ in figures[-3:]]
    toy = softmax(shown.names["LOGITS"], 0.7).max()
    assert toy_title == f"The favourite gets 100% at temperature 0, {toy:.0%} at 0.7"
    real = logprobs_of("The capital of France is")
    assert tail_title.startswith(f"At 1.2, {softmax(real, 1.2)[40:].sum():.0%} of the draws")
    assert kept_title == f"Tokens that top_p 0.9 keeps: {kept(softmax(real, 2.0), 0.9):,} at 2.0"


def test_one_temperature_is_named_once(lesson, figures):
    shown = lesson(NAME)
    shown.run(*TOY)
    shown.run("logits-table", "logits-plot", logits_table=("(0.3, 1.0, 1.5)", "(0.5,)"))
    toy = softmax(shown.names["LOGITS"], 0.5).max()
    assert figures[-1][0] == f"The favourite gets {toy:.0%} at temperature 0.5"


@pytest.mark.parametrize("cut", [0.5, 1])
def test_the_table_of_the_cut_is_named_by_it(lesson, cut):
    shown = lesson(NAME)
    shown.run(*TOY)
    text = shown.run("top-p", top_p=("CUT = 0.9", f"CUT = {cut}"))
    assert shown.last_error is None
    assert f"top_p = {cut}" in text and "top_p = 0.9" not in text


def test_a_prompt_that_was_not_measured_is_named(lesson):
    shown = lesson(NAME)
    shown.run(*TOY, "real-load")
    shown.run("real", real=('PROMPT = "The capital of France is"', 'PROMPT = "Hello"'))
    assert isinstance(shown.last_error, KeyError) and "Hello" in str(shown.last_error)


def test_the_two_orders_print_what_the_table_holds(lesson):
    shown = lesson(NAME)
    shown.run(*REAL)
    text = shown.run("draws", "first", first=("HIGH, TOP_P = 1.5, 0.9", "HIGH, TOP_P = 1.2, 0.8"))
    real = logprobs_of("The capital of France is")
    warm, cold = softmax(real, 1.2), softmax(real, 1.0)
    first = softmax(real[: kept(cold, 0.8)], 1.2)
    count = kept(warm, 0.8)
    assert f"temperature first: {count:,} tokens kept" in text
    assert f"the favourite gets {warm[0] / warm[:count].sum():.0%}" in text
    assert f"top_p first: {len(first):,} tokens kept, the favourite gets {first[0]:.0%}" in text


def test_temperature_0_and_equal_logits_are_no_special_case(lesson):
    shown = lesson(NAME)
    shown.run(*TOY)
    probabilities, nucleus = shown.names["probabilities"], shown.names["nucleus"]
    assert probabilities(np.array([1.0, 3.0, 2.0]), 0).tolist() == [0, 1, 0]
    assert probabilities(np.zeros(4), 1.5).tolist() == [0.25] * 4
    assert nucleus(np.array([0.2, 0.5, 0.3]), 0.5).tolist() == [0, 1, 0]
    assert nucleus(np.array([0.2, 0.5, 0.3]), 0.8) == pytest.approx([0, 0.625, 0.375])
    assert nucleus(np.array([0.2, 0.5, 0.3]), 1.0).tolist() == [0.2, 0.5, 0.3]
    for refused in (0, -1, 2):
        with pytest.raises(ValueError, match="above 0 and at most 1"):
            nucleus(np.array([0.2, 0.5, 0.3]), refused)


def test_the_model_takes_any_start_temperature_top_p_and_seed(trigrams):
    source = next(cell.source for cell in BOOK.cells if cell.id == "write")
    assert "range(40)" in source
    names, problems = dict(trigrams), []
    exec(source.replace("range(40)", "range(12)"), names)
    for start in ("The bicycle", "Please", "", "Zebra", "xyzzy, plugh", "A customer who"):
        for temperature, top_p in ((0, 1), (0.7, 0.3), (1.5, 1), (3, 0.01), (0.05, 1)):
            text = names["write"](start, temperature, top_p, seed=5)
            if not text.startswith(start.split(",")[0]) or len(text.split()) < 6:
                problems.append((start, temperature, top_p, text))
    assert problems == []


def test_a_temperature_below_0_is_refused_as_by_the_api(lesson):
    shown = lesson(NAME)
    shown.run(*TOY)
    shown.run("logits-table", logits_table=("(0.3,", "(-0.3,"))
    assert isinstance(shown.last_error, ValueError)
    assert str(shown.last_error) == "A temperature must be 0 or higher, not -0.3."


def test_lines_above_the_texts_name_what_was_asked(lesson):
    shown = lesson(NAME)
    shown.run(*MODEL[:-1], "write-temperatures")
    write, start = shown.names["write"], shown.names["START"]
    text = shown.run("write-top-p", write_top_p=("(1.5, 0.5)", "(0.7, 0.5)"))
    assert f"temperature 0.7, top_p 0.5:\n{write(start, 0.7, 0.5)}" in text
    text = shown.run("write-seeds", write_seeds=("(0.7, 2)", "(1.2, 2)"))
    assert f"temperature 1.2, seed 2:\n{write(start, 1.2, seed=2)}" in text


def test_the_model_loops_at_0_and_a_seed_repeats_a_draw(lesson):
    shown = lesson(NAME)
    text = shown.run(*MODEL)
    write = shown.names["write"]
    assert text.count("Please bring the bicycle.") >= 2
    assert write("The bicycle", 0, seed=1) == write("The bicycle", 0, seed=2)
    assert write("The bicycle", 0.7, seed=1) == write("The bicycle", 0.7, seed=1)
    assert write("The bicycle", 0.7, seed=1) != write("The bicycle", 0.7, seed=2)


def test_the_model_leaves_its_texts_more_often_at_a_higher_temperature(trigrams):
    """Broken grammar, measured: three words in a row that stand nowhere in what the model read."""
    write, find, words = trigrams["write"], trigrams["pattern"].findall, trigrams["words"]
    known = set(zip(words, words[1:], words[2:], strict=False))

    def unseen(temperature, top_p=1.0):
        texts = [find(write("The bicycle", temperature, top_p, seed)) for seed in range(5)]
        triples = [t for text in texts for t in zip(text, text[1:], text[2:], strict=False)]
        return sum(triple not in known for triple in triples) / len(triples)

    assert unseen(0.7) < 0.1
    hot = unseen(1.5)
    assert hot > 0.5
    assert unseen(1.5, top_p=0.5) < unseen(1.5, top_p=0.9) <= hot + 0.05


def test_the_model_holds_no_address(trigrams):
    leftovers = {"rsquo", "quot", "amp", "nbsp"}
    assert {word for word in trigrams["WORDS"] if "_" in word or word in leftovers} == set()


def test_each_prompt_of_the_lesson_passes_and_fails_as_the_text_says(lesson):
    shown = lesson(NAME)
    shown.run(*PROMPTS)
    shown.run("first-prompt")
    assert shown.names["problems"] == ["has 4 sentences", "", "does not refuse", "does not refuse"]
    shown.run("refuse")
    assert shown.names["problems"] == ["has 3 sentences", "refuses to help", "", ""]
    shown.run("sentences")
    assert shown.names["problems"] == ["", "", "", ""]


def test_a_prompt_without_one_of_its_sentences_fails_where_that_sentence_mattered(lesson):
    shown = lesson(NAME)
    shown.run(*PROMPTS, "sentences")
    text = shown.run("start", start=TRY_EACH)
    assert [line for line in text.splitlines() if line.startswith("without")] == [
        "without role: ['passes', 'passes', 'passes', 'passes']",
        "without length: ['has 4 sentences', 'has 4 sentences', 'passes', 'passes']",
        "without scope: ['passes', 'passes', 'does not refuse', 'does not refuse']",
        "without guard: ['passes', 'passes', 'passes', 'does not refuse']",
    ]


def test_any_prompt_with_written_answers_can_be_tried(lesson):
    shown = lesson(NAME)
    shown.run(*PROMPTS)
    for name in ("behaviour", "language", "format"):
        shown.run("first-prompt", first_prompt=f"problems = try_prompt(SYSTEM_PROMPTS[{name!r}])")
        assert shown.last_error is None, name
        assert len(shown.names["problems"]) == 4


def test_an_own_question_ends_in_a_short_menu_as_the_first_cell_says(lesson):
    shown = lesson(NAME)
    shown.run("start")
    shown.run("system", system=("My parcel is three days late. What can I do?", "Where is it?"))
    assert isinstance(shown.last_error, helpers.RecordingNotFound)
    assert "Questions with a written answer here" in str(shown.last_error)
    announced = next(cell.source for cell in BOOK.cells if cell.id == "start-what")
    assert "texts of your own" in announced


def test_an_own_prompt_ends_in_a_short_menu(lesson):
    shown = lesson(NAME)
    shown.run(*PROMPTS)
    shown.run("first-prompt", first_prompt='try_prompt("You are a pirate.")')
    assert isinstance(shown.last_error, helpers.RecordingNotFound)
    message = str(shown.last_error)
    assert len(message.splitlines()) <= 7
    assert "Answer in one short sentence." in message


def test_the_checkers_judge_answers_that_are_not_the_lessons(lesson):
    shown = lesson(NAME)
    shown.run(*CHECKERS)
    find_problem = shown.names["find_problem"]
    assert find_problem(" i can only help with PARCELS.\n", False) == ""
    assert find_problem("I can only help with parcels. Sorry!", False) == "does not refuse"
    assert find_problem("It costs 3.50 euros at 10.30 a.m., sir. Fine?", True) == ""
    assert find_problem("One. Two! Three?", True) == "has 3 sentences"


def test_the_form_can_be_forced(lesson):
    shown = lesson(NAME)
    shown.run(*PROMPTS)
    prompt_alone, any_fields, own_fields = re.split(r"\n\n(?=json_)", shown.run("format").strip())
    assert prompt_alone.startswith("the prompt alone: Of course!")
    assert list(json.loads(any_fields.removeprefix("json_object: "))) == ["poem"]
    assert list(json.loads(own_fields.removeprefix("json_schema: "))) == ["mood", "next_step"]
    shown.run("format", format=('"content": TALK_OUT', '"content": QUESTION'))
    assert shown.last_error is None


def test_each_beginning_of_the_text_is_continued(lesson):
    shown, problems = lesson(NAME), []
    shown.run("start")
    for prefix in ("{", "Bonjour,", "Dear Ms Martin,"):
        text = shown.run("prefix", prefix=("Dear Ms Martin,", prefix))
        if shown.last_error or not any(line.startswith(prefix) for line in text.splitlines()):
            problems.append((prefix, text))
    assert problems == []


def test_other_parameters_are_answered(lesson):
    shown, problems = lesson(NAME), []
    shown.run("start", "samples")
    # A test before may have left the note that this cell, by its number, has been given already.
    shown.run("stop", stop="helpers.chat(CHEESE, temperature=0.9)")
    for more in (
        "temperature=0.5",
        "temperature=1.2",
        "temperature=1.5, random_seed=12",
        "top_p=0.7",
        "n=5",
        "stop=['o']",
        "max_tokens=2",
        "model='mistral-large-latest'",
    ):
        text = shown.run("stop", stop=f"print(helpers.chat(CHEESE, {more}).text)")
        if shown.last_error or "Not recorded: drawn from the course's written answers" not in text:
            problems.append((more, text))
    assert problems == []


def test_what_the_api_refuses_is_refused(lesson):
    shown, problems = lesson(NAME), []
    shown.run("start", "samples")
    for more, status, words in (
        ("temprature=0.5", 422, "body.temprature: Extra inputs are not permitted"),
        ("temperature=2", 422, "less than or equal to 1.5"),
        ("temperature=0, top_p=0.5", 400, "top_p must be 1 when using greedy sampling"),
        ("top_p=0", 422, "greater than 0"),
        ("random_seed=-1", 422, "greater than or equal to 0"),
    ):
        text = shown.run("stop", stop=f"helpers.chat(CHEESE, {more})")
        refused = isinstance(shown.last_error, helpers.APIError)
        if not refused or shown.last_error.status != status or words not in text:
            problems.append((more, text))
    assert problems == []


def test_seeds_differ_and_each_repeats_itself(lesson):
    shown = lesson(NAME)
    shown.run("start", "samples")
    draws = [line.split(" ", 1)[1] for line in shown.run("seed").splitlines() if "[" in line]
    pairs = [eval(draw) for draw in draws]
    assert all(first == second for first, second in pairs)
    assert len({first for first, _ in pairs}) == len(pairs) >= 2


def test_the_favourite_has_half_where_the_solution_says(lesson):
    shown = lesson(NAME)
    shown.run(*REAL)
    text = shown.run("start", start=SOLUTIONS["half"])
    for prompt in FAVOURITES:
        reported = float(text.split(f"{prompt}: at about ")[1][:4])
        near = {
            t: abs(softmax(logprobs_of(prompt), t)[0] - 0.5)
            for t in (reported - 0.05, reported, reported + 0.05)
        }
        assert min(near, key=near.get) == reported


def test_a_penalty_breaks_the_loop(lesson):
    shown = lesson(NAME)
    shown.run(*MODEL)
    text = shown.run("start", start=SOLUTIONS["penalize"])
    free, *penalized = text.split("penalty ")[1:]
    assert free.count("Please bring the bicycle.") >= 2
    assert all(varied.count("Please bring the bicycle.") < 2 for varied in penalized)


def test_cells_run_in_another_order(lesson):
    shown = lesson(NAME)
    shown.run("start", "samples", "seed", "n", "refused", "order", "prefix", "default", "stop")
    assert shown.last_error is None
    shown.run(*PROMPTS, "first-prompt", "order", "prefix", "sentences", "refuse", "format")
    assert shown.last_error is None
    shown.run(*MODEL, "write-seeds", "write-top-p", "samples", "write-temperatures")
    assert shown.last_error is None


@pytest.mark.parametrize(
    "cells",
    [
        ("start", "system", "messages", "checker", "try", "first-prompt"),
        ("start", "logits", "top-p", "real-load", "real", "real-table", "tail", "tail-plot"),
        ("start", "logits", "top-p", "real-load", "real", "kept", "kept-plot"),
        ("start", "logits", "top-p", *MODEL[MODEL.index("words") :]),
        ("start", "samples", "seed", "stop", "n", "refused"),
    ],
    ids=lambda cells: cells[-1],
)
def test_a_section_needs_only_the_cells_that_define_its_functions(lesson, figures, cells):
    shown = lesson(NAME)
    assert shown.run(*cells) is not None
    assert shown.last_error is None
