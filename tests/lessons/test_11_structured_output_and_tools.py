"""Lesson 11, edited as its text invites, and its tools under what a model or an attacker may send."""

import io
import json
import re

import httpx
import numpy as np
import pandas as pd
import pytest
from PIL import Image

import helpers
from helpers.offline.tokens import count_picture
from tests.lessons.cells import NOTEBOOKS, ROOT

NAME = "11_structured_output_and_tools"
SORTING = ("start", "message", "json-object", "model", "schema", "json-schema")
REPAIR = (*SORTING, "checked", "explain", "stranded", "repair")
DAYS = (*SORTING, "days", "declare", "receive")
LOOP = (*REPAIR, *DAYS, "database", "authorizer", "query", "run-tool", "loop")
PICTURE = ("start", "message", "snippet-picture", "picture-ask")


def solve(lesson, question):
    return lesson.run("solve", solve=f"print(solve({question!r}))")


def markdown(name):
    book = json.loads((NOTEBOOKS / f"{NAME}.ipynb").read_text("utf-8"))
    return "".join(next(cell["source"] for cell in book["cells"] if cell["id"] == name))


def test_other_parameters_and_messages_are_answered(lesson):
    shown = lesson(NAME)
    problems = []
    for message in ("m037", "m004", "m014", "m019", "m015"):
        shown.run(*SORTING, "validate", message=('texts["m037"]', f"texts[{message!r}]"))
        if shown.last_error or shown.names["ticket"].label not in shown.names["typed"].text:
            problems.append((message, shown.last_error))
    for more in ("temperature=0", 'model="mistral-large-latest"', "random_seed=1", "top_p=0.5"):
        text = shown.run("json-schema", json_schema=("=FORMAT)", f"=FORMAT, {more})"))
        if shown.last_error or "Not recorded: the course's written answer" not in text:
            problems.append((more, text))
    assert problems == []


def test_another_schema_gets_no_answer_that_breaks_it(lesson):
    shown = lesson(NAME)
    shown.run(*SORTING, model=("    quote: str", "    name: str\n    quote: str"))
    assert isinstance(shown.last_error, helpers.RecordingNotFound)
    assert "a schema that it fits ('name' is a required property)" in str(shown.last_error)


def test_a_message_of_your_own_gets_a_short_menu(lesson):
    shown = lesson(NAME)
    shown.run(
        "start", "message", "json-object", message=('texts["m037"]', '"Do you sell unicycles?"')
    )
    assert isinstance(shown.last_error, helpers.RecordingNotFound)
    message = str(shown.last_error)
    assert len(message.splitlines()) <= 7 and "I paid 95 euros" in message


def test_the_repair_round_repairs_what_can_be_repaired(lesson):
    shown = lesson(NAME)
    text = shown.run(*REPAIR, "repaired", "many")
    assert shown.last_error is None
    assert text.count("a person must look") == 1
    texts = shown.names["texts"]
    for line in re.findall(r"^(?:warranty|rental|payment|parts) +\d +(.+)$", text, re.MULTILINE):
        assert any(line in one for one in texts), line


def test_a_cut_answer_ends_with_length_at_every_limit(lesson):
    shown = lesson(NAME)
    shown.run(*SORTING)
    problems = []
    for limit in range(1, 41, 3):
        text = shown.run("cut", cut=("max_tokens=12", f"max_tokens={limit}"))
        whole = shown.names["cut"].text == shown.names["typed"].text
        if shown.last_error or (text.strip().endswith("stop") and not whole):
            problems.append((limit, text))
    assert problems == []
    assert whole, "the last limit is high enough"


def test_a_tool_can_be_called_by_hand_with_a_question_of_the_menu(lesson):
    shown = lesson(NAME)
    text = shown.run(*DAYS, "run", "answer", "order", "parallel", "choice")
    assert shown.last_error is None
    assert "430 days later" in text and text.count("400 3230") == 3
    shown.run("parallel", parallel=("tools=[DAYS]", "tools=[DAYS], parallel_tool_calls=False"))
    assert len(shown.names["both"].tool_calls) == 1


def test_a_step_can_be_run_again_after_the_whole_lesson(lesson):
    """No later cell reuses the name of an earlier one for something else."""
    shown = lesson(NAME)
    shown.run(*(name for name in shown.cells if not name.startswith("exercise-")))
    assert shown.last_error is None
    for name, words in (
        ("answer", "430 days later"),
        ("order", "400 3230"),
        ("parallel", "UQu0RoFdn"),
        ("stream-call", "[[19]]"),
        ("repaired", "there is a puncture"),
        ("picture-tokens", "465 for the picture"),
    ):
        text = shown.run(name)
        assert shown.last_error is None and words in text, (name, text)


def test_a_tool_choice_is_answered_refused_or_not_written(lesson):
    shown = lesson(NAME)
    shown.run(*DAYS)
    edit = ('("auto", "none", "any", "required", NAMED)', '("always",)')
    shown.run("choice", choice=edit)
    assert isinstance(shown.last_error, helpers.APIError) and shown.last_error.status == 422
    # A tool that the request doesn't declare: what the API does then is not known here.
    shown.run("choice", choice=('"name": "days_between"', '"name": "weekday"'))
    assert isinstance(shown.last_error, helpers.RecordingNotFound)


def test_another_result_than_the_written_one_ends_in_a_miss(lesson):
    shown = lesson(NAME)
    shown.run(*DAYS, "run", "answer", days=("(end - start).days", "(end - start).days + 1"))
    assert isinstance(shown.last_error, helpers.RecordingNotFound)
    assert "written here for other results of its tools" in str(shown.last_error)


def test_every_question_of_the_menu_is_answered(lesson):
    shown = lesson(NAME)
    shown.run(*LOOP)
    questions = re.findall(r"^- `(.+)`$", markdown("menu"), re.MULTILINE)
    assert len(questions) == 4
    for question in questions:
        text = solve(shown, question)
        assert shown.last_error is None, (question, text)
        assert "tokens in" in text and not text.rstrip().endswith("}")


def test_a_question_of_your_own_gets_a_menu_of_the_questions_with_these_tools(lesson):
    shown = lesson(NAME)
    shown.run(*LOOP)
    solve(shown, "Which customer is the tallest?")
    message = str(shown.last_error)
    assert isinstance(shown.last_error, helpers.RecordingNotFound)
    assert len(message.splitlines()) <= 7
    assert "How many messages are about rentals?" in message and "brake cable" not in message


def test_cap_and_budget_stop_as_the_text_says(lesson):
    shown = lesson(NAME)
    shown.run(*LOOP)
    assert "No answer after 4 rounds." in shown.run("cap")
    text = shown.run("budget")
    assert "Not sent: it may cost" in text and shown.names["budget"].spent < 0.0005
    assert "No answer after 4 rounds." in shown.run("budget", budget=("0.0005", "0.01"))
    shown.run("loop", loop=("= 4, 300", "= 10, 300"))
    text = shown.run("cap", cap=("print(solve(FUNNIEST))", "last = solve(FUNNIEST)"))
    assert shown.last_error is None and "none of them tries" in shown.names["last"]
    shown.run("loop", loop=("= 4, 300", "= 4, 10"))
    assert "An answer was cut at 10 tokens." in shown.run("cap")


def test_what_goes_wrong_is_held(lesson):
    shown = lesson(NAME)
    shown.run(*LOOP)
    for name, words in (
        ("trust-cut", "Invalid JSON"),
        ("trust-name", "no tool translate"),
        ("trust-type", "valid date"),
        ("trust-sql", "not authorized"),
    ):
        text = shown.run(name)
        assert shown.last_error is None and '"error"' in text and words in text
    assert "100 tickets are left" in text


HOSTILE = [
    "DELETE FROM tickets",
    "UPDATE tickets SET label = 'x'",
    "INSERT INTO tickets VALUES ('a', 'b', 'c', 1)",
    "REPLACE INTO tickets VALUES ('a', 'b', 'c', 1)",
    "DROP TABLE tickets",
    "CREATE TABLE other (a)",
    "CREATE TEMP TABLE other (a)",
    "CREATE VIEW other AS SELECT 1",
    "ALTER TABLE tickets RENAME TO other",
    "ATTACH 'stolen.db' AS other",
    "VACUUM INTO 'stolen.db'",
    "PRAGMA writable_schema = 1",
    "PRAGMA table_info(tickets)",
    "BEGIN",
    "SAVEPOINT a",
    "SELECT 1; DELETE FROM tickets",
    "SELECT * FROM sqlite_master",
    "SELECT load_extension('x')",
    "SELECT hex(randomblob(100000000))",
    "SELECT printf('%.*c', 100000000, 'x')",
    "SELECT count(*) FROM tickets a, tickets b, tickets c, tickets d, tickets e",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n",
    "WITH gone AS (SELECT 1) DELETE FROM tickets",
    "nonsense",
    "SELECT 1\0",
    "SELECT unknown FROM tickets",
]


def test_hostile_sql_is_refused_and_changes_nothing(lesson, tmp_path, monkeypatch):
    shown = lesson(NAME)
    shown.run(*LOOP)
    monkeypatch.chdir(tmp_path)
    run_tool, problems = shown.names["run_tool"], []
    for sql in HOSTILE:
        function = {"name": "query_tickets", "arguments": json.dumps({"sql": sql})}
        result = json.loads(run_tool({"id": "a" * 9, "function": function}))
        if set(result) != {"error"}:
            problems.append((sql, result))
    assert problems == []
    assert list(tmp_path.iterdir()) == []
    count = shown.names["query_tickets"]("SELECT count(*), count(DISTINCT label) FROM tickets")
    assert count == [(100, 6)]


def test_an_attempt_of_your_own_shows_why_it_is_refused(lesson):
    shown = lesson(NAME)
    shown.run(*LOOP)
    for sql, why in (
        ("UPDATE tickets SET label = 1", "not authorized"),
        ("SELEC label FROM tickets", 'near "SELEC": syntax error'),
        ("SELECT colour FROM tickets", "no such column: colour"),
        ("SELECT hex(text) FROM tickets", "not authorized to use function: hex"),
    ):
        text = shown.run("attempts", attempts=("DELETE FROM tickets", sql))
        assert shown.last_error is None and f"{why} ← {sql}" in text, (sql, text)


def test_useful_sql_passes_with_at_most_20_rows(lesson):
    shown = lesson(NAME)
    shown.run(*LOOP)
    query = shown.names["query_tickets"]
    tickets = pd.read_csv(ROOT / "data" / "tickets.csv")
    assert len(query("SELECT * FROM tickets")) == 20
    counts = dict(query("SELECT label, count(*) FROM tickets GROUP BY label"))
    assert counts == tickets["label"].value_counts().to_dict()
    found = query("SELECT id FROM tickets WHERE lower(text) LIKE '%deposit%' ORDER BY id LIMIT 1")
    assert found == [(tickets[tickets["text"].str.contains("eposit")]["id"].min(),)]


CALLS = [
    ("eval", "{}"),
    ("", "{}"),
    ("__import__", '{"name": "os"}'),
    ("query_tickets", ""),
    ("query_tickets", "{"),
    ("query_tickets", '{"sql": 5}'),
    ("query_tickets", '{"query": "SELECT 1"}'),
    ("query_tickets", "[]"),
    ("query_tickets", "null"),
    ("days_between", '{"start": "yesterday", "end": "2026-11-24"}'),
    ("days_between", '{"start": "2026-02-30", "end": "2026-11-24"}'),
    ("days_between", '{"start": "2026-11-24"}'),
    ("days_between", '{"start": [], "end": {}}'),
]


def test_odd_calls_are_answered_with_an_error_in_json(lesson):
    shown = lesson(NAME)
    shown.run(*LOOP)
    problems = []
    for name, arguments in CALLS:
        call = {"id": "a" * 9, "function": {"name": name, "arguments": arguments}}
        try:
            result = json.loads(shown.names["run_tool"](call))
        except Exception as error:
            result = error
        if not isinstance(result, dict) or list(result) != ["error"]:
            problems.append((name, arguments, result))
    blob = {"name": "query_tickets", "arguments": '{"sql": "SELECT x\'41\', 1e999, NULL"}'}
    assert json.loads(shown.names["run_tool"]({"id": "a" * 9, "function": blob}))["result"]
    assert problems == []


def test_cut_arguments_are_refused_at_every_limit(lesson):
    shown = lesson(NAME)
    shown.run(*LOOP)
    problems = []
    for limit in range(5, 34, 2):
        text = shown.run("trust-cut", trust_cut=("max_tokens=10", f"max_tokens={limit}"))
        whole = shown.names["short"].finish_reason == "tool_calls"
        if shown.last_error or ('"result"' in text) != whole:
            problems.append((limit, text))
    assert problems == []


def test_a_streamed_call_is_the_same_as_a_whole_one(lesson):
    shown = lesson(NAME)
    shown.run(*LOOP)
    assert "pieces of text: []" in shown.run("stream")
    *_, last = shown.names["stream"].reply.raw
    choice = last["choices"][0]
    assert choice["finish_reason"] == "tool_calls" and "content" not in choice["delta"]
    assert '{"result": [[19]]}' in shown.run("stream-call")


@pytest.mark.parametrize("wrong", ["-430", "4300", "1430", "430.5"])
def test_a_wrong_result_of_a_tool_is_not_confirmed(lesson, wrong):
    shown = lesson(NAME)
    shown.run_to("run")
    text = shown.run("answer", answer=("str(elapsed)", repr(wrong)))
    assert isinstance(shown.last_error, LookupError), text


def test_a_database_that_is_read_again_is_as_safe(lesson):
    shown = lesson(NAME)
    shown.run_to("query")
    shown.run("database")
    text = shown.run("attempts")
    assert (
        "not authorized ← DELETE" in text and "is prohibited ← SELECT * FROM sqlite_master" in text
    )


@pytest.mark.parametrize("quote", ["", " "])
def test_an_empty_quote_is_no_quote(lesson, quote):
    shown = lesson(NAME)
    shown.run_to("explain")
    ticket = json.dumps({**json.loads(shown.names["typed"].text), "quote": quote})
    with pytest.raises(ValueError, match="copy them exactly"):
        shown.names["read_ticket"](ticket, "My brakes are loose.")


def drawn(lesson, monkeypatch, **edits):
    """What the chart's cell shows: (picture, title, words, table)."""
    shown = []

    def show(figure, words, table):
        picture = io.BytesIO()
        figure.savefig(picture, format="png")
        # Half a message is none.
        assert all(tick.is_integer() for tick in figure.axes[0].get_yticks())
        shown.append((picture.getvalue(), figure.axes[0].get_title("left"), words, table))

    monkeypatch.setattr(helpers, "show", show)
    lesson.run("start", "message", "chart", **edits)
    assert lesson.last_error is None
    return shown[0]


def test_the_stored_chart_is_the_one_that_the_lesson_draws(lesson, monkeypatch):
    picture, title, words, table = drawn(lesson(NAME), monkeypatch)
    one = np.asarray(Image.open(io.BytesIO(picture)).convert("L"), float)
    stored = Image.open(ROOT / "data" / "tickets_chart.png").convert("L")
    assert np.abs(one - np.asarray(stored, float)).mean() < 1
    counts = pd.read_csv(ROOT / "data" / "tickets.csv")["label"].value_counts()
    assert table["messages"].to_dict() == counts.to_dict()
    assert title == f"{counts.index[0]} has the most of the 100 messages: {counts.iloc[0]}"
    assert all(f"{label} {count}" in words for label, count in counts.items())


def test_title_and_words_of_the_chart_follow_the_data(lesson, monkeypatch):
    edit = ('["label"]', '.query("hard == 1")["label"]')
    _, title, words, table = drawn(lesson(NAME), monkeypatch, chart=edit)
    assert title == f"payment has the most of the {table['messages'].sum()} messages: 5"
    assert "payment 5" in words


def test_the_picture_costs_what_the_rule_says(lesson):
    shown = lesson(NAME)
    text = shown.run(*PICTURE, "picture-tokens", "picture-price")
    assert shown.last_error is None and "465 for the picture" in text
    question = "Which label has the most messages in this chart, and how many?"
    alone = helpers.count_tokens(question, "mistral-large-latest").tokens
    assert f"465 for the picture, {alone} for the question" in text
    prices = shown.names["prices"]
    large = helpers.models().set_index("id").loc["mistral-large-2512", "usd_per_million_input"]
    assert prices.loc["840 x 420", "mistral-large-2512"] == pytest.approx(465 * large / 1000)


def test_another_size_is_counted_as_the_offline_api_counts_it(lesson):
    shown = lesson(NAME)
    shown.run(*PICTURE, "picture-tokens")
    shown.run("picture-price", picture_price=("(256, 256)", "(4000, 3000)"))
    assert shown.last_error is None
    count = shown.names["prices"].loc["4000 x 3000", "tokens"]
    assert count == count_picture(4000, 3000) < shown.names["prices"].loc["1540 x 1540", "tokens"]
    sizes = [(1, 1), (28, 28), (29, 28), (1540, 1540), (1541, 20), (20, 9000), (1200, 900)]
    counts = [shown.names["picture_tokens"](*size) for size in sizes]
    assert counts == [count_picture(*size) for size in sizes]


def test_other_questions_on_the_chart_and_another_picture(lesson):
    shown = lesson(NAME)
    question = "Which label has the most messages in this chart, and how many?"
    for other in (question.replace("most", "fewest"), "Describe this chart in one sentence."):
        shown.run(*PICTURE, picture_ask=(question, other))
        assert shown.last_error is None, other
    shown.run("picture-ask", picture_ask=("tickets_chart.png", "tickets.csv"))
    assert isinstance(shown.last_error, helpers.RecordingNotFound)


def test_no_answer_depends_on_the_clock():
    book = json.loads((NOTEBOOKS / f"{NAME}.ipynb").read_text("utf-8"))
    code = "".join("".join(cell["source"]) for cell in book["cells"] if cell["cell_type"] == "code")
    assert not re.search(r"today\(|now\(|time\.time", code)


def test_the_lesson_names_what_issue_asks_of_the_map():
    text = markdown("map")
    for name in ("agents", "MCP", "OCR", "audio"):
        assert re.search(rf"^\| {name} \|.*\]\(https://", text, re.MULTILINE), name


def test_the_loop_sends_the_models_message_back_unchanged(lesson):
    """Also words beside the call, and fields that nobody here knows."""
    shown = lesson(NAME)
    shown.run(*LOOP)
    function = {"name": "days_between", "arguments": '{"start": "2026-01-01", "end": "2026-01-03"}'}
    call = {"id": "abcdefghi", "type": "function", "function": function, "index": 0}
    wish = {"role": "assistant", "content": "Let me count.", "tool_calls": [call], "more": 1}
    messages = [(wish, "tool_calls"), ({"role": "assistant", "content": "Two."}, "stop")]
    sent = []

    def answer(request):
        sent.append(json.loads(request.content)["messages"])
        message, finish = messages[len(sent) - 1]
        choice = {"index": 0, "message": message, "finish_reason": finish}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        return httpx.Response(200, json={"model": "any", "choices": [choice], "usage": usage})

    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        assert shown.names["solve"]("How many days?", client) == "Two."
    assert sent[1][1] == wish
    assert sent[1][2]["content"] == '{"result": 2}'


def test_a_streamed_answer_without_a_call_runs_none(lesson):
    shown = lesson(NAME)
    shown.run(*LOOP)
    asked = ("How many messages are about rentals?", "Good morning!")
    text = shown.run("stream", "stream-call", stream=asked)
    assert shown.last_error is None and "Good" in text
