"""The support conversations have the problems that are listed, and no others of these kinds."""

import csv
import datetime
import re
from collections import Counter
from itertools import combinations
from pathlib import Path

import pandas as pd
import pytest

from helpers import finetuning
from helpers.finetuning import secrets

DATA = Path(__file__).parent.parent / "data"
TEXTS = ("customer", "agent", "customer_2", "agent_2")
LABELS = ["booking", "rental", "payment", "repair", "parts", "warranty"]
# What a customer's text must not have in training data, or an export must not have at all.
PATTERNS = {
    "email": secrets.PATTERNS["e-mail address"][2],
    "phone": secrets.PATTERNS["phone number"][2],
    "api_key": secrets.PATTERNS["API key"][2],
    "html": r"</?[a-z]+ ?/?>|&[a-z#0-9]+;",
    "mojibake": r"[ÂÃ][\x80-\xbf€™¤Ÿ¼¶]",
    "nbsp": r"\xa0",
    "control_character": r"[\x00-\x08\x0b-\x1f\ufeff]",
    "boilerplate": r"\n\n(Kind regards|--\n|Best wishes from)|Sent from my phone",
}
# Numbers that the regulators of France, the United Kingdom and Germany keep free for fiction.
FICTION = (
    r"(?:\+33|0)(?:19900|26191|35301|46571|53649|63998)\d{4}"
    r"|0?7700900\d{3}|0?2079460\d{3}|\+493023125\d{3}|017139200\d{2}"
)


def rows(name):
    with (DATA / name).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


CONVERSATIONS = {row["ticket"]: row for row in rows("support_conversations.csv")}
PLANTED = rows("support_conversations_planted.csv")


def planted(fault):
    return {row["ticket"] for row in PLANTED if row["fault"] == fault}


def pairs(fault):
    return [
        (CONVERSATIONS[row["ticket"]], CONVERSATIONS[row["of"]])
        for row in PLANTED
        if row["fault"] == fault
    ]


def texts(row):
    return [row[column] for column in TEXTS]


def plain(text):
    return " ".join(text.lower().split())


def shingles(text):
    words = re.findall(r"\w+", text.lower())
    return {tuple(words[i : i + 3]) for i in range(max(1, len(words) - 2))}


def jaccard(a, b):
    return len(a & b) / len(a | b)


def test_each_conversation_is_one_row():
    table = rows("support_conversations.csv")
    assert list(table[0]) == ["ticket", "date", "channel", "topic", *TEXTS, "rating"]
    assert [row["ticket"] for row in table] == [f"t{i:04d}" for i in range(1, 387)]
    dates = [datetime.date.fromisoformat(row["date"]) for row in table]
    assert dates == sorted(dates)
    assert {row["channel"] for row in table} == {"email", "chat", "form", "letter"}
    assert {row["rating"] for row in table} == {"", "1", "2", "3", "4", "5"}


def test_pandas_reads_every_cell_with_keep_default_na():
    path = DATA / "support_conversations.csv"
    read = pd.read_csv(path, keep_default_na=False, dtype=str)
    assert read.to_dict("records") == list(CONVERSATIONS.values())
    lost = pd.read_csv(path)["agent"].isna() & (read["agent"] != "")
    assert set(read["agent"][lost]) == {"N/A", "n/a"}


def test_planted_problems_are_listed_once_and_counted():
    listed = [(row["ticket"], row["fault"], row["of"]) for row in PLANTED]
    assert listed == sorted(set(listed))
    assert {row["ticket"] for row in PLANTED} <= set(CONVERSATIONS)
    assert Counter(row["fault"] for row in PLANTED) == {
        "empty_customer": 3,
        "empty_agent": 4,
        "no_answer": 6,
        "placeholder": 6,
        "swapped": 3,
        "exact_duplicate": 6,
        "spacing_duplicate": 5,
        "near_duplicate": 12,
        "contradiction": 6,
        "email": 8,
        "phone": 8,
        "name": 9,
        "address": 5,
        "api_key": 3,
        "html": 9,
        "mojibake": 6,
        "nbsp": 4,
        "control_character": 4,
        "boilerplate": 12,
        "topic_spelling": 15,
        "too_long": 1,
    }
    with_partner = {row["fault"] for row in PLANTED if row["of"]}
    assert with_partner == {
        "exact_duplicate",
        "spacing_duplicate",
        "near_duplicate",
        "contradiction",
    }


@pytest.mark.parametrize("fault", PATTERNS)
def test_a_pattern_finds_what_is_planted_and_nothing_else(fault):
    found = {
        ticket
        for ticket, row in CONVERSATIONS.items()
        if any(re.search(PATTERNS[fault], text) for text in texts(row))
    }
    assert found == planted(fault)


def test_names_and_addresses_are_only_where_they_are_planted():
    street = r"\b\d+ (bis )?(rue|chemin|allée|impasse) |straße \d+"
    found = {t for t, row in CONVERSATIONS.items() if re.search(street, row["customer"])}
    assert found == planted("address") <= planted("name")
    for ticket in planted("name"):
        assert re.search(r"[A-Z][a-zé]+[ -][A-Z][a-zé]+", CONVERSATIONS[ticket]["customer"])


def whole_matches(name, text):
    return [match[0] for match in re.finditer(PATTERNS[name], text)]


def test_personal_data_reaches_nobody():
    for name in ("support_conversations.csv", "tickets.csv"):
        for row in rows(name):
            text = " ".join(row.values())
            for address in whole_matches("email", text):
                assert re.search(r"[@.]example\.(com|org)$", address.lower()), address
            for host in re.findall(r"\b[\w-]+\.(?:com|org|net|fr|de|eu|io|ai)\b", text.lower()):
                assert host in ("example.com", "example.org"), host
            for number in whole_matches("phone", text):
                assert re.fullmatch(FICTION, re.sub(r"[ .()]", "", number)), number
            for key in whole_matches("api_key", text):
                assert re.search("example", key, re.IGNORECASE), key


def test_empty_turns_are_all_listed():
    for fault, column in (("empty_customer", "customer"), ("empty_agent", "agent")):
        assert {t for t, row in CONVERSATIONS.items() if not row[column]} == planted(fault)
    unanswered = {t for t, row in CONVERSATIONS.items() if row["customer_2"] and not row["agent_2"]}
    assert unanswered == planted("no_answer")
    assert not any(row["agent_2"] and not row["customer_2"] for row in CONVERSATIONS.values())
    assert all(text == "" or text.strip() for row in CONVERSATIONS.values() for text in texts(row))


def test_placeholders_are_replies_without_a_sentence():
    short = {
        t
        for t, row in CONVERSATIONS.items()
        if row["agent"] and not re.search(r"[.?]", row["agent"])
    }
    assert short == planted("placeholder")


def test_swapped_rows_have_the_question_in_the_reply():
    for ticket in planted("swapped"):
        row = CONVERSATIONS[ticket]
        assert "?" in row["agent"] and "?" not in row["customer"]


def test_duplicates_of_each_kind_differ_as_their_name_says():
    for one, other in pairs("exact_duplicate"):
        assert texts(one) == texts(other)
    for one, other in pairs("spacing_duplicate"):
        assert texts(one) != texts(other)
        assert list(map(plain, texts(one))) == list(map(plain, texts(other)))
    for one, other in pairs("near_duplicate"):
        assert list(map(plain, texts(one))) != list(map(plain, texts(other)))
        assert 0.6 < jaccard(shingles(" ".join(texts(one))), shingles(" ".join(texts(other)))) < 1


@pytest.mark.slow
def test_nothing_else_is_a_near_duplicate():
    known = {frozenset((row["ticket"], row["of"])) for row in PLANTED if row["of"]}
    for columns in (TEXTS, ("customer",), ("agent",)):
        cut = {
            ticket: shingles(" ".join(row[column] for column in columns))
            for ticket, row in CONVERSATIONS.items()
            if all(row[column] for column in columns[:2]) and ticket not in planted("placeholder")
        }
        for a, b in combinations(cut, 2):
            assert frozenset((a, b)) in known or jaccard(cut[a], cut[b]) <= 0.5, (a, b)


@pytest.mark.slow
def test_contradictions_answer_one_question_differently():
    for wrong, right in pairs("contradiction"):
        assert wrong["customer"] == right["customer"]
        assert jaccard(shingles(wrong["agent"]), shingles(right["agent"])) < 0.5
    known = {frozenset((row["ticket"], row["of"])) for row in PLANTED if row["of"]}
    for a, b in combinations((r for r in CONVERSATIONS.values() if r["customer"]), 2):
        if plain(a["customer"]) == plain(b["customer"]):
            assert frozenset((a["ticket"], b["ticket"])) in known


def test_topics_are_labels_except_for_planted_spellings():
    assert [row["label"] for row in rows("support_labels.csv")] == LABELS
    odd = {t for t, row in CONVERSATIONS.items() if row["topic"] not in LABELS}
    assert odd == planted("topic_spelling")
    near = {"rentals": "rental", "repairs": "repair", "payments": "payment"}
    topics = [row["topic"].strip().lower() for row in CONVERSATIONS.values()]
    count = Counter(near.get(topic, topic) for topic in topics)
    assert count.pop("guarantee") == 1
    assert set(count) == set(LABELS) and count["rental"] > 2.5 * count["warranty"]


def test_lengths_vary_and_one_conversation_is_too_long():
    length = {t: sum(len(text.split()) for text in texts(r)) for t, r in CONVERSATIONS.items()}
    assert {t for t, words in length.items() if words > 1000} == planted("too_long")
    (ticket,) = planted("too_long")
    assert len(CONVERSATIONS[ticket]["customer"].encode()) < 40_000
    assert sum(300 <= words <= 1000 for words in length.values()) >= 4
    assert sum(words < 20 for words in length.values()) >= 10
    for name in ("support_conversations.csv", "support_conversations_planted.csv", "tickets.csv"):
        assert (DATA / name).stat().st_size < 400_000


def test_tickets_are_balanced_and_a_quarter_is_hard():
    tickets = rows("tickets.csv")
    assert list(tickets[0]) == ["id", "text", "label", "hard"]
    assert [row["id"] for row in tickets] == [f"m{i:03d}" for i in range(1, 101)]
    count = Counter(row["label"] for row in tickets)
    assert set(count) == set(LABELS) and all(12 <= n <= 20 for n in count.values())
    hard = Counter(row["label"] for row in tickets if row["hard"] == "1")
    assert {row["hard"] for row in tickets} == {"0", "1"} and sum(hard.values()) == 25
    assert all(hard[label] >= 4 for label in LABELS)
    assert all(row["text"].strip() == row["text"] != "" for row in tickets)


@pytest.mark.slow
def test_tickets_share_no_text_with_conversations():
    tickets = {row["id"]: shingles(row["text"]) for row in rows("tickets.csv")}
    asked = [shingles(text) for row in CONVERSATIONS.values() for text in texts(row) if text]
    for name, cut in tickets.items():
        others = [other for key, other in tickets.items() if key != name]
        assert max(jaccard(cut, other) for other in (*asked, *others)) < 0.3, name


def test_check_finds_each_planted_problem_that_it_looks_for(tmp_path):
    lines = []
    for row in CONVERSATIONS.values():
        turns = [("user", row["customer"]), ("assistant", row["agent"])]
        if row["customer_2"] or row["agent_2"]:
            turns += [("user", row["customer_2"]), ("assistant", row["agent_2"])]
        lines.append({"messages": [{"role": role, "content": text} for role, text in turns]})
    finetuning.write(lines, tmp_path / "data.jsonl")
    report = finetuning.check(tmp_path / "data.jsonl", near=0.5, context=4096)
    tickets = list(CONVERSATIONS)
    found = {(tickets[problem.line - 1], problem.reason) for problem in report.problems}
    reasons = {
        "empty_customer": "empty content",
        "empty_agent": "empty content",
        "no_answer": "empty content",
        "exact_duplicate": "duplicate",
        "spacing_duplicate": "duplicate but for whitespace or case",
        "near_duplicate": "near-duplicate",
        "contradiction": "contradiction",
        "email": "e-mail address",
        "phone": "phone number",
        "api_key": "API key",
        "too_long": "too long",
    }
    wanted = {(row["ticket"], reasons[row["fault"]]) for row in PLANTED if row["fault"] in reasons}
    assert wanted - found == set()
    assert found - wanted == set()
