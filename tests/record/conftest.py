"""What the tests of `python -m tests.tools.record` share."""

import os
from pathlib import Path

import nbformat
import pytest

from tests.tools import record

ROOT = Path(__file__).parent.parent.parent
LESSON = "02_first_call"


@pytest.fixture
def lesson(tmp_path, monkeypatch):
    """Make a folder with one lesson of these cells; `helpers` is found from it, as from notebooks/."""

    def make(*sources):
        (tmp_path / "helpers.py").write_text((ROOT / "notebooks" / "helpers.py").read_text("utf-8"))
        cells = [nbformat.v4.new_code_cell(source) for source in sources]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / f"{LESSON}.ipynb")
        (tmp_path / f"{LESSON}.json").write_text('{"recordings": []}')
        return tmp_path

    monkeypatch.setattr(record, "NOTEBOOKS", tmp_path)
    monkeypatch.setattr(record, "RECORDINGS", tmp_path)
    path = os.pathsep.join([os.environ["PYTHONPATH"], str(ROOT)])
    monkeypatch.setenv("PYTHONPATH", path)
    return make
