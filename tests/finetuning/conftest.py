"""A fixture for all tests of the room."""

import collections

import pytest

from helpers import finetuning
from tests.finetuning.examples import save


@pytest.fixture
def reasons(tmp_path):
    """The reasons of each line that has problems, by line."""

    def of(*samples, **options):
        report = finetuning.check(save(tmp_path / "data.jsonl", *samples), **options)
        found = collections.defaultdict(list)
        for problem in report.problems:
            found[problem.line].append(problem.reason)
        assert {reason for line in found.values() for reason in line} <= finetuning.REASONS.keys()
        return dict(found)

    return of
