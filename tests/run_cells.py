"""Run the cells of notebooks in one process, and print which recordings answered, as JSON.

python tests/run_cells.py LESSON ...
"""

import contextlib
import io
import json
import os
import sys
from pathlib import Path

import nbformat
from IPython.core.interactiveshell import InteractiveShell

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
os.chdir(ROOT / "notebooks")

from helpers.replay import recordings  # noqa: E402

shell, answered = InteractiveShell.instance(), {}
find = recordings.Recordings.find


def spy(self, request):
    found = find(self, request)
    answered[self.path.stem].append((request["body"], found.response))
    return found


recordings.Recordings.find = spy
for lesson in sys.argv[1:]:
    answered[lesson] = []
    book = nbformat.read(f"{lesson}.ipynb", as_version=4)
    with contextlib.redirect_stdout(io.StringIO()):
        for cell in book.cells:
            if cell.cell_type == "code":
                shell.run_cell(cell.source)
    answered[lesson] = [(b and b.get("model"), r) for b, r in answered[lesson]]
    shell.reset()
print(json.dumps(answered))
