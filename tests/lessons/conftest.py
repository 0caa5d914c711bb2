"""What the tests of lessons share."""

import pytest

from tests.lessons.cells import Lesson, in_notebooks


@pytest.fixture
def lesson():
    """A function that opens a lesson by its name, in the notebooks' folder, as a learner would."""
    with in_notebooks():
        yield Lesson
