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


def test_the_split_of_the_sentences_leaks_nothing():
    sentences = rows("sentences.csv")
    for part in ("split", "topic"):
        assert all(
            len({row[part] for row in sentences if row["group"] == group}) == 1
            for group in {row["group"] for row in sentences}
        )
    test = [row for row in sentences if row["split"] == "test"]
    assert 0.25 < len(test) / len(sentences) < 0.35
    assert len({row["topic"] for row in test}) == 8
