"""What lesson 06 concludes from its simulations also holds for other seeds and numbers of clients."""

import itertools
import statistics
from pathlib import Path

import nbformat
import pytest

NOTEBOOK = Path(__file__).parent.parent / "notebooks" / "06_errors_and_backoff.ipynb"


@pytest.fixture(scope="module")
def lesson():
    """The names that these cells of the notebook define."""
    cells = {cell.id: cell.source for cell in nbformat.read(NOTEBOOK, as_version=4).cells}
    names = {}
    for cell in ("simulate", "ways", "aws", "aws-ways"):
        exec(cells[cell], names)
    return names


def test_model_of_the_article_gives_its_result(lesson):
    """Brooker 2015: with 100 contending clients, jitter more than halves the calls."""

    def calls(name):
        return statistics.mean(
            lesson["contend"](lesson["aws_ways"][name], 100, seed) for seed in range(100, 120)
        )

    assert calls("full jitter") < calls("exponential") / 2
    assert calls("exponential") < calls("no wait")


def test_jitter_saves_more_calls_in_a_larger_crowd(lesson):
    problems = []
    for (clients, share), seed in itertools.product({50: 1, 200: 0.5, 400: 0.33}.items(), range(5)):
        plain, jitter = (
            lesson["simulate"](lesson[way], clients, seed=seed)
            for way in ("exponential", "full_jitter")
        )
        if abs(len(jitter) / len(plain) - share) > 0.03:
            problems.append((clients, seed, len(jitter), len(plain)))
        if clients >= 200 and max(jitter) >= 0.15 * max(plain):
            problems.append((clients, seed, max(jitter), max(plain)))
    assert problems == []


def test_all_clients_are_served_and_none_before_the_server_can(lesson):
    for way in lesson["ways"]:
        times = lesson["simulate"](way, 200)
        assert len(times) >= 200
        assert max(times) >= 19
