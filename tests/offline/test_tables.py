"""The tables of the offline API agree with those of the course."""

import numpy as np
import pytest

from helpers.costs.models import find_model
from helpers.offline import answers, models, vectors
from tests.model_ids import problem


def test_the_map_to_1024_dimensions_keeps_every_angle():
    turn = vectors.turn()
    assert turn.shape == (1024, 384)
    assert np.array_equal(turn.T @ turn, np.eye(384))


def test_a_stored_vector_lies_in_the_image_of_the_map():
    turn = vectors.turn()
    (vector,) = np.array(vectors.vectors(["Simmer the soup on low heat for an hour."]), float)
    assert np.abs(turn @ (turn.T @ vector) - vector).max() < 1e-4


def test_a_question_without_a_written_answer_fails():
    with pytest.raises(LookupError, match="No answer is written for 'What\\?'"):
        answers.find([], {"messages": [{"role": "user", "content": "What?"}]})


def test_its_models_are_those_of_the_table():
    names = [(m["name"], name) for m in models.listed() for name in (m["name"], *m["aliases"])]
    assert [name for _, name in names if problem(name)] == []
    assert [(id, name) for id, name in names if find_model(name)["id"] != id] == []
