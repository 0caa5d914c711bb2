"""`python -m tests.tools.record`: what it asks for, what it records, and which outputs it stores."""

import json
import sys
from pathlib import Path

import nbformat
import pytest

from tests.tools import record

ROOT = Path(__file__).parent.parent.parent
START = 'import helpers\nhelpers.start("02_first_call")'
ASK = """import os, httpx
key = {"Authorization": f"Bearer {os.environ['MISTRAL_API_KEY']}"}
print(httpx.get("https://api.mistral.ai/v1/models", headers=key).json()["object"])"""


@pytest.mark.slow
def test_stored_outputs_are_those_of_a_replay(lesson, monkeypatch):
    # The cell that installs the stand-ins finds the helpers, outside of notebooks/.
    path = f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n"
    monkeypatch.setattr(record, "SETUP", path + record.SETUP)
    folder = lesson(START, ASK)
    record.renew("02_first_call", record.KEY, stand_ins=True)
    book = nbformat.read(folder / "02_first_call.ipynb", as_version=4)
    assert [cell.execution_count for cell in book.cells] == [1, 2]
    line, text = ("".join(out.text for out in cell.outputs) for cell in book.cells)
    assert line.startswith("Replay, offline. Recorded answers: 1 stand-in written for this course")
    assert text == "list\n"
    assert record.KEY not in (folder / "02_first_call.json").read_text("utf-8")


def test_a_missing_key_is_reported_with_what_to_do_without_one(monkeypatch, capsys, tmp_path):
    # The author's own .env stays out of it.
    monkeypatch.setattr(record, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["record.py"])
    with pytest.raises(SystemExit) as stopped:
        record.main()
    printed = capsys.readouterr()
    assert (stopped.value.code, printed.out) == (2, "")
    assert "Set the environment variable MISTRAL_API_KEY" in printed.err
    assert "--stand-ins records the stand-ins" in printed.err


def test_a_lesson_may_be_named_by_its_number():
    assert record.find_lessons(["02", "03_streaming"]) == ["02_first_call", "03_streaming"]
    assert len(record.find_lessons([])) == len(list((ROOT / "notebooks").glob("*.ipynb")))


def test_an_unknown_lesson_is_named_beside_those_that_exist():
    with pytest.raises(
        LookupError, match="no such lesson: 99, 02_f; there are 00_check_your_setup, 01_keys"
    ):
        record.find_lessons(["99", "02", "02_f"])


def test_the_bill_adds_up_the_meter_lines():
    *lines, together = record.bill(["02_first_call", "05_embeddings"]).splitlines()
    assert [line.partition(":")[0] for line in lines] == ["02_first_call", "05_embeddings"]
    sums = [float(line.partition("$")[2].split()[0]) for line in lines]
    assert together.startswith(f"Total: about ${sum(sums):.4f}")
    assert sum(sums) > 0


def test_the_bill_of_a_lesson_without_a_meter_line_is_unknown(lesson):
    lesson(START)
    assert record.bill(["02_first_call"]).startswith("02_first_call: unknown")


@pytest.mark.parametrize(
    ("arguments", "answer", "asked", "recorded"),
    [
        ([], "y", True, True),
        ([], "", True, False),
        ([], "no", True, False),
        (["--yes"], None, False, True),
        # Nobody is there to answer.
        ([], None, False, False),
        (["--stand-ins"], None, False, True),
    ],
)
def test_recording_the_api_asks_before_it_spends_money(
    monkeypatch, capsys, arguments, answer, asked, recorded
):
    questions, done = [], []
    monkeypatch.setenv("MISTRAL_API_KEY", "mine")
    monkeypatch.setattr(sys, "argv", ["record.py", "02_first_call", *arguments])
    monkeypatch.setattr(sys.stdin, "isatty", lambda: answer is not None, raising=False)
    monkeypatch.setattr("builtins.input", lambda question: questions.append(question) or answer)
    monkeypatch.setattr(record, "renew", lambda *lesson: done.append(lesson) or 1)
    # Nothing is recorded: no other run of the tests must wait for this one.
    monkeypatch.setattr(record, "lock_recording", lambda path: None)
    if recorded:
        record.main()
    else:
        with pytest.raises(SystemExit):
            record.main()
    printed = capsys.readouterr()
    assert (bool(questions), bool(done)) == (asked, recorded)
    assert ("Total: about $" in printed.out) == ("--stand-ins" not in arguments)
    assert ("pass --yes" in printed.err) == (not asked and not recorded)


def test_a_lesson_that_another_process_records_is_reported_in_one_line(monkeypatch, capsys):
    def refuse(*_):
        raise RuntimeError("Another process is recording 02_first_call.")

    monkeypatch.setattr(record, "lock_recording", refuse)
    monkeypatch.setattr(sys, "argv", ["record.py", "--stand-ins", "02"])
    with pytest.raises(SystemExit) as stopped:
        record.main()
    assert stopped.value.code == 1
    assert capsys.readouterr().err == "Another process is recording 02_first_call.\n"


def test_what_the_api_no_longer_has_stays_when_the_api_is_recorded(lesson, monkeypatch):
    past, other = (
        {
            "origin": "stand-in",
            "recorded": "2026-11-23",
            "request": {"method": "GET", "path": path, "body": None, "key": "none"},
            "response": {"status": 200, "headers": {}, "body": {"was": "here"}},
            "note": note,
        }
        for path, note in (("/v1/files", record.PAST), ("/v1/models", "something else"))
    )
    folder = lesson(START, "ask for the past", "ask for what is not recorded")
    book = nbformat.read(folder / "02_first_call.ipynb", as_version=4)
    book.cells[1].metadata["tags"], book.cells[2].metadata["tags"] = ["past"], ["replay-only"]
    nbformat.write(book, folder / "02_first_call.ipynb")
    (folder / "02_first_call.json").write_text(json.dumps({"recordings": [past, other]}))
    ran = []
    monkeypatch.setattr(record, "run", lambda book, **_: ran.append([c.source for c in book.cells]))
    record.renew("02_first_call", record.KEY, stand_ins=False)
    kept = json.loads((folder / "02_first_call.json").read_text("utf-8"))["recordings"]
    assert [item["request"]["path"] for item in kept] == ["/v1/files"]
    assert ran == [[START], [START, "ask for the past", "ask for what is not recorded"]]
    record.renew("02_first_call", record.KEY, stand_ins=True)
    assert ran[2][1:] == [START, "ask for the past"]
