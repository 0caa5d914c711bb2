"""Right and wrong answers to lesson 05's exercises."""

import numpy as np

import helpers
from tests.lessons.solutions import Answers

FROZE = (
    "It was so cold that the lake froze overnight.",
    "A flood of web traffic froze our cloud for an hour.",
)
ALLOWED = {"A": True, "B": False, "C": False, "D": True, "E": False}


def colours(matrix):
    return tuple(np.quantile(matrix[~np.eye(len(matrix), dtype=bool)], [0.02, 0.98]))


def colours_of_half(matrix):
    return np.quantile(matrix[np.triu_indices(len(matrix), k=1)], [0.02, 0.98])


def all_cosines(matrix):
    apart = matrix[~np.eye(len(matrix), dtype=bool)]
    return apart.min(), apart.max()


GAIN = """
from sklearn.svm import SVC
scores = [cross_val_score(SVC(kernel="linear", C=10), vectors, topic, cv=f, groups=group) for f in repeats]
gains = np.concatenate(scores) - accuracy["embeddings"]
"""

SPLITTER = "from sklearn import model_selection\ncheck.splitter(model_selection.{})"

ANSWERS = {
    "cost": Answers(
        right=[
            (618, 1.0),
            (np.ceil(50_000 / 81), 50_000 * 200 * 0.1 / 1e6),
            (618, helpers.price(50_000 * 200, "mistral-embed")),
        ],
        wrong=[
            ((196, 1.0), "51,200 tokens"),
            ((611, 1.0), "can't be divided"),
            ((617, 1.0), "23 texts are left"),
            ((618, 1e6), "don't cost 1e+06"),
            ((618, 0.005), "don't cost 0.005"),
            ((617.3, 1.0), "It is 617.3"),
        ],
    ),
    "closest": Answers(
        right=[
            f"check.closest(pairs, {FROZE}, 0.44)",
            f"check.closest(pairs, {[*FROZE][::-1]}, 0.442)",
        ],
        wrong=[
            (
                "check.closest(pairs, sentences['text'][:2].tolist(), 0.5)",
                "Both sentences are about cooking.",
            ),
            (
                "check.closest(pairs, sentences['text'][[0, 40]].tolist(), 0.5)",
                "two with a higher cosine",
            ),
            (
                f"check.closest(pairs, {FROZE}, pairs['cosine'][0])",
                "above the median of the pairs on",
            ),
            (
                f"check.closest(pairs, {FROZE}, "
                "pairs.loc[pairs['kind'] == 'different topics', 'cosine'].max())",
                "This is their cosine",
            ),
            ("check.closest(pairs, (0, 40), 0.5)", "numbers of rows"),
            # As after the data cell left out a topic.
            (f"check.closest(pairs[:2926], {FROZE}, 0.44)", "not that of all 120 sentences"),
            ("check.closest(pairs, ('It was cold.', 'It froze.'), 0.44)", "word for word"),
        ],
    ),
    "colours": Answers(
        right=[(colours,), (colours_of_half,)],
        wrong=[
            ((lambda matrix: np.quantile(matrix, [0.02, 0.98]),), "The diagonal is among"),
            ((all_cosines,), "range of all cosines"),
            ((lambda matrix: (0, 1),), "A fixed range"),
            ((lambda matrix: colours(matrix)[::-1],), "percentile are not"),
            ((lambda matrix: matrix.max(),), "two numbers"),
        ],
    ),
    "maps": Answers(
        right=[
            (ALLOWED,),
            (dict(reversed(ALLOWED.items())),),
            ({letter.lower(): int(answer) for letter, answer in ALLOWED.items()},),
        ],
        wrong=[
            ((ALLOWED | {"B": True},), "B is not True: the distance between two clusters"),
            ((ALLOWED | {"D": False},), "D is not False: a projection"),
            ((ALLOWED | {"E": 1},), "E is not True"),
            ((ALLOWED | {"E": 2},), "E is 2; answer with True or False"),
        ],
    ),
    "splitter": Answers(
        right=[
            SPLITTER.format("StratifiedGroupKFold(5, shuffle=True, random_state=0)"),
            SPLITTER.format("GroupKFold(5)"),
        ],
        wrong=[
            (
                SPLITTER.format("StratifiedKFold(5, shuffle=True, random_state=0)"),
                "which says the same",
            ),
            (SPLITTER.format("StratifiedGroupKFold"), "This is a class"),
            (SPLITTER.format("GroupKFold(3)"), "It makes 3 parts"),
            (SPLITTER.format("GroupShuffleSplit(5, random_state=0)"), "and not 5 with 120"),
            ((5,), "A splitter of scikit-learn"),
        ],
    ),
    "machine": Answers(
        right=[
            GAIN + "check.machine(vectors, gains.mean(), (gains > 0).sum())",
            "check.machine(vectors, -0.04, 8)",
        ],
        wrong=[
            ("check.machine(vectors, 0.04, 8)", "The sign is wrong"),
            ("check.machine(vectors, -0.04, 28)", "not better in 28"),
            ("check.machine(vectors, -0.04, 12)", "Don't count ties"),
            ("check.machine(vectors, accuracy['embeddings'].mean(), 8)", "not +0.64 better"),
        ],
    ),
    "floor": Answers(
        right=[
            "check.floor(vectors, {'raised': 0, 'centred': 11})",
            "check.floor(2 * vectors, {'centred': 11.0, 'raised': 0.0})",
        ],
        wrong=[
            ("check.floor(vectors, {'raised': 120, 'centred': 11})", "those that stayed"),
            ("check.floor(vectors, {'raised': 0, 'centred': 0})", "centred: not 0 sentences"),
            ((np.eye(3), {"raised": 0}), "two numbers"),
            ((np.eye(3), {"raised": "none", "centred": "some"}), "It is 'none'"),
        ],
    ),
    "threshold": Answers(
        right=[
            "check.threshold(pairs, pairs.loc[~pairs['paraphrase'], 'cosine'].max() + 1e-6)",
            "check.threshold(pairs, min(c for c in pairs.loc[pairs['paraphrase'], 'cosine'] "
            "if c > pairs.loc[~pairs['paraphrase'], 'cosine'].max()))",
        ],
        wrong=[
            ("check.threshold(pairs.head(0), 0.5)", "not that of all 120 sentences"),
            (
                "check.threshold(pairs, pairs.loc[pairs['paraphrase'], 'cosine'].min())",
                "of them should not be",
            ),
            ("check.threshold(pairs, pairs['cosine'].max())", "missed needlessly"),
            ("check.threshold(pairs, '0.5')", "It is '0.5'"),
        ],
    ),
}
