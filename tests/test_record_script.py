"""`data/record.py` replaces a lesson's recordings and outputs together, or leaves both alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError

from helpers import record
from helpers.offline import recording
from helpers.offline.api import PAST

ROOT = Path(__file__).parent.parent


@pytest.fixture
def lesson(tmp_path, monkeypatch):
    """A folder with one lesson of these cells; `helpers` is found from it, as from notebooks/."""

    def make(*sources):
        (tmp_path / "helpers.py").write_text((ROOT / "notebooks" / "helpers.py").read_text("utf-8"))
        cells = [nbformat.v4.new_code_cell(source) for source in sources]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "02_first_call.ipynb")
        (tmp_path / "02_first_call.json").write_text('{"recordings": []}')
        return tmp_path

    monkeypatch.setattr(record, "NOTEBOOKS", tmp_path)
    monkeypatch.setattr(record, "RECORDINGS", tmp_path)
    path = os.pathsep.join([os.environ["PYTHONPATH"], str(ROOT)])
    monkeypatch.setenv("PYTHONPATH", path)
    return make


START = 'import helpers\nhelpers.start("02_first_call")'
ASK = 'print(helpers.chat("What is the best French cheese?").text[:20])'


def outputs(folder):
    book = nbformat.read(folder / "02_first_call.ipynb", as_version=4)
    return [
        (cell.execution_count, "".join(o.get("text", "") for o in cell.outputs))
        for cell in book.cells
    ]


def test_outputs_are_those_of_a_replay(lesson, monkeypatch):
    setup = f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n"
    monkeypatch.setattr(record, "SETUP", setup + record.SETUP)
    folder = lesson(START, ASK)
    record.renew("02_first_call", recording.KEY, stand_ins=True)
    (first, line), (second, text) = outputs(folder)
    assert (first, second) == (1, 2)
    assert line.startswith("Replay, offline. Recorded answers: 1 stand-in written for this course")
    assert text == "There is no single b\n"
    assert recording.KEY not in (folder / "02_first_call.json").read_text("utf-8")


@pytest.mark.parametrize(
    "broken",
    [
        'helpers.chat("A question without a written answer")',
        'import os\n1 / (os.environ["MISTRAL_MODE"] == "record")',
    ],
)
def test_a_lesson_that_fails_keeps_its_recordings_and_outputs(lesson, monkeypatch, broken):
    """Whether it fails while it is recorded, or when it runs on its recordings."""
    setup = f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n"
    monkeypatch.setattr(record, "SETUP", setup + record.SETUP)
    folder = lesson(START, ASK, broken)
    before = outputs(folder)
    with pytest.raises(CellExecutionError):
        record.renew("02_first_call", recording.KEY, stand_ins=True)
    assert json.loads((folder / "02_first_call.json").read_text("utf-8")) == {"recordings": []}
    assert outputs(folder) == before
    assert sorted(path.name for path in folder.iterdir()) == [
        "02_first_call.ipynb",
        "02_first_call.json",
        "helpers.py",
    ]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "Set the environment variable MISTRAL_API_KEY"),
        (["--stand-ins", "99_no"], "no such lesson: 99_no"),
    ],
)
def test_it_says_what_is_missing(arguments, says):
    command = [sys.executable, "-m", "helpers.record", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_it_says_what_recording_will_cost(monkeypatch):
    said = record.bill(["02_first_call", "05_embeddings"]).splitlines()
    assert [line.partition(":")[0] for line in said[:2]] == ["02_first_call", "05_embeddings"]
    sums = [float(line.partition("$")[2].split()[0]) for line in said[:2]]
    assert said[2].startswith(f"Together about ${sum(sums):.4f}")
    assert sum(sums) > 0


def test_a_lesson_without_a_meter_line_has_no_known_price(lesson):
    lesson(START)
    assert record.bill(["02_first_call"]).startswith("02_first_call: not known")


@pytest.mark.parametrize(
    ("arguments", "answer", "asked", "recorded"),
    [
        ([], "y", True, True),
        ([], "", True, False),
        ([], "no", True, False),
        (["--yes"], None, False, True),
        ([], None, False, False),  # nobody is there to answer
        (["--stand-ins"], None, False, True),
    ],
)
def test_it_asks_before_money_is_spent(monkeypatch, capsys, arguments, answer, asked, recorded):
    questions, done = [], []
    monkeypatch.setenv("MISTRAL_API_KEY", "mine")
    monkeypatch.setattr(sys, "argv", ["record.py", "02_first_call", *arguments])
    monkeypatch.setattr(sys.stdin, "isatty", lambda: answer is not None, raising=False)
    monkeypatch.setattr("builtins.input", lambda question: questions.append(question) or answer)
    monkeypatch.setattr(record, "renew", lambda *lesson: done.append(lesson) or 1)
    if recorded:
        record.main()
    else:
        with pytest.raises(SystemExit):
            record.main()
    said = capsys.readouterr()
    assert (bool(questions), bool(done)) == (asked, recorded)
    assert ("Together about $" in said.out) == ("--stand-ins" not in arguments)
    assert ("--yes" in said.err) == (not asked and not recorded)


def test_what_the_api_no_longer_has_stays_when_the_api_is_recorded(lesson):
    ask = 'import httpx\nhttpx.get("https://api.mistral.ai/v1/files").json()["was"]'
    folder = lesson(START, ask)
    book = nbformat.read(folder / "02_first_call.ipynb", as_version=4)
    book.cells[1].metadata["tags"] = ["past"]
    nbformat.write(book, folder / "02_first_call.ipynb")
    past, other = (
        {
            "origin": "stand-in",
            "recorded": "2026-11-23",
            "request": {"method": "GET", "path": path, "body": None, "key": "none"},
            "response": {"status": 200, "headers": {}, "body": {"was": "here"}},
            "note": note,
        }
        for path, note in (("/v1/files", PAST), ("/v1/models", "something else"))
    )
    (folder / "02_first_call.json").write_text(json.dumps({"recordings": [past, other]}))
    record.renew("02_first_call", recording.KEY, stand_ins=False)
    kept = json.loads((folder / "02_first_call.json").read_text("utf-8"))["recordings"]
    assert [item["request"]["path"] for item in kept] == ["/v1/files"]
    assert nbformat.read(folder / "02_first_call.ipynb", 4).cells[1].outputs[0].data[
        "text/plain"
    ] == ("'here'")
