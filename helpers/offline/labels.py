"""Stand-in labels for the tickets of lesson 09: a count of words, not a language model.

A bag-of-words classifier of scikit-learn gives them, trained on so many of the support conversations of
lesson 08 as the model that it stands for is large. It is there to have something to measure: how well
it does says nothing of Mistral's models.
"""

from __future__ import annotations

import csv
import functools
from pathlib import Path

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

DATA = Path(__file__).parent.parent.parent / "data"
TRAINED_ON = {"ministral-3b-latest": 40, "mistral-small-latest": 130, "mistral-large-latest": 340}
SURE = 0.06  # by how much the best label must be likelier than the second to be said


def label(text: str, model: str, unsure: bool) -> str:
    """The label for a message; "unsure" where that is allowed and two are nearly as likely."""
    if model not in TRAINED_ON:
        raise LookupError(f"No stand-in labels for {model}: there are {', '.join(TRAINED_ON)}.")
    classifier = _classifier(TRAINED_ON[model])
    chances = sorted(zip(classifier.predict_proba([text])[0], classifier.classes_, strict=True))
    (second, _), (best, name) = chances[-2:]
    return "unsure" if unsure and best - second < SURE else str(name)


@functools.cache
def _classifier(size: int):
    with (DATA / "support_labels.csv").open(encoding="utf-8", newline="") as lines:
        names = {row["label"] for row in csv.DictReader(lines)}
    with (DATA / "support_conversations.csv").open(encoding="utf-8", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["topic"] in names and row["customer"]]
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    model = make_pipeline(words, LogisticRegression(C=10, class_weight="balanced"))
    return model.fit(
        [row["customer"] for row in rows[:size]], [row["topic"] for row in rows[:size]]
    )
