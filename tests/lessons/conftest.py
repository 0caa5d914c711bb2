"""What the tests of lessons share."""

import sys

import pytest

from tests.lessons.cells import Lesson, in_notebooks


@pytest.fixture
def lesson():
    """A function that opens a lesson by its name, in the notebooks' folder, as a learner would."""
    with in_notebooks():
        yield Lesson


@pytest.fixture(autouse=True)
def no_figures_left():
    """An edit that ends in an error leaves its figure open."""
    yield
    if plt := sys.modules.get("matplotlib.pyplot"):
        plt.close("all")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """What runs cells of a lesson is slow."""
    for item in items:
        if item.path.parent.name == "lessons" and "lesson" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)
