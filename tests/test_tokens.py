"""Counts are those that the API reported, and say when they may not be."""

import csv
import datetime
import re
from pathlib import Path

import pytest

import helpers
from helpers import count_tokens
from helpers.costs.tokens import tokenizer

FRENCH = [
    {"role": "system", "content": "You are a helpful assistant."},
    {
        "role": "user",
        "content": "Quel est le meilleur fromage français ? Réponds en une phrase courte.",
    },
]
TOOL = {
    "type": "function",
    "function": {
        "name": "capital",
        "description": "The capital of a country",
        "parameters": {"type": "object", "properties": {"country": {"type": "string"}}},
    },
}


@pytest.mark.parametrize(
    ("messages", "model", "tokens"),
    [  # prompt_tokens of the real API, from public recorded traffic
        ("Count from 1 to 3", "mistral-small-latest", 22),
        ("What is the capital of France?", "mistral-small-latest", 22),
        ("hello", "mistral-large-latest", 4),
        ("Tell me a joke about OpenTelemetry", "mistral-tiny", 11),
        ("Hello world", "mistral-embed", 4),
    ],
)
def test_a_count_is_that_of_the_api(messages, model, tokens):
    count = count_tokens(messages, model)
    assert (count.tokens, count.exact, count.error) == (tokens, True, 0)
    assert int(count) == tokens


@pytest.mark.parametrize(
    ("messages", "v1", "v2", "tekken"),
    [  # counted with the templates of mistral-common 1.13.1
        ("hello", 10, 5, 4),
        ("What is the best French cheese?", 15, 10, 10),
        ("What's 2 + 2?", 17, 12, 11),
        (FRENCH, 35, 30, 25),
    ],
)
def test_each_tokenizer_counts_its_own_way(messages, v1, v2, tekken):
    models = ("mistral-medium-2312", "mistral-large-2402", "open-mistral-nemo-2407")
    assert [count_tokens(messages, model).tokens for model in models] == [v1, v2, tekken]


def test_the_rule_for_newer_models_agrees_with_the_template_where_both_apply():
    talk = [
        {"role": "user", "content": "Bonjour"},
        {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": "And in German?"},
    ]
    newer, older = (count_tokens(talk, m) for m in ("mistral-large-2512", "open-mistral-nemo-2407"))
    assert newer.tokens == older.tokens
    newer, older = (
        count_tokens("Capital of Peru?", m, tools=[TOOL])
        for m in ("mistral-large-2512", "pixtral-12b-2409")
    )
    assert newer.tokens == older.tokens


def test_small_4_names_its_settings_but_not_for_json():
    ask = "What is 12 * 12? Answer with just the number."
    assert count_tokens(ask, reasoning_effort="high").tokens == 31  # recorded
    assert count_tokens(ask).tokens == 31
    json = count_tokens(ask, response_format={"type": "json_object"})
    assert json.tokens == count_tokens(ask, "mistral-large-latest").tokens == 19
    assert count_tokens(ask, response_format={"type": "text"}).tokens == 31


def test_an_alias_means_what_it_meant_on_a_day():
    ask = ("What is the best French cheese?", "mistral-medium-latest")
    assert count_tokens(*ask, when=datetime.date(2026, 2, 10)).tokens == 10
    assert count_tokens(*ask, when=datetime.date(2026, 8, 10)).tokens == 22
    assert count_tokens(*ask).tokens == 22


def test_an_answer_has_one_mark_and_its_calls_two_each():
    def talk(**answer):
        messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", **answer}]
        return count_tokens(messages, "mistral-large-latest").tokens

    empty = talk(content="")
    assert talk(content="", prefix=True) == empty - 1
    call = {"id": "a", "function": {"name": "hello", "arguments": "{}"}}
    assert talk(content="", tool_calls=[call]) == empty + 1 + 1 + 2
    assert talk(content=[{"type": "thinking", "thinking": "hello"}]) == empty + 1 + 2


@pytest.mark.parametrize(
    ("model", "fields", "error", "says"),
    [
        ("mistral-large-latest", {"tools": [TOOL]}, 2, "144 of 158"),
        ("mistral-small-latest", {"tools": [TOOL]}, 3, "0 of 1"),
        (
            "mistral-medium-latest",
            {"response_format": {"type": "json_object"}},
            None,
            "no recorded",
        ),
        ("codestral-latest", {}, None, "no recorded text call"),
        ("codestral-embed", {}, None, "no recorded text call"),
        ("gpt-4", {}, None, "gpt-4 has another"),
        (
            "mistral-large-latest",
            {"tools": [TOOL], "response_format": {"type": "json_object"}},
            None,
            r"no recorded tools\+JSON call",
        ),
    ],
)
def test_what_is_not_known_to_be_exact_says_so(model, fields, error, says):
    count = count_tokens("hello", model, **fields)
    assert (count.exact, count.error) == (False, error)
    assert re.search(says, count.how)


CALL = {"id": "abcdefghi", "function": {"name": "capital", "arguments": "{}"}}
THOUGHT = [{"type": "thinking", "thinking": "Peru."}, {"type": "text", "text": "Lima"}]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"content": "", "tool_calls": [CALL]}, "result"),
        ({"content": THOUGHT}, "parts"),
        ({"content": "Lima", "prefix": True}, "prefix"),
    ],
)
def test_what_was_never_recorded_is_not_called_exact(answer, kind):
    messages = [{"role": "user", "content": "Capital of Peru?"}, {"role": "assistant", **answer}]
    count = count_tokens(messages, "mistral-large-latest")
    assert (count.exact, count.error) == (False, None)
    assert f"no recorded {kind} call" in count.how


def test_pictures_are_left_out_and_this_is_said():
    picture = {"type": "image_url", "image_url": "https://example.com/a.png"}
    content = [{"type": "text", "text": "hello"}, picture]
    count = count_tokens([{"role": "user", "content": content}], "mistral-large-latest")
    assert (count.tokens, count.exact, count.error) == (4, False, 917)


@pytest.mark.parametrize(
    ("messages", "model", "error", "says"),
    [
        ("hello", "mistral-smal-latest", ValueError, "Near names: mistral-small-latest"),
        ([], "mistral-small-latest", ValueError, "empty"),
        (["hello"], "mistral-small-latest", TypeError, "list of"),
        (None, "mistral-embed", TypeError, "list of texts"),
        ([{"content": "Hi"}], "mistral-small-latest", ValueError, "fault: KeyError.'role'"),
        ([{"role": "user", "content": 3}], "mistral-small-latest", ValueError, "have a fault"),
        ([{"role": "owner", "content": ""}], "mistral-small-latest", ValueError, "role 'owner'"),
        ([{"role": "user"}], "mistral-embed", TypeError, "list of texts"),
        ([{"role": "assistant", "content": "Hi"}], "open-mistral-7b", ValueError, "can't tokenize"),
    ],
)
def test_bad_input_is_named(messages, model, error, says):
    with pytest.raises(error, match=says):
        count_tokens(messages, model)


@pytest.mark.parametrize(
    "fields", [{"tools": [{"type": "web_search"}]}, {"tools": TOOL}, {"response_format": "json"}]
)
def test_fields_that_no_model_takes_are_named(fields):
    with pytest.raises(ValueError, match="tools or response_format have a fault"):
        count_tokens("hello", **fields)


def test_the_evidence_fits_the_table_of_models():
    path = Path(__file__).parent.parent / "data" / "measured" / "token_counts.csv"
    with path.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    table = helpers.models().set_index("id")
    for row in rows:
        assert isinstance(table.loc[row["id"], "tokenizer"], str), row["id"]
        assert 0 <= int(row["exact"]) <= int(row["calls"])
        assert (row["exact"] == row["calls"]) == (row["most_off"] == "0")
    assert len({(row["id"], row["kind"]) for row in rows}) == len(rows)


def test_a_tokenizer_is_loaded_once():
    assert tokenizer("v3 tekken") is tokenizer("v3 tekken")
