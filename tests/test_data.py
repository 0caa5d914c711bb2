"""The data of the lessons are complete and fit for what the lessons claim."""

import csv
from collections import Counter
from pathlib import Path

DATA = Path(__file__).parent.parent / "data"


def rows(name):
    with (DATA / name).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def test_the_sentences_are_balanced():
    sentences = rows("sentences.csv")
    assert len(sentences) == len({row["text"] for row in sentences}) == 120
    topics = Counter(row["topic"] for row in sentences)
    assert len(topics) == 8 and set(topics.values()) == {15}
    kinds = Counter((row["topic"], row["kind"]) for row in sentences)
    for topic in topics:
        assert [kinds[topic, kind] for kind in ("base", "paraphrase", "translation", "trap")] == [
            6,
            3,
            4,
            2,
        ]
    assert Counter(
        row["language"] for row in sentences if row["kind"] == "translation"
    ) == dict.fromkeys(("fr", "de", "es", "it"), 8)


def test_groups_of_sentences_have_one_topic_and_one_original():
    groups = {}
    for row in rows("sentences.csv"):
        groups.setdefault(row["group"], []).append(row)
    assert len(groups) == 64
    problems = [
        name
        for name, members in groups.items()
        if len({row["topic"] for row in members}) != 1
        or sum(row["kind"] in ("base", "trap") for row in members) != 1
    ]
    assert problems == []
