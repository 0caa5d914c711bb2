"""The same check on a Dask cluster."""

import sys

import pytest

from helpers import finetuning
from helpers.finetuning import checker
from tests.finetuning.examples import all_problems, good, save

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster():
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        yield cluster


def test_dask_gives_the_same_report(cluster, tmp_path, monkeypatch):
    path = save(tmp_path / "data.jsonl", *all_problems())
    test = save(tmp_path / "test.jsonl", good(3), good(5))
    alone = finetuning.check(path, test=test)
    assert "test leak" in alone.counts
    monkeypatch.setattr(checker, "BLOCK", 5000)
    assert finetuning.check(path, test=test, dask=cluster.scheduler_address) == alone
    monkeypatch.setenv("DASK_SCHEDULER", cluster.scheduler_address)
    assert finetuning.check(path, test=test, dask=True) == alone


def test_a_killed_worker_loses_nothing(cluster, tmp_path, monkeypatch):
    path = save(tmp_path / "data.jsonl", *all_problems(), *map(good, range(3000)))
    alone = finetuning.check(path)
    blocks = []

    class Bar:
        """A progress bar that kills a worker at the tenth block."""

        def __init__(self, **options):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

        def update(self, size):
            blocks.append(size)
            if len(blocks) == 10:
                next(iter(cluster.workers.values())).process.process._process.kill()

    monkeypatch.setattr(checker, "tqdm", Bar)
    monkeypatch.setattr(checker, "BLOCK", 10_000)
    again = finetuning.check(path, dask=cluster.scheduler_address)
    assert len(blocks) > 100
    assert again == alone


def test_dask_reports_what_is_missing(tmp_path, monkeypatch):
    path = save(tmp_path / "data.jsonl", good())
    with pytest.raises(OSError, match=r"127\.0\.0\.1:1"):
        finetuning.check(path, dask="tcp://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ImportError, match="not installed"):
        finetuning.check(path, dask=True)
