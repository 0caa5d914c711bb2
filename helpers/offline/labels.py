"""Stand-in labels for the tickets of lesson 09: a count of words, not a language model.

A bag-of-words classifier of scikit-learn gives them, trained on so many of the support conversations of
lesson 08 as the model that it stands for is large. It is there to have something to measure: how well
it does says nothing of Mistral's models.
"""

from __future__ import annotations

import functools
from typing import Any

from ..data import read_table
from . import models

# Conversations. Lesson 09 asks the first, the fourth and the last; those between are there to be tried.
TRAINED_ON = {
    "ministral-3b-2512": 40,
    "ministral-8b-2512": 70,
    "ministral-14b-2512": 100,
    "mistral-small-2603": 130,
    "mistral-medium-3-5": 230,
    "mistral-large-2512": 340,
}
# By how much the best label must be likelier than the second.
SURE = 0.06


def label_of(message: str, system: str, model: str) -> str | None:
    """The label for a message; None where the system prompt lacks a label or nobody stands in for the model.

    "unsure" is a label where the prompt allows it and two are nearly as likely.
    """
    served = models.serving(model)
    if served is None or not all(name in system for name in label_names()):
        return None
    if served["name"] not in TRAINED_ON:
        return None
    fitted = _classifier(TRAINED_ON[served["name"]])
    likely = zip(fitted.predict_proba([message])[0], fitted.classes_, strict=True)
    (second, _), (best, name) = sorted(likely)[-2:]
    return "unsure" if "unsure" in system and best - second < SURE else str(name)


@functools.cache
def label_names() -> frozenset[str]:
    return frozenset(row["label"] for row in read_table("support_labels.csv"))


@functools.cache
def _classifier(size: int) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer  # type: ignore[import-untyped]
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]
    from sklearn.pipeline import make_pipeline  # type: ignore[import-untyped]
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    known = [row for row in read_table("support_conversations.csv") if row["customer"]]
    rows = [row for row in known if row["topic"] in label_names()][:size]
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    model = make_pipeline(words, LogisticRegression(C=10, class_weight="balanced"))
    # As in `vectors.py`.
    with threadpool_limits(1):
        return model.fit([row["customer"] for row in rows], [row["topic"] for row in rows])
