"""Lines compared with one another: duplicates, contradictions, near-duplicates."""

import itertools
import random
from pathlib import Path

import pandas as pd
import pytest

from helpers import finetuning
from helpers.finetuning import duplicates, rules
from tests.finetuning.examples import good, save, speech, talk

SAME_BUT_FOR_CASE = {2: ["duplicate but for whitespace or case"]}


def test_duplicates_and_contradictions_are_told_apart(reasons):
    one = good(1)
    other_order = {"messages": [dict(reversed(m.items())) for m in one["messages"]]}
    spaced = talk(one["messages"][0]["content"].replace(" ", "\n "), one["messages"][1]["content"])
    contradiction = talk(one["messages"][0]["content"], speech("otherwise"))
    assert reasons(one, good(2), one, other_order, spaced, contradiction, one) == {
        3: ["duplicate"],
        4: ["duplicate"],
        5: ["duplicate but for whitespace or case"],
        6: ["contradiction"],
        7: ["duplicate"],
    }


def test_capital_letters_make_no_contradiction(reasons):
    question, answer = "How long is the warranty?", "Six months from the day of collection."
    assert reasons(talk(question, answer), talk(question.upper(), answer.lower())) == (
        SAME_BUT_FOR_CASE
    )


def test_whitespace_and_case_of_all_languages_count_as_the_same(reasons):
    question = "Was kostet der Versand ins große Zürich?"
    for again in (
        "Was kostet der Versand\u00a0ins große\u2003Zürich?",
        "WAS KOSTET DER VERSAND INS GROSSE ZÜRICH?",
        "Was kostet der Versand ins große Zu\u0308rich?",
    ):
        assert reasons(talk(question, "Nichts."), talk(again, "Nichts.")) == SAME_BUT_FOR_CASE
        samples = [talk(question, "Nichts."), talk(again, "Zwölf Euro."), *map(good, range(8))]
        for seed in range(5):
            parts = finetuning.split(samples, {"a": 0.5, "b": 0.5}, seed=seed)
            assert sum(samples[0] in part and samples[1] in part for part in parts.values()) == 1


def test_whitespace_in_ascii_is_the_same_as_beyond():
    text = "".join(map(chr, range(128)))
    assert rules.normalize(text) + "é".encode() == rules.normalize(text + "é")


def test_the_same_text_in_another_system_or_with_other_labels_is_another_sample(reasons):
    one = speech(1)
    assert reasons(good(1, system="Be kind."), good(1, system="Be short.")) == {
        2: ["near-duplicate"]
    }
    assert reasons({"text": one, "labels": {"a": "x"}}, {"text": one, "labels": {"a": "y"}}) == {
        2: ["contradiction"]
    }


def test_weights_and_ids_of_calls_make_no_difference(reasons):
    assert reasons(good(1), good(1, weight=1)) == {2: ["duplicate"]}


# Near-duplicates


@pytest.mark.parametrize(
    ("changed", "share", "recall"), [(4, 0.93, 0.99), (13, 0.8, 0.98), (20, 0.7, 0.94)]
)
def test_most_near_duplicates_become_candidates(changed, share, recall):
    rng = random.Random(5)
    texts = []
    for _ in range(300):
        words = [f"word{rng.randrange(20_000)}" for _ in range(120)]
        texts.append(" ".join(words))
        words[50 : 50 + changed] = [f"other{rng.randrange(20_000)}" for _ in range(changed)]
        texts.append(" ".join(words))
    pairs = {tuple(pair) for pair in duplicates.candidates(duplicates.sketch(texts)).tolist()}
    assert duplicates.similarity(*texts[:2]) == pytest.approx(share, abs=0.03)
    assert sum((n, n + 1) in pairs for n in range(0, 600, 2)) / 300 >= recall


def test_near_duplicates_are_found_at_the_threshold_only(reasons):
    one, two = speech(1), speech(2)
    changed = one.replace(" 1", " one").capitalize() + "!"
    assert reasons(talk(one, two), talk(changed, two)) == {2: ["near-duplicate"]}
    assert not reasons(talk(one, two), talk(changed, two), near=None)
    assert not reasons(talk(one, two), talk(changed, two), near=1.0)


@pytest.mark.parametrize("near", [0, 0.3, 0.49, 1.5, float("nan")])
def test_a_limit_at_which_most_copies_would_be_missed_is_refused(tmp_path, near):
    path = save(tmp_path / "data.jsonl", talk("a", "b"))
    for refuse in (finetuning.check, finetuning.split):
        with pytest.raises(ValueError, match=rf"near is {near}: give 0\.5 to 1, or None"):
            refuse(path, near=near)


def test_nearly_the_same_answer_is_both_a_contradiction_and_a_near_duplicate(reasons):
    one, two = speech(1), speech(2)
    both = {2: ["contradiction", "near-duplicate"]}
    assert reasons(talk(one, two), talk(one, two.replace(" 2", " two"))) == both
    assert reasons(talk(one, two), talk(one, speech(3, 120))) == {2: ["contradiction"]}


def test_near_duplicates_are_found_in_all_scripts(reasons):
    pairs = [
        ("Was kostet der Versand – zu Ihnen?", "„Was kostet der Versand“ zu Ihnen?"),
        ("我的订单什么时候会到?我上周买了一件蓝色的雨衣,今天还没有收到。",) * 2,
        ("注文した青いレインコートがまだ届きません。いつ届きますか。",) * 2,
    ]
    for one, other in pairs:
        other = other.replace("蓝", "红").replace("青", "赤")
        assert reasons({"text": one}, {"text": other}) == {2: ["near-duplicate"]}
        assert not reasons({"text": one}, {"text": "".join(sorted(other))})


def test_a_long_system_prompt_in_common_makes_no_near_duplicates(reasons):
    system = speech("system", 800)
    assert not reasons(*(good(n, system=system) for n in range(50)))


@pytest.mark.parametrize(("count", "changes"), [(16, 1), (26, 2), (40, 3)])
def test_a_changed_word_or_two_make_a_near_duplicate(tmp_path, count, changes):
    rng, lines = random.Random(2), []
    for _ in range(100):
        words = [f"word{rng.randrange(20_000)}" for _ in range(count)]
        lines.append({"text": " ".join(words)})
        for at in rng.sample(range(count), changes):
            words[at] = "otherwise"
        lines.append({"text": " ".join(words)})
    report = finetuning.check(save(tmp_path / "data.jsonl", *lines))
    assert {p.line % 2 for p in report.problems} == {0}
    assert report.counts["near-duplicate"] >= 94


def test_cases_of_one_template_are_no_near_duplicates(tmp_path):
    lines = [
        talk(f"This is question {n}, can you help me with it?", f"This is answer {n} to that.")
        for n in range(100)
    ]
    assert finetuning.check(save(tmp_path / "data.jsonl", *lines)).ok


def test_different_conversations_are_no_near_duplicates(tmp_path):
    """Those of the lesson without planted problems: no two share more than 18% of their bigrams."""
    data = Path(__file__).parents[2] / "data"
    rows = pd.read_csv(data / "support_conversations.csv", keep_default_na=False)
    planted = pd.read_csv(data / "support_conversations_planted.csv")["ticket"]
    texts = rows.loc[~rows["ticket"].isin(planted), ["customer", "agent"]].to_numpy().tolist()
    lines = [talk(*pair) for pair in texts]
    assert len(lines) > 250
    found = [set(itertools.pairwise(duplicates.words(f"{r[0]}\n{r[1]}"))) for r in texts]
    shares = [len(a & b) / len(a | b) for a, b in itertools.combinations(found, 2)]
    assert max(shares) < 0.185
    assert finetuning.check(save(tmp_path / "data.jsonl", *lines), near=0.5).ok


def test_a_chain_of_near_duplicates_counts_from_its_first_line(tmp_path):
    """Each is a little further away: those too far from the first line stay."""
    parts, lines = speech(1, 100).split(), []
    for step in range(12):
        parts[step * 8] = f"changed{step}"
        lines.append({"text": " ".join(parts)})
    report = finetuning.check(save(tmp_path / "data.jsonl", *lines), near=0.8)
    flagged = {problem.line for problem in report.problems}
    for number, line in enumerate(lines, 1):
        before = [
            other["text"] for n, other in enumerate(lines[: number - 1], 1) if n not in flagged
        ]
        if number in flagged:
            assert max(duplicates.similarity(line["text"], text) for text in before) >= 0.8
    assert 0 < len(flagged) < 11


def test_texts_without_words_are_no_near_duplicates(reasons):
    assert not reasons({"text": "?"}, {"text": "!"}, {"text": "..."}, {"text": "a"})


def test_most_near_duplicates_are_found_and_nothing_else_is(tmp_path):
    rng, lines, wanted = random.Random(1), [], set()
    for seed in range(1000):
        lines.append(good(seed))
        if seed % 10 == 0:
            words = lines[-1]["messages"][0]["content"].split()
            words[rng.randrange(60)] = "otherwise"
            lines.append(talk(" ".join(words), lines[-1]["messages"][1]["content"]))
            wanted.add(len(lines))
    found = {p.line for p in finetuning.check(save(tmp_path / "data.jsonl", *lines)).problems}
    assert found <= wanted
    assert len(found) >= 0.99 * len(wanted)
