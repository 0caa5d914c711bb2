"""A full disk, or a kill at any moment, leaves notebook and recordings whole: both old or both new."""

import errno
import itertools
import json
import resource
import sys

import nbformat
import pytest

from tests.tools import record

LESSON = "02_first_call"
OLD, NEW = (
    {
        "recordings": [
            {
                "origin": "stand-in",
                "recorded": "2026-11-24",
                "request": {"method": "GET", "path": "/v1/models", "body": None},
                "response": {"status": 200, "headers": {}, "body": {"data": [name]}},
            }
        ]
    }
    for name in ("old", "new")
)
EVENTS = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod", "shutil.")


class Killed(BaseException):
    """The process ends here."""


# An audit hook can't be removed: this one does nothing while the list is empty.
countdown = []


@sys.addaudithook
def kill(event, _):
    if countdown and event.startswith(EVENTS):
        countdown[0] -= 1
        if countdown[0] == 0:
            countdown.clear()
            raise Killed


def killed_at(step, call, *args):
    """Whether this call came to the step at which it was to be killed."""
    countdown[:] = [step]
    try:
        call(*args)
    except Killed:
        return True
    finally:
        countdown.clear()
    return False


@pytest.fixture
def folder(lesson, monkeypatch):
    """A lesson, recorded by a kernel that is pretended."""

    def run(book, **environment):
        if environment["MISTRAL_MODE"] == "record":
            path = record.Path(environment["MISTRAL_RECORDINGS"], f"{LESSON}.json")
            path.write_text(json.dumps(NEW))
        else:
            book.cells[0].outputs = [nbformat.v4.new_output("stream", text="new " * 2000)]

    folder = lesson("print()")
    (folder / f"{LESSON}.json").write_text(json.dumps(OLD))
    monkeypatch.setattr(record, "run", run)
    return folder


def state(folder):
    """Which recordings and which outputs there are, and what else is in the folder."""
    recordings = json.loads((folder / f"{LESSON}.json").read_text("utf-8"))
    outputs = nbformat.read(folder / f"{LESSON}.ipynb", as_version=4).cells[0].outputs
    others = {path.name for path in folder.iterdir()} - {f"{LESSON}.json", f"{LESSON}.ipynb"}
    return recordings == NEW, bool(outputs), others


def test_a_finished_run_leaves_both_new_and_nothing_else(folder):
    record.renew(LESSON, "key", True)
    assert state(folder) == (True, True, {"helpers.py"})


@pytest.mark.slow
def test_a_kill_at_any_moment_leaves_both_old_or_both_new(folder, monkeypatch):
    """Also if the next run is killed while it cleans up."""
    clean_up, problems = record.clean_up, []
    old = {path: path.read_bytes() for path in folder.iterdir()}
    # A process that is killed cleans nothing up.
    monkeypatch.setattr(record, "clean_up", lambda lesson: None)
    for step in itertools.count(1):
        for again in itertools.count(1):
            for path, content in old.items():
                path.write_bytes(content)
            killed = killed_at(step, record.renew, LESSON, "key", True)
            killed_again = killed_at(again, clean_up, LESSON)
            clean_up(LESSON)
            if (found := state(folder)) != (not killed, not killed, {"helpers.py"}):
                problems.append((step, again, found))
            if not killed_again:
                break
        if not killed:
            break
    assert problems == []
    assert step > 15


@pytest.mark.parametrize("mode", ["record", "replay"])
def test_a_lesson_that_fails_keeps_its_recordings_and_outputs(folder, monkeypatch, mode):
    run = record.run

    def fail(book, **environment):
        run(book, **environment)
        if environment["MISTRAL_MODE"] == mode:
            raise RuntimeError("a cell failed")

    monkeypatch.setattr(record, "run", fail)
    with pytest.raises(RuntimeError, match="a cell failed"):
        record.renew(LESSON, "key", True)
    assert state(folder) == (False, False, {"helpers.py"})


@pytest.mark.parametrize("call", [1, 2])
def test_a_failing_replacement_leaves_both_old(folder, monkeypatch, call):
    replace, calls = record.os.replace, []

    def fail(*paths):
        calls.append(paths)
        if len(calls) == call:
            raise OSError(errno.EACCES, "in use")
        replace(*paths)

    monkeypatch.setattr(record.os, "replace", fail)
    with pytest.raises(OSError, match="in use"):
        record.renew(LESSON, "key", True)
    assert state(folder) == (False, False, {"helpers.py"})


@pytest.mark.parametrize("most", [100, 4000], ids=["recordings too large", "notebook too large"])
def test_a_full_disk_leaves_both_old(folder, most):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, limits[1]))
    try:
        with pytest.raises(OSError) as error:
            record.renew(LESSON, "key", True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert error.value.errno == errno.EFBIG
    assert state(folder) == (False, False, {"helpers.py"})


def test_a_lesson_recorded_for_the_first_time_has_no_recordings_after_a_failure(
    folder, monkeypatch
):
    (folder / f"{LESSON}.json").unlink()
    monkeypatch.setattr(record, "store_outputs", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        record.renew(LESSON, "key", True)
    assert sorted(path.name for path in folder.iterdir()) == [f"{LESSON}.ipynb", "helpers.py"]


def test_any_next_run_puts_back_what_a_killed_one_left(folder, monkeypatch, capsys):
    nbformat.write(nbformat.v4.new_notebook(), folder / "03_streaming.ipynb")
    with monkeypatch.context() as patch:
        patch.setattr(record, "clean_up", lambda lesson: None)
        patch.setattr(record, "store_outputs", lambda *_: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            record.renew(LESSON, "key", True)
    (folder / f".{LESSON}-x8k2p1qz").write_text("half of a fi")
    assert state(folder)[:2] == (True, False)
    monkeypatch.setattr(sys, "argv", ["record.py", "--stand-ins", "03"])
    monkeypatch.setattr(record, "renew", lambda *_: 0)
    record.main()
    new_recordings, new_outputs, others = state(folder)
    assert (new_recordings, new_outputs) == (False, False)
    assert [name for name in others if name.startswith(".") and not name.endswith(".lock")] == []


def test_both_files_keep_their_modes(folder):
    paths = [folder / f"{LESSON}.json", folder / f"{LESSON}.ipynb"]
    for path in paths:
        path.chmod(0o640)
    record.renew(LESSON, "key", True)
    assert [path.stat().st_mode & 0o777 for path in paths] == [0o640, 0o640]
