"""check and its report: whole files, their blocks, the test file, the progress bar."""

import json
import os
import pickle

import pytest

import helpers
from helpers import finetuning
from helpers.finetuning import checker, files
from tests.finetuning.examples import all_problems, good, save, speech, talk


def test_the_room_is_there_after_importing_helpers():
    assert helpers.finetuning is finetuning


def test_lines_with_problems_of_their_own_are_compared_with_none(reasons):
    leaky = talk(f"{speech(1)} ann@example.com", "b")
    assert reasons(leaky, leaky, talk(speech(1), "b")) == {
        1: ["e-mail address"],
        2: ["e-mail address"],
    }


@pytest.mark.slow
def test_lines_longer_than_the_context_are_reported(reasons):
    sample = talk("word " * 200, "b")
    count = finetuning.sample_tokens(sample)
    assert not reasons(sample, context=count)
    assert reasons(sample, context=count - 1) == {1: ["too long"]}
    assert reasons(talk("word " * 40_000, "b")) == {1: ["too long"]}
    assert not reasons(talk("wordwordword" * 3_000, "b"))


@pytest.mark.slow
def test_too_long_and_leaking_are_both_reported(reasons):
    leaky = talk("word " * 200 + "ann@example.com", "b")
    assert reasons(leaky, context=100) == {1: ["too long", "e-mail address"]}


def test_another_kind_than_asked_for_is_a_problem(reasons, tmp_path):
    mixed = [talk("a", "b"), {"text": "c"}]
    assert reasons(*mixed, kind="chat") == {2: ["format"]}
    report = finetuning.check(save(tmp_path / "mixed.jsonl", *mixed))
    assert report.good == 2 and not report.ok and "more than one format" in repr(report)
    assert report.kinds == {"chat": 1, "text": 1}


def test_json_over_many_lines_is_noted(tmp_path):
    path = tmp_path / "data.jsonl"
    for value in (good(), [good()]):
        path.write_text(json.dumps(value, indent=2))
        assert "one line" in repr(finetuning.check(path))
    assert not finetuning.check(save(path, good(), b"{")).notes


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_line_ends_of_all_systems_are_read(tmp_path, end):
    path = save(tmp_path / "data.jsonl", good(1), good(2), b"{", good(3), end=end)
    report = finetuning.check(path)
    assert (report.lines, [p.line for p in report.problems]) == (4, [3])
    path.write_bytes(path.read_bytes().removesuffix(end))
    assert finetuning.check(path).problems == report.problems


def test_an_empty_file_is_not_ok(tmp_path):
    report = finetuning.check(save(tmp_path / "empty.jsonl"))
    assert (report.lines, report.good, report.ok) == (0, 0, False)
    assert "empty" in repr(report)


def test_wrong_arguments_are_refused_by_name(tmp_path):
    path = save(tmp_path / "data.jsonl", good())
    for wrong in (
        {"kind": "chats"},
        {"near": 0},
        {"near": 80},
        {"context": 0},
        {"context": None},
        {"version": "v4"},
    ):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            finetuning.check(path, **wrong)


def test_a_file_can_not_be_its_own_test_file(tmp_path):
    path = save(tmp_path / "data.jsonl", good())
    with pytest.raises(ValueError, match="own test file"):
        finetuning.check(path, test=path)


def test_leaks_into_the_test_file_are_reported(reasons, tmp_path):
    words = speech(3).split()
    words[5] = "otherwise"
    nearly = talk(speech("q3"), " ".join(words))
    test = save(tmp_path / "test.jsonl", good(1), b"broken", talk(speech("q3"), speech(3)), good(5))
    again = talk(speech("q1"), "another answer")
    assert reasons(good(7), good(1), nearly, again, good(8), test=test) == {
        n: ["test leak"] for n in (2, 3, 4)
    }
    assert reasons(talk("x", " ".join(words)), test=save(test, talk("y", speech(3)))) == {
        1: ["test leak"]
    }


def test_blocks_make_no_difference(tmp_path, monkeypatch):
    path = save(tmp_path / "data.jsonl", *all_problems())
    whole = finetuning.check(path)
    rest = {"too long", "test leak", "more problems"}
    assert set(whole.counts) == finetuning.REASONS.keys() - rest
    for size in (3000, 49_999):
        monkeypatch.setattr(checker, "BLOCK", size)
        assert finetuning.check(path) == whole


def test_the_report_counts_what_it_lists(tmp_path):
    report = finetuning.check(save(tmp_path / "data.jsonl", *all_problems()))
    assert len(report.problems) == sum(report.counts.values())
    assert [p.line for p in report.problems] == sorted(p.line for p in report.problems)
    assert len({p.line for p in report.problems}) == report.rejected == report.lines - report.good
    assert list(report.table().columns) == ["line", "reason", "detail", "excerpt"]
    assert f"{report.good} of {report.lines} lines are good" in repr(report)
    assert f"{report.counts['weight']}  weight" in repr(report)
    assert all(len(p.excerpt) <= 80 and "\n" not in p.excerpt for p in report.problems)
    assert pickle.loads(pickle.dumps(report)) == report


# A line that is larger than memory should be


def test_a_huge_line_is_read_in_part(tmp_path, monkeypatch):
    for module in (files, finetuning.rules, checker):
        monkeypatch.setattr(module, "LONGEST", 1000)
    huge = json.dumps([good(n) for n in range(100)]).encode()
    path = save(tmp_path / "data.jsonl", good(1), huge, good(2))
    for size in (100, 10**6):
        monkeypatch.setattr(checker, "BLOCK", size)
        report = finetuning.check(path)
        assert [(p.line, p.reason) for p in report.problems] == [(2, "too long")]
        assert report.lines == 3 and "one JSON array" in report.problems[0].detail
    finetuning.clean(path, tmp_path / "good.jsonl")
    entry = json.loads((tmp_path / "good.rejected.jsonl").read_text())
    begin = entry["begins_at_byte"]
    assert path.read_bytes()[begin : begin + len(huge)] == huge


def test_a_huge_line_is_read_once_in_all_blocks_together(tmp_path, monkeypatch):
    """Not once for each block: that would be quadratic in its length."""
    monkeypatch.setattr(files, "LONGEST", 10_000)
    path = save(tmp_path / "data.jsonl", b"[" + b" " * 10**6 + b"]")
    read = 0

    class Counting:
        def __init__(self, file):
            self.file = file

        def readline(self, size):
            nonlocal read
            line = self.file.readline(size)
            read += len(line)
            return line

        def __getattr__(self, name):
            return getattr(self.file, name)

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self.file.close()

    open_file = type(path).open
    monkeypatch.setattr(type(path), "open", lambda *a, **k: Counting(open_file(*a, **k)))
    found = [list(files.lines(path, at, at + 10_000)) for at in range(0, 10**6, 10_000)]
    assert sum(map(len, found)) == 1
    assert read <= 1.1 * 10**6


# A file that changes


@pytest.mark.parametrize("change", ["shorter", "longer", "other"])
def test_a_file_that_changes_meanwhile_is_the_documented_error(tmp_path, monkeypatch, change):
    path = save(tmp_path / "data.jsonl", *map(good, range(50)), talk(speech("q1"), speech("x")))
    compare = checker.compare

    def changed(*args):
        if change == "shorter":
            os.truncate(path, 100)
        elif change == "longer":
            save(path, *map(good, range(60)))
        else:
            path.write_bytes(b"{" * path.stat().st_size)
        return compare(*args)

    monkeypatch.setattr(checker, "compare", changed)
    with pytest.raises(RuntimeError, match="changed while it was read"):
        finetuning.check(path)
    save(path, *map(good, range(50)), talk(speech("q1"), speech("x")))
    with pytest.raises(RuntimeError, match="changed while it was read"):
        finetuning.clean(path, tmp_path / "out.jsonl")
    assert [p.name for p in tmp_path.iterdir()] == ["data.jsonl"]


# The progress bar


def test_the_bar_is_for_terminals_or_by_variable(tmp_path, monkeypatch, capsys):
    import tqdm

    shown = []

    class Bar(tqdm.tqdm):
        def __init__(self, **options):
            super().__init__(**options)
            shown.append(not self.disable)

    monkeypatch.setattr(checker, "tqdm", Bar)
    path = save(tmp_path / "data.jsonl", good())
    for terminal in (False, True):
        monkeypatch.setattr("sys.stderr.isatty", lambda terminal=terminal: terminal)
        for wanted in ("", "0", "1"):
            monkeypatch.setenv("MISTRAL_PROGRESS", wanted)
            finetuning.check(path)
    assert shown == [False, False, True, True, False, True]
    assert not capsys.readouterr().err  # it takes two seconds until it appears


@pytest.mark.slow
def test_a_notebook_stores_no_bar(tmp_path):
    """Even if the check takes long: ipykernel's stderr is no terminal."""
    import nbformat
    from nbclient import NotebookClient

    path = save(tmp_path / "data.jsonl", good())
    code = f"""
import functools, tqdm
from helpers.finetuning import checker
checker.tqdm = lambda **options: tqdm.tqdm(**options | {{"delay": 0}})
checker.check({str(path)!r}).good"""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    NotebookClient(notebook, kernel_name="python3").execute()
    assert [output.output_type for output in notebook.cells[0].outputs] == ["execute_result"]
