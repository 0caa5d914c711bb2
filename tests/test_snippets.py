"""Each cell tagged "snippet" is complete: it runs alone, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parent.parent
SNIPPETS = [
    pytest.param(path.stem, cell.source, id=f"{path.stem}-{cell.id}")
    for path in sorted((ROOT / "notebooks").glob("*.ipynb"))
    for cell in nbformat.read(path, as_version=4).cells
    if "snippet" in cell.metadata.get("tags", [])
]


@pytest.mark.parametrize(("lesson", "source"), SNIPPETS)
def test_it_runs_alone(lesson, source, tmp_path):
    script = tmp_path / "snippet.py"
    script.write_text(source, "utf-8")
    # `start` stands outside the copied code: it is what replaces the network here.
    run = f"import helpers, runpy; helpers.start({lesson!r}); runpy.run_path({str(script)!r})"
    done = subprocess.run(
        [sys.executable, "-c", run],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([os.environ["PYTHONPATH"], str(ROOT)])},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr


@pytest.mark.parametrize(("lesson", "source"), SNIPPETS)
def test_it_holds_nothing_of_the_course(lesson, source):
    assert "helpers" not in source
