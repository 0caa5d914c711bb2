"""Lesson 09: its tables, titles and descriptions follow the learner's tasks, prices, models and texts."""

import ast
import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import pandas as pd
import pytest

import helpers
from tests.model_ids import ROOT

NAME = "09_cost_comparison"
CLOCK_AHEAD = ROOT / "tests" / "clock_ahead"
CELLS = {cell.id: cell for cell in nbformat.read(ROOT / "notebooks" / f"{NAME}.ipynb", 4).cells}
BILL = ("tasks", "models", "cost")
LEVERS = ("levers-inputs", "levers", "levers-more")
FIGURES = ("bill-plot", "levers-plot")


@pytest.fixture
def figures(monkeypatch):
    """(title, description, table) of each figure that was shown."""
    found = []

    def show(figure, description, table=None):
        found.append((figure.axes[0].get_title("left"), description, table))
        plt.close(figure)

    monkeypatch.setattr(helpers, "show", show)
    return found


COUNTED = {}


@pytest.fixture
def costs(lesson, figures):
    """The lesson, run until the tasks are counted: once, then with the variables made then."""
    opened = lesson(NAME)
    if COUNTED:
        opened.run("start")
        opened.names.update(COUNTED)
        return opened
    opened.run("start", "count", "count-usage", "languages", "others", "others-plot", "price")
    opened.run("chat-tokens", "rules", "label-tokens", "search-tokens")
    assert opened.last_error is None
    COUNTED.update({k: v for k, v in opened.names.items() if not k.startswith("_")})
    return opened


def run(opened, *cells, **edits):
    shown = opened.run(*cells, **edits)
    assert opened.last_error is None, shown
    return shown


def run_bill(opened, *more, **edits):
    run(opened, *BILL, "thinking-recorded", *LEVERS, *more, **edits)
    return opened.names


@pytest.mark.parametrize("calls", [50_000, 1_000_000, 3])
def test_bill_and_levers_are_those_of_the_learners_number_of_calls(costs, figures, calls):
    names = run_bill(costs, *FIGURES, tasks=("(1_000_000, label_tokens", f"({calls}, label_tokens"))
    tokens, base = names["label_tokens"], names["BASE"]
    right = helpers.price((calls * tokens, calls * 2), base).usd
    assert names["bill"].loc[("Mistral", base), names["TASK"]] == pytest.approx(right)
    assert names["levers"]["dollars"]["as it is"] == pytest.approx(right)
    assert names["levers"]["share"]["batch"] == pytest.approx(0.5)
    (_, bill, _), (_, levers, _) = figures[-2:]
    dollars = names["bill"][names["TASK"]]
    assert f"from {dollars.min():,.6g} to {dollars.max():,.6g} dollars" in bill
    assert f"{right:,.6g} dollars as it is" in levers


MINE = 'tasks = pd.DataFrame({"my bot": (200, 3_000, 400)}, index=["calls", "tokens in", "tokens out"])'


def test_tasks_can_be_replaced_by_one_of_your_own(costs, figures):
    names = run_bill(costs, *FIGURES, tasks=f"{MINE}\nTASK = 'my bot'")
    right = helpers.price((200 * 3_000, 200 * 400), names["BASE"]).usd
    assert names["levers"]["dollars"]["as it is"] == pytest.approx(right)
    assert all("my bot" in title and "my bot" in words for title, words, _ in figures[-2:])
    left_out = {"shorter prompt", "same beginning from the cache"}
    assert not left_out & set(names["levers"].index), "nothing is known of them"


def test_levers_of_a_task_of_your_own_take_what_you_know_of_it(costs):
    inputs = CELLS["levers-inputs"].source + "\nSAME = {'my bot': 1000}\nSHORT = {'my bot': 2_500}"
    names = run_bill(costs, tasks=f"{MINE}\nTASK = 'my bot'", levers_inputs=inputs)
    base, dollars = names["BASE"], names["levers"]["dollars"]
    cached = helpers.price((600_000, 80_000), base, cached=200 * (1000 // 64 * 64)).usd
    assert dollars["same beginning from the cache"] == pytest.approx(cached)
    shorter = helpers.price((500_000, 80_000), base).usd
    assert dollars["shorter prompt"] == pytest.approx(shorter)


@pytest.mark.parametrize(
    "task", ["one question", "a chat of 20 turns", "1,000 searches with answer"]
)
def test_each_task_can_be_the_one_that_the_figures_show(costs, figures, task):
    names = run_bill(costs, *FIGURES, tasks=("TASK = tasks.columns[-1]", f"TASK = {task!r}"))
    calls, used, out = names["tasks"][task]
    right = names["cost"](names["BASE"], calls, used, out)
    assert names["levers"]["dollars"]["as it is"] == pytest.approx(right)
    assert list(names["bill"][task]) == sorted(names["bill"][task])
    assert all(task in title for title, _, _ in figures[-2:])


def test_a_figure_of_levers_names_the_task_and_the_model_it_was_computed_for(costs, figures):
    run_bill(costs, *FIGURES)
    before = figures[-1][:2]
    run(costs, "tasks", tasks=("TASK = tasks.columns[-1]", "TASK = CHAT"))
    edit = ('"mistral-medium-latest", "mistral-small-latest"',)
    edit = (*edit, '"mistral-large-latest", "ministral-3b-latest"')
    run(costs, "levers-inputs", "levers-plot", levers_inputs=edit)
    assert figures[-1][:2] == before
    run(costs, "levers-more", "levers-plot")
    assert figures[-1][:2] == before
    run(costs, "levers", "levers-more", "levers-plot")
    title, words, _ = figures[-1]
    assert costs.names["CHAT"] in title and "with mistral-large-latest" in words


def test_cells_about_tokenizers_can_be_run_again_in_any_order(costs, figures):
    run(costs, "others", "others-plot", "others", "others-plot", "languages", "others-plot")
    first, *others = [shown[:2] for shown in figures if "Dot plot: the tokens of" in shown[1]]
    assert others[-2:] == [first, first]


def test_own_prices_stand_beside_the_others(costs, figures):
    own = ("OWN = {}  # such as {", "OWN = {'mine': (0.01, 0.02)}  # such as {")
    names = run_bill(costs, *FIGURES, models=own)
    assert names["bill"].loc[("your own", "mine"), names["TASK"]] == pytest.approx(
        names["label_tokens"] * 0.01 + 2 * 0.02
    )
    _, words, table = figures[-2]
    assert table.index[0] == "mine" and "your own 2.13" in words


@pytest.mark.parametrize("model", ["mistral-small-latest", "gpt-6-luna"])
def test_an_own_price_never_stands_under_a_vendors_name(costs, model):
    shown = costs.run(
        "tasks", "models", "cost", models=("OWN = {}", f"OWN = {{'{model}': (1, 2)}}")
    )
    assert "needs a name of its own" in str(costs.last_error), shown


def test_own_prices_refuse_options_that_nobody_stated(costs):
    own = ("OWN = {}  # such as {", "OWN = {'mine': (0.01, 0.02)}  # such as {")
    run(costs, *BILL, models=own)
    with pytest.raises(helpers.costs.UnknownPrice, match="mine"):
        costs.names["cost"]("mine", 1, 2, 3, batch=True)


def test_other_models_and_fewer_vendors_can_be_compared(costs, figures):
    models = "OWN, OURS = {}, ['codestral-latest', 'zai-glm-5-3']\n"
    names = run_bill(
        costs, *FIGURES, models=models + "MODELS = {'Mistral': OURS, 'OpenAI': ['gpt-6-luna']}"
    )
    title, words, table = figures[-2]
    dollars = names["bill"][names["TASK"]]
    assert len(table) == 3 and "with 3 models" in words
    assert f"a factor of {dollars.max() / dollars.min():,.0f}" in title.lower()


@pytest.mark.parametrize("base", ["mistral-small-latest", "mistral-large-4"])
def test_levers_start_from_another_model(costs, figures, base):
    edit = ('BASE, SMALLER = "mistral-medium-latest"', f'BASE, SMALLER = "{base}"')
    names = run_bill(costs, *FIGURES, levers_inputs=edit)
    _, words, _ = figures[-1]
    saved = names["levers"]["share"].iloc[1:-1]
    assert f"“{saved.idxmin()}”, down to {saved.min():.0%}" in words and base in words


@pytest.mark.parametrize("base", ["gpt-6-luna", "claude-haiku-5-5", "mine"])
def test_a_base_that_is_not_mistrals_is_refused_as_the_text_says(costs, base):
    run(costs, *BILL, "thinking-recorded", models=("OWN = {}", "OWN = {'mine': (0.01, 0.02)}"))
    edit = ('BASE, SMALLER = "mistral-medium-latest"', f'BASE, SMALLER = "{base}"')
    costs.run(*LEVERS, levers_inputs=edit)
    assert isinstance(costs.last_error, (ValueError, LookupError)) and base in str(costs.last_error)
    words = CELLS["levers-why"].source
    assert "or one of `OWN`, raises an error" in " ".join(words.split())


def test_a_model_that_cannot_think_has_no_lever_for_it(costs):
    edit = ('"mistral-medium-latest", "mistral-small-latest"',)
    models = '"ministral-8b-latest", "ministral-3b-latest"'
    assert any("thinking" in lever for lever in run_bill(costs)["levers"].index)
    names = run_bill(costs, levers_inputs=(*edit, models))
    assert not any("thinking" in lever for lever in names["levers"].index)


def test_a_shorter_chat_is_named_and_counted_as_such(costs):
    run(costs, "chat-tokens", chat_tokens=("iloc[20:40]", "iloc[20:25]"))
    names = run_bill(costs, tasks=("tasks.columns[-1]", "CHAT"))
    assert names["TASK"] == "a chat of 5 turns"
    assert tuple(names["tasks"][names["TASK"]]) == (
        5,
        sum(names["sent"]) / 5,
        sum(names["written"]) / 5,
    )


def test_own_texts_are_counted_and_named(costs, figures):
    figures.clear()
    mine = ('# same["mine"] = "Your own text."', 'same["mine"] = "Ölmühle " * 60')
    shown = run(costs, "languages", "others", "others-plot", languages=mine)
    ((title, words, table),) = figures
    assert "of 15" in shown and "of 15 texts" in title and "15 texts" in words
    assert f"mine: {table.loc['mine', 'Mistral today']} with Mistral today" in words
    assert "nan" not in words


def test_what_the_prose_says_of_tokenizers_is_what_the_table_holds(costs):
    table = costs.names["compared"]
    counts = table.drop(columns="characters")
    assert counts.loc["English"].max() - counts.loc["English"].min() == 2
    languages = counts.drop(index=["Python", "JSON"])
    difference = languages["OpenAI 2024 (GPT-4o)"] - languages["Mistral today"]
    assert (len(languages), (difference < 0).sum(), (difference > 0).sum()) == (12, 8, 2)
    pair = counts[["Mistral today", "OpenAI 2024 (GPT-4o)"]]
    assert [list(pair.loc[name]) for name in ("Hindi", "Arabic")] == [[89, 73], [44, 48]]


def test_what_the_prose_says_of_prices_is_what_the_cells_show(costs):
    names = run_bill(costs, "bill-spread", "steps", "changes")
    run(costs, "then", "now")
    assert 57 <= names["then"]["gpt-4"] / names["then"]["open-mixtral-8x7b"] < 57.5
    assert (names["now"]["gpt-6-astra"], names["now"]["gpt-6-luna"]) == (35, 0.35)
    assert 0.35 < names["now"]["mistral-small-latest"] < 0.5
    spread = names["spread"]
    factors, cheapest = spread["max"] / spread["min"], spread["min"]
    assert 90 < (spread["max"].max() / cheapest.min()) < 110
    assert factors.min() > cheapest.max() / cheapest.min(), "the model matters more than the vendor"
    per_million = names["per_million"]
    haiku = list(per_million["claude-haiku-5-5"].values())
    assert [round(price / haiku[0], 6) for price in haiku] == [1, 1, 5, 5]
    assert list(per_million["gpt-6-luna"].values())[-2:] == pytest.approx([0.1, 0.2])
    assert len(set(per_million["mistral-small-latest"].values())) == 1
    changed = names["per_day"][names["per_day"].iloc[:, 0] != names["per_day"].iloc[:, 1]]
    assert set(changed.index) == {"gemini-3.8-flash", "gemini-4-argon"}, "both are Google's"
    levers = names["levers"]["share"].iloc[1:-1]
    assert levers.idxmin().endswith(" instead") and levers.idxmax().startswith("thinking")


def test_the_smaller_model_is_measured_with_other_candidates(costs, figures):
    run(costs, "budget", "tickets", "evaluate")
    costs.names["tickets"] = costs.names["tickets"].iloc[::3]
    edit = (
        '["ministral-3b-latest", "mistral-small-latest", "mistral-large-latest"]',
        '["ministral-8b-latest", "mistral-medium-latest"]',
    )
    cells = ("evaluate-run", "who", "interval", "bootstrap", "pareto-plot", "confusion")
    run(costs, *cells, "cascade", "cascade-cost", evaluate_run=edit)
    names = costs.names
    title, words, table = figures[-1]
    assert title.startswith(names["WHO"]) and names["WHO"] == "STAND-INS, not models"
    for model in ("ministral-8b-latest", "mistral-medium-latest"):
        assert f"{model} {table.loc[model, 'accuracy']:.0%}" in words
    better = table[table["accuracy"] >= table.loc["mistral-medium-latest", "accuracy"]]
    assert "mistral-medium-latest" in words.partition("front: ")[2] or len(better) > 1
    assert names["EXPENSIVE"] == "mistral-medium-latest"


def test_effort_is_honest_about_other_models_and_levels(costs):
    low = ('("none", "high")', '("none", "low")')
    shown = costs.run("thinking", thinking=low)
    assert "reasoning_effort='low' is not supported" in shown
    other = ('model="mistral-small-latest", reason', 'model="mistral-medium-latest", reason')
    assert "high: '24'" in run(costs, "thinking", thinking=other)


def test_recorded_thinking_is_what_the_prose_names(costs):
    with (ROOT / "data/measured/thinking_tokens.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    high, none = rows[-2:]
    assert high["question"] == none["question"] and high["model"] == none["model"]
    assert [high["completion_tokens"], none["completion_tokens"]] == ["35", "2"]
    problems = [
        row
        for row in rows
        if not 1 <= int(row["completion_tokens"]) - int(row["thinking"]) - int(row["answer"]) <= 3
        or not row["source"]
        or row["recorded"] > str(helpers.costs.PRICE_DAY)
    ]
    assert problems == [], "all that was billed as output is thinking, answer and special tokens"


def test_models_of_other_vendors_are_those_of_the_bill_with_dates(costs):
    names = run_bill(costs)
    table = pd.read_csv(ROOT / "data" / "other_models.csv", dtype=str).fillna("")
    billed = {model for vendor, model in names["bill"].index if vendor != "Mistral"}
    assert billed <= set(table["model"])
    vendors = {"OpenAI": "openai", "Anthropic": "anthropic", "Google": "google"}
    for row in table.itertuples():
        assert helpers.costs.models.find_vendor(row.model) == vendors[row.vendor]
        assert row.ends == "" or row.ends > str(helpers.costs.PRICE_DAY), "it lives"
        assert row.source and row.thinks and row.as_of <= str(helpers.costs.PRICE_DAY)


def test_counter_of_the_api_counts_as_the_chat_does(lesson):
    opened = lesson(NAME)
    opened.run("start")
    rules = '"input": "Hello", "instructions": "Be brief."'
    edit = ('"input": "When must I bring the bicycle back?"', rules)
    shown = opened.run("live-count", live_count=edit)
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]
    assert str(helpers.count_tokens(turns).tokens) in shown
    edit = ('"input": "When must I bring the bicycle back?"', '"input": [{"type": "input_file"}]')
    assert "RecordingNotFound" in opened.run("live-count", live_count=edit)


TABLES = ("tasks", "bill", "spread", "per_day", "known", "levers")
DATED = ("tasks", "models", "cost", "bill-spread", "steps", "changes", "ends", "then", "now")
DATED += ("thinking-recorded", "levers-inputs", "levers", "levers-more", "thumb-prices")
COUNTS = (
    "count",
    "count-usage",
    "languages",
    "chat-tokens",
    "rules",
    "label-tokens",
    "search-tokens",
)
# The texts' tokens come from the test, since loading a tokenizer takes longer than all the rest.
SCRIPT = f"""
import json, sys
import helpers
from tests.lessons.cells import Lesson, in_notebooks
helpers.costs.tokens.count_text = json.load(sys.stdin).__getitem__
imports = "import pandas as pd; from helpers.costs.tokens import count_text"
with in_notebooks(strict=True):
    lesson = Lesson("{NAME}")
    shown = lesson.run("start", *{COUNTS + DATED}, languages=imports)
    assert lesson.last_error is None, shown
    tables = [lesson.names[name].to_csv() for name in {TABLES}]
    print(json.dumps([__import__("datetime").date.today().isoformat(), tables]))
"""


@pytest.mark.slow
def test_a_clock_one_year_ahead_changes_nothing(costs, monkeypatch):
    count, counts = helpers.costs.tokens.count_text, {}

    def count_text(text):
        counts[text] = count(text)
        return counts[text]

    monkeypatch.setattr(helpers.costs.tokens, "count_text", count_text)
    run(costs, *COUNTS, *DATED)
    env = os.environ | {"PYTHONPATH": f"{CLOCK_AHEAD}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(
        command, input=json.dumps(counts), capture_output=True, text=True, cwd=ROOT, env=env
    )
    assert done.returncode == 0, done.stderr[-2000:]
    later, then = json.loads(done.stdout.splitlines()[-1])
    assert [costs.names[name].to_csv() for name in TABLES] == then
    assert int(later[:4]) > helpers.costs.PRICE_DAY.year


def test_no_figure_has_a_number_typed_into_its_words():
    """Titles and descriptions hold numbers only where they are computed."""
    problems = []
    for cell in CELLS.values():
        if cell.cell_type != "code" or "helpers.show(" not in cell.source:
            continue
        nodes = list(ast.walk(ast.parse(cell.source)))
        formats = {id(node.format_spec) for node in nodes if isinstance(node, ast.FormattedValue)}
        for node in nodes:
            if isinstance(node, ast.JoinedStr) and id(node) not in formats:
                typed = [part.value for part in node.values if isinstance(part, ast.Constant)]
                problems += [text for text in typed if any(map(str.isdigit, text))]
    year, unit = "in 2023 for ", "dollars per 1,000 labels"
    assert [text for text in problems if year not in text and unit not in text] == []
    assert len(problems) == 2


def test_no_word_of_the_old_english_is_left():
    text = " ".join(cell.source for cell in CELLS.values())
    files = (
        ROOT / "data" / name for name in ("models.csv", "price_history.csv", "other_models.csv")
    )
    texts = [text, *(Path(path).read_text("utf-8") for path in files)]
    words = ("dear ", "dearer", "dearest", "one by one", "small letters", "can't be had")
    assert [word for word in words for text in texts if word in text] == []
