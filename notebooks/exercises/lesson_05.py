"""Checks of lesson 05, Embeddings."""

import functools
import inspect
import warnings

import numpy as np
import pandas as pd

from . import NOTEBOOKS, exercise
from .values import a_kind, close, is_number, wrong_letters

SENTENCES = pd.read_csv(NOTEBOOKS.parent / "data/sentences.csv")
TOPIC, GROUP = SENTENCES["topic"].to_numpy(), SENTENCES["group"].to_numpy()
ENGLISH = int((SENTENCES["language"] == "en").sum())
NOT_ALL = (
    f"The table `pairs` is not that of all {len(TOPIC)} sentences: load all of them, and run the cells "
    "from there to `pairs` again."
)


@exercise(
    "Plan the requests, and price them",
    hints=(
        "There are two limits. Which of them is reached first?",
        "A text is sent whole: how many of 200 tokens fit below 16,384?",
        "Multiply all tokens by the price of a million, and divide by a million.",
    ),
)
def cost(requests, dollars):
    if not is_number(requests) or requests != requests // 1:
        return f"The number of requests is a whole number. It is {requests!r}."
    # `helpers.price` gives both currencies.
    dollars = getattr(dollars, "usd", dollars)
    if not is_number(dollars):
        return f"The price is a number of dollars. It is {dollars!r}."
    if requests == 196:
        return "196 requests of 256 texts: each has 51,200 tokens, and would be refused."
    if requests == 611:
        return "611 is all tokens by 16,384. But a text can't be divided between two requests."
    if requests == 617:
        return "After 617 requests of 81 texts, 23 texts are left."
    if requests != 618:
        return f"Not {requests:,} requests: see how many texts of 200 tokens fit into one."
    if not close(dollars, 1.0):
        return f"10 million tokens don't cost {dollars:,.6g} dollars at 0.10 dollars a million."
    return None


@exercise(
    "Find two sentences that only seem alike",
    hints=(
        "`pairs[pairs['kind'] == 'different topics']` has the pairs that count.",
        "`idxmax` gives the row with the highest cosine. Its `first` and `second` are rows of `sentences`.",
        "The median is that of the same pairs, and not of all.",
    ),
    takes_table=True,
)
def closest(pairs, texts, gap):
    if not isinstance(pairs, pd.DataFrame):
        return f"The first argument is the lesson's table `pairs`. This is {a_kind(pairs)}."
    if len(pairs) != ENGLISH * (ENGLISH - 1) // 2:
        return NOT_ALL
    if not isinstance(texts, list | tuple | set | np.ndarray) or len(texts) != 2:
        return "`texts` holds two sentences."
    rows = [SENTENCES.index[SENTENCES["text"] == text] for text in texts]
    if all(isinstance(text, int | np.integer) for text in texts):
        return "These are numbers of rows. `sentences['text'][number]` is the sentence."
    if not all(map(len, rows)):
        return "Write the sentences word for word, as they stand in `sentences`."
    one, other = (row[0] for row in rows)
    if TOPIC[one] == TOPIC[other]:
        return f"Both sentences are about {TOPIC[one]}."
    strangers = pairs[pairs["kind"] == "different topics"]
    best = strangers.loc[strangers["cosine"].idxmax()]
    if {one, other} != {best["first"], best["second"]}:
        return f"There are two with a higher cosine, of {best['cosine']:.2f}."
    right = best["cosine"] - strangers["cosine"].median()
    if not is_number(gap):
        return f"`gap` is a number. It is {gap!r}."
    if abs(gap - best["cosine"]) <= 0.005 < abs(gap - right):
        return "This is their cosine, and not how far it is above the median."
    if abs(gap - right) > 0.005:
        return f"Their cosine is not {gap:.3g} above the median of the pairs on different topics."
    return None


@exercise(
    "Find the range of the colours",
    hints=(
        "`np.quantile(values, [0.02, 0.98])` gives both ends.",
        "On the diagonal, each text is compared with itself.",
        "`matrix[~np.eye(len(matrix), dtype=bool)]` is all but the diagonal.",
    ),
)
def colours(function):
    if not callable(function):
        return f"Define a function. This is {a_kind(function)}."
    for seed in (0, 1):
        points = np.random.default_rng(seed).normal(size=(12, 5))
        points /= np.linalg.norm(points, axis=1, keepdims=True)
        matrix = points @ points.T
        got = function(matrix.copy())
        if np.shape(got) != (2,):
            return f"It returns two numbers, the lowest and the highest. It returned {got!r}."
        apart = ~np.eye(len(matrix), dtype=bool)
        ways = (matrix[apart], matrix[np.triu(apart)])
        if not any(np.allclose(got, np.quantile(way, [0.02, 0.98])) for way in ways):
            return wrong_range(got, matrix, matrix[apart])
    return None


def wrong_range(got, matrix, apart):
    """What is wrong with a range of colours."""
    if np.allclose(got, np.quantile(matrix, [0.02, 0.98])):
        return "The diagonal is among the numbers: each text with itself, at 1."
    if np.allclose(got, [apart.min(), apart.max()]):
        return (
            "This is the range of all cosines. The most extreme 2% at each end should stay outside."
        )
    if np.allclose(got, [0, 1]) or np.allclose(got, [-1, 1]):
        return "A fixed range drowns the differences."
    return f"The 2nd and 98th percentile are not {got[0]:.3f} and {got[1]:.3f}."


@exercise(
    "Read a map with care",
    hints=(
        "t-SNE keeps neighbours together. What else it shows may mean nothing.",
        "On a PCA map distances can only shrink.",
        "Two heatmaps have the same colours only if they have the same range.",
    ),
    words=(*"ABCDE", True, False),
)
def maps(allowed):
    why = {
        "A": (True, "t-SNE arranges the points so that neighbours stay neighbours"),
        "B": (False, "the distance between two clusters may mean nothing"),
        "C": (False, "the size of a cluster may mean nothing"),
        "D": (True, "a projection can bring points closer, but never push them apart"),
        "E": (False, "each heatmap has a range of its own, and each model a floor of its own"),
    }
    return wrong_letters(allowed, why)


@exercise(
    "Repair a test that is too easy",
    hints=(
        "Which sentences must not be divided between training and test?",
        "scikit-learn has splitters with `Group` in their names.",
        "`StratifiedGroupKFold` and `GroupKFold` keep each group on one side.",
    ),
)
def splitter(folds):
    if inspect.isclass(folds):
        return f"This is a class. Make a splitter of it: {folds.__name__}(5, ...)."
    if not hasattr(folds, "split") or isinstance(folds, str | bytes):
        return f"A splitter of scikit-learn is wanted. This is {a_kind(folds)}."
    tested = []
    with warnings.catch_warnings():
        # A splitter that ignores groups warns of it, and is reported below.
        warnings.simplefilter("ignore")
        parts = list(folds.split(np.zeros((len(TOPIC), 1)), TOPIC, GROUP))
    for train, test in parts:
        for number in test:
            if twins := [other for other in train if GROUP[other] == GROUP[number]]:
                texts = SENTENCES["text"]
                return (
                    f"{texts[twins[0]]!r} is in a training part, while {texts[number]!r}, which says "
                    "the same, is in its test part."
                )
        tested.append(len(test))
    if len(tested) != 5 or sum(tested) != len(TOPIC):
        return f"It makes {len(tested)} parts with {sum(tested)} sentences, and not 5 with 120."
    return None


@exercise(
    "Compare two classifiers test by test",
    hints=(
        "`cross_val_score(machine, vectors, topic, cv=f, groups=group)` for each f of `repeats`.",
        "Subtract the two arrays of 40: the same place is the same test.",
        "`(gain > 0).sum()` counts the tests in which it is better.",
    ),
)
def machine(vectors, mean, better):
    if np.shape(vectors)[:1] != (len(TOPIC),):
        return "The first argument is the lesson's array `vectors`, of the 120 sentences."
    if not is_number(mean):
        return f"The mean difference is a number. It is {mean!r}."
    gain = machine_gain(vectors)
    if abs(mean + gain.mean()) <= 0.0051 < abs(mean):
        return "The sign is wrong: subtract the nearest centroid from the machine."
    if abs(mean - gain.mean()) > 0.0051:
        return f"The machine is not {mean:+.2f} better on average, in these 40 tests."
    if better != (gain > 0).sum():
        hint = " Don't count ties." if better == (gain >= 0).sum() else ""
        return f"It is not better in {better} of the 40 tests.{hint}"
    return None


def machine_gain(vectors):
    """The support vector machine's accuracy in each of the lesson's tests, minus the centroid's."""
    vectors = np.asarray(vectors)
    return _gain(vectors.tobytes(), vectors.dtype.str, vectors.shape)


# It takes a second, and the next try has the same vectors.
@functools.lru_cache(2)
def _gain(content, kind, shape):
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_score
    from sklearn.neighbors import NearestCentroid
    from sklearn.svm import SVC

    vectors = np.frombuffer(content, kind).reshape(shape)
    repeats = [StratifiedGroupKFold(5, shuffle=True, random_state=seed) for seed in range(8)]
    scores = [
        [cross_val_score(model, vectors, TOPIC, cv=folds, groups=GROUP) for folds in repeats]
        for model in (SVC(kernel="linear", C=10), NearestCentroid())
    ]
    return np.concatenate(scores[0]) - np.concatenate(scores[1])


@exercise(
    "See what a floor changes",
    hints=(
        "`cosine_similarity(raised)` has all cosines. Leave out each sentence with itself.",
        "`np.where(apart, matrix, -1).argmax(axis=1)` is the nearest neighbour of each.",
        "Compare the neighbours with those in `similarity`, and count the differences.",
    ),
)
def floor(vectors, changed):
    if np.ndim(vectors) != 2:
        return "The first argument is the lesson's array `vectors`."
    if not isinstance(changed, dict) or set(changed) != {"raised", "centred"}:
        return "A dict with two numbers is wanted, for 'raised' and for 'centred'."
    for what, number in changed.items():
        if not is_number(number):
            return f"{what}: a number of sentences is wanted. It is {number!r}."
    raised = np.column_stack([0.67 * vectors, np.full(len(vectors), 0.74)])
    before = neighbours(vectors)
    for what, these in {"raised": raised, "centred": raised - raised.mean(axis=0)}.items():
        if changed[what] == (neighbours(these) == before).sum():
            return f"{what}: this counts those that stayed."
        if changed[what] != (neighbours(these) != before).sum():
            return f"{what}: not {changed[what]!r} sentences get another nearest neighbour."
    return None


def neighbours(vectors):
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return (unit @ unit.T - 9 * np.eye(len(unit))).argmax(axis=1)


@exercise(
    "Choose a threshold for a program that deletes",
    hints=(
        "No pair that is not a paraphrase may reach the threshold.",
        "What is the highest cosine of a pair that is no paraphrase?",
        "Take the lowest cosine of a paraphrase above that.",
    ),
    takes_table=True,
)
def threshold(pairs, chosen):
    if not isinstance(pairs, pd.DataFrame):
        return f"The first argument is the lesson's table `pairs`. This is {a_kind(pairs)}."
    if len(pairs) != ENGLISH * (ENGLISH - 1) // 2:
        return NOT_ALL
    if not is_number(chosen):
        return f"A threshold is a number. It is {chosen!r}."
    found, true = pairs["cosine"] >= chosen, pairs["paraphrase"]
    if wrong := (found & ~true).sum():
        return f"At {chosen:.3f}, {found.sum()} pairs are found, and {wrong} of them should not be."
    best = (true & (pairs["cosine"] > pairs.loc[~true, "cosine"].max())).sum()
    if (found & true).sum() < best:
        return f"At {chosen:.3f}, no pair is wrong, but {best - found.sum()} are missed needlessly."
    return None
