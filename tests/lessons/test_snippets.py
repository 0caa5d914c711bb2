"""Each cell tagged "snippet" is complete: it runs alone, in a process of its own."""

import contextlib
import functools
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tools.snippets import ROOT, find_snippets

SNIPPETS = [pytest.param(found, id=f"{found.lesson}-{found.file}") for found in find_snippets()]


@pytest.fixture(scope="module")
def run():
    """Run a script with the recordings of a lesson: (exit code, what it printed on stderr)."""
    environment = os.environ | {"PYTHONPATH": f"{os.environ['PYTHONPATH']}{os.pathsep}{ROOT}"}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with contextlib.ExitStack() as stack:

        @functools.cache
        def runner_for(packages):
            command = [sys.executable, ROOT / "tests" / "lessons" / "run_snippets.py", packages]
            return stack.enter_context(subprocess.Popen(command, env=environment, **pipes))

        def run(lesson, script, folder):
            imports = re.search(r"^(from|import) mistral", script.read_text("utf-8"), re.MULTILINE)
            runner = runner_for("mistral" if imports else "")
            runner.stdin.write(json.dumps([lesson, str(script), str(folder)]) + "\n")
            runner.stdin.flush()
            return json.loads(runner.stdout.readline())

        yield run


@pytest.mark.slow
@pytest.mark.parametrize("snippet", SNIPPETS)
def test_a_snippet_runs_alone_and_shows_its_result(run, snippet, tmp_path):
    (script := tmp_path / snippet.file).write_text(snippet.program, "utf-8")
    code, errors = run(snippet.lesson, script, tmp_path)
    assert code == 0, errors
    assert errors == ""
    printed = Path(tmp_path, "stdout").read_text("utf-8").strip()
    assert bool(printed) != bool(snippet.silent), printed


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "code", "errors"),
    [
        ("raise SystemExit(3)", 3, ""),
        ("cheese", 1, "NameError: name 'cheese' is not defined"),
        ("import sys; print('careful', file=sys.stderr)", 0, "careful"),
        ("import atexit; atexit.register(lambda: 1 / 0)", 0, "ZeroDivisionError"),
        ("import httpx; httpx.get('https://api.mistral.ai/v1/none')", 1, "RecordingNotFound"),
    ],
)
def test_a_snippet_that_fails_or_warns_is_noticed(run, tmp_path, source, code, errors):
    script = tmp_path / "snippet.py"
    script.write_text(source, "utf-8")
    found = run("02_first_call", script, tmp_path)
    assert found[0] == code
    assert errors in found[1] and bool(errors) == bool(found[1])


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_a_snippet_holds_nothing_of_the_course(snippet):
    assert "helpers" not in snippet.source
