"""`python -m helpers`: each check says what to do when its thing is broken, and never shows a key."""

import ast
import importlib.metadata
import os
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import httpx
import pytest

from helpers import setup_check

ROOT = Path(__file__).parent.parent.parent
CHECKS = ["python", "packages", "folder", "replay", "figures", "mode", "key", "disk"]
KEY = "0123456789abcdefghijABCDEFGHIJ12"
Usage = namedtuple("Usage", "total used free")


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    for name in ("MISTRAL_MODE", "MISTRAL_BASE_URL", "MISTRAL_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def to_do(line, *words):
    """Whether a line is one that says what to do, in these words."""
    assert line.startswith("TO DO ") and line.count("\n") == 0, line
    assert [word for word in words if word not in line] == [], line
    return True


@pytest.mark.slow
def test_all_is_ok_here_one_line_a_check(monkeypatch):
    done = subprocess.run(
        [sys.executable, "-m", "helpers"], cwd=ROOT, capture_output=True, text=True
    )
    *lines, end = done.stdout.splitlines()
    assert [line.partition(":")[0] for line in lines] == [f"OK {name}" for name in CHECKS], lines
    assert (end, done.stderr, done.returncode) == ("Ready. Go on with lesson 01.", "", 0)


@pytest.mark.slow
def test_the_exit_status_is_1_if_something_is_to_do():
    done = subprocess.run(
        [sys.executable, "-m", "helpers"],
        cwd=ROOT,
        env={**os.environ, "MISTRAL_MODE": "liev"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "TO DO mode" in done.stdout and done.stdout.endswith("To do: 1 of 8.\n"), done.stdout


@pytest.mark.slow
def test_without_any_package_it_still_answers(tmp_path):
    """Isolated from site-packages: what the checks need is missing, and reported."""
    shutil.copytree(ROOT / "helpers", tmp_path / "helpers")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    done = subprocess.run(
        [sys.executable, "-S", "-E", "-m", "helpers"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 1 and done.stderr == ""
    lines = dict(zip(CHECKS, done.stdout.splitlines(), strict=False))
    assert to_do(lines["packages"], "packaging is missing", "requirements.txt")
    assert to_do(lines["figures"], "matplotlib is missing")
    assert lines["disk"].startswith("OK")


def test_an_old_python_can_read_it():
    for name in ("__init__", "__main__", "setup_check"):
        ast.parse((ROOT / f"helpers/{name}.py").read_text("utf-8"), feature_version=(3, 8))


@pytest.mark.parametrize("version", [(3, 10, 4), (3, 15, 0), (2, 7, 18)])
def test_another_python_is_named_and_the_rest_left_out(monkeypatch, capsys, version):
    monkeypatch.setattr(setup_check.sys, "version_info", version)
    assert setup_check.report() is False
    line, end = capsys.readouterr().out.splitlines()
    assert to_do(
        line, "python: this is " + ".".join(map(str, version)), "3.11 or newer, below 3.15"
    )
    assert end == "To do: 1 of 1."


def test_a_missing_package_and_a_wrong_version_are_named(monkeypatch):
    real = importlib.metadata.version

    def version(name):
        if name == "tenacity":
            raise importlib.metadata.PackageNotFoundError(name)
        return "2.9.0" if name == "numpy" else real(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    wanted = ("numpy is 2.9.0, not <2.4,>=2.3", "tenacity is missing", "-r requirements.txt")
    assert to_do(setup_check.packages(), *wanted)


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A copy of the files' names, in which the check runs."""
    for folder in ("notebooks", "data/recordings"):
        (tmp_path / folder).mkdir(parents=True)
        for path in (ROOT / folder).glob("[0-9][0-9]_*"):
            (tmp_path / folder / path.name).write_text("{}")
    monkeypatch.setattr(setup_check, "ROOT", tmp_path)
    monkeypatch.chdir(tmp_path / "notebooks")
    return tmp_path


def test_another_folder_is_named_with_the_right_one(copy, monkeypatch, tmp_path_factory):
    assert setup_check.folder().startswith("OK folder: ")
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert to_do(setup_check.folder(), "elsewhere", str(copy / "notebooks"))


@pytest.mark.parametrize("content", [b"", b'{"cells": [', b"\xff\xfe{}", b"<<<<<<< HEAD\n{}"])
def test_a_damaged_notebook_is_named(copy, content):
    (copy / "notebooks" / "03_streaming.ipynb").write_bytes(content)
    assert to_do(setup_check.folder(), "03_streaming.ipynb is damaged", "make reset")


@pytest.mark.parametrize(
    "name", ["notebooks/03_streaming.ipynb", "data/recordings/03_streaming.json"]
)
def test_a_missing_file_is_named_by_its_lesson(copy, name):
    (copy / name).unlink()
    assert to_do(setup_check.folder(), "a file of 03_streaming is missing", "download the whole")


def test_a_folder_that_cannot_be_written_to_is_reported(copy, monkeypatch):
    def refuse(dir):
        raise PermissionError(13, "Permission denied", str(dir))

    monkeypatch.setattr(setup_check.tempfile, "TemporaryFile", refuse)
    assert to_do(setup_check.folder(), "you can't save in", "a folder of yours")


@pytest.mark.slow
def test_a_missing_recording_is_reported(monkeypatch, tmp_path):
    monkeypatch.setenv("MISTRAL_RECORDINGS", str(tmp_path))
    assert to_do(setup_check.replay(), "FileNotFoundError", "download the whole course again")
    (tmp_path / "02_first_call.json").write_text('{"recordings": []}', "utf-8")
    assert to_do(setup_check.replay(), "RecordingNotFound")


def test_a_font_that_is_not_there_is_named(monkeypatch, tmp_path):
    style = tmp_path / "no_font.mplstyle"
    style.write_text("font.family: No Such Font\n", "utf-8")
    monkeypatch.setattr("helpers.plots.STYLE", str(style))
    assert to_do(setup_check.figures(), "the font No Such Font is not found; delete ")


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({}, "OK mode: replay, since MISTRAL_MODE is not set"),
        ({"MISTRAL_MODE": "live"}, "OK mode: live, since MISTRAL_MODE says so, in the environment"),
        ({"MISTRAL_BASE_URL": "http://127.0.0.1:1/v1"}, "OK mode: live, on http://127.0.0.1:1/v1"),
        ({"MISTRAL_MODE": "Live"}, "TO DO mode: MISTRAL_MODE is 'Live', in the environment; write"),
    ],
)
def test_the_mode_is_shown_with_its_reason(monkeypatch, settings, line):
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert setup_check.mode().startswith(line)


def test_a_setting_in_the_env_file_is_named_as_such(monkeypatch, tmp_path):
    (tmp_path / ".env").write_text("MISTRAL_MODE=on\n", "utf-8")
    monkeypatch.setattr("helpers.modes.ENV_FILE", tmp_path / ".env")
    assert to_do(setup_check.mode(), "'on', in the file .env")
    (tmp_path / ".env").write_bytes("MISTRAL_MODE=live # für mich\n".encode("latin-1"))
    assert to_do(setup_check.mode(), ".env is not UTF-8 text: save it as UTF-8")


@pytest.mark.parametrize("broken", [KEY[:-1], KEY + "3", KEY[:16] + " " + KEY[17:], "ä" * 32])
@pytest.mark.parametrize("mode", ["replay", "live"])
def test_a_malformed_key_is_never_shown(monkeypatch, broken, mode):
    monkeypatch.setenv("MISTRAL_MODE", mode)
    monkeypatch.setenv("MISTRAL_API_KEY", broken)
    monkeypatch.setattr(httpx, "get", lambda *_, **__: httpx.Response(401))
    line = setup_check.key()
    assert to_do(line, "copy it again")
    assert broken not in line and broken[:6] not in line


def test_a_key_is_asked_for_only_if_wanted_and_is_not_kept(monkeypatch):
    asked = []
    monkeypatch.setattr(setup_check.getpass, "getpass", lambda prompt: asked.append(1) or KEY)
    assert setup_check.key().startswith("OK key: none") and not asked
    assert setup_check.key(ask=True).startswith("OK key: 32 letters and digits") and asked
    assert "MISTRAL_API_KEY" not in os.environ


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (200, "OK key: the API takes it"),
        (401, "TO DO key: the API answers 401; copy it again, or make a new one."),
        (503, "TO DO key: the API answers 503; try again in a minute."),
        (
            httpx.ConnectError(KEY),
            "TO DO key: no answer (ConnectError); look at network and proxy.",
        ),
    ],
)
def test_in_live_mode_the_api_decides(monkeypatch, answer, words):
    def get(url, headers, timeout):
        assert url.endswith("/v1/models") and headers == {"Authorization": f"Bearer {KEY}"}
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer)

    monkeypatch.setattr(httpx, "get", get)
    monkeypatch.setenv("MISTRAL_API_KEY", KEY)
    assert setup_check.key().startswith("OK key: 32 letters"), "the API is not asked"
    monkeypatch.setenv("MISTRAL_MODE", "live")
    assert setup_check.key() == words


def test_live_mode_without_a_key_is_reported(monkeypatch):
    monkeypatch.setenv("MISTRAL_MODE", "live")
    assert to_do(setup_check.key(), "this mode needs one", "lesson 01")


def test_a_full_disk_is_reported(monkeypatch):
    monkeypatch.setattr(setup_check.shutil, "disk_usage", lambda path: Usage(9e9, 9e9, 20e6))
    assert to_do(setup_check.disk(), "20 MB are free", "it 300")


def test_a_check_that_fails_itself_shows_no_message_of_others(monkeypatch):
    monkeypatch.setattr(setup_check.getpass, "getpass", lambda prompt: {}[KEY])
    line = setup_check.key(ask=True)
    assert to_do(line, "KeyError") and KEY not in line
