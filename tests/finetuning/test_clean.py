"""clean and the files that it reads and writes."""

import base64
import json
import os
import stat
import subprocess
import sys

import pytest

from helpers import finetuning
from helpers.finetuning import checker
from tests.finetuning.examples import all_problems, good, save

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX only")


def test_clean_adds_up_and_keeps_every_byte(tmp_path):
    path = save(tmp_path / "data.jsonl", *all_problems())
    report = finetuning.clean(path, tmp_path / "good.jsonl", tmp_path / "bad.jsonl")
    lines = path.read_bytes().split(b"\n")[:-1]
    kept = (tmp_path / "good.jsonl").read_bytes().split(b"\n")[:-1]
    entries = [json.loads(line) for line in (tmp_path / "bad.jsonl").open(encoding="utf-8")]
    rejected = {
        e["line"]: e["text"].encode() if "text" in e else base64.b64decode(e["base64"])
        for e in entries
    }
    assert len(kept) + len(rejected) == len(lines) == report.lines
    assert (len(kept), len(rejected)) == (report.good, report.rejected)
    rest = iter(kept)
    assert [rejected[n] if n in rejected else next(rest) for n in range(1, len(lines) + 1)] == lines
    reasons = [(e["line"], p["reason"]) for e in entries for p in e["problems"]]
    assert reasons == [(p.line, p.reason) for p in report.problems]
    again = finetuning.check(tmp_path / "good.jsonl")
    assert again.good == again.lines == report.good


def test_an_interrupted_clean_changes_nothing(tmp_path, monkeypatch):
    path, out = save(tmp_path / "data.jsonl", *all_problems()), tmp_path / "good.jsonl"
    out.write_text("before")

    def stop(line, start):
        raise KeyboardInterrupt

    monkeypatch.setattr(checker, "_original", stop)
    with pytest.raises(KeyboardInterrupt):
        finetuning.clean(path, out)
    assert out.read_text() == "before"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data.jsonl", "good.jsonl"]


def test_clean_refuses_at_once_what_it_can_not_write(tmp_path, monkeypatch):
    """A check can take an hour; and nothing may be replaced before the error."""
    monkeypatch.setattr(checker, "check", None)
    path = save(tmp_path / "data.jsonl", good())
    with pytest.raises(FileNotFoundError, match="nowhere"):
        finetuning.clean(path, tmp_path / "nowhere" / "good.jsonl")
    (tmp_path / "folder").mkdir()
    (tmp_path / "old.jsonl").write_text("before")
    for out, rejected in (("folder", "old.jsonl"), ("old.jsonl", "folder")):
        with pytest.raises(OSError, match="folder"):
            finetuning.clean(path, tmp_path / out, tmp_path / rejected)
    assert (tmp_path / "old.jsonl").read_text() == "before"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data.jsonl", "folder", "old.jsonl"]


def test_clean_never_writes_over_its_source(tmp_path):
    path = save(tmp_path / "data.jsonl", good())
    (tmp_path / "link.jsonl").symlink_to(path)
    for out in (path, tmp_path / "link.jsonl", tmp_path / ".." / tmp_path.name / "data.jsonl"):
        with pytest.raises(ValueError, match="different files"):
            finetuning.clean(path, out)
        with pytest.raises(ValueError, match="different files"):
            finetuning.clean(path, tmp_path / "out.jsonl", out)


@posix
def test_written_files_keep_permissions_or_follow_the_umask(tmp_path):
    path = save(tmp_path / "data.jsonl", good(), b"{")
    old = tmp_path / "old.jsonl"
    old.touch(mode=0o640)
    old.chmod(0o640)
    before = os.umask(0o077)
    try:
        finetuning.clean(path, old, tmp_path / "new.jsonl")
        finetuning.write([good()], tmp_path / "written.jsonl")
        os.umask(0o002)
        finetuning.write([good()], tmp_path / "shared.jsonl")
    finally:
        os.umask(before)
    modes = {p.name: oct(stat.S_IMODE(p.stat().st_mode)) for p in tmp_path.iterdir() if p != path}
    assert modes == {
        "old.jsonl": "0o640",
        "new.jsonl": "0o600",
        "written.jsonl": "0o600",
        "shared.jsonl": "0o664",
    }


@posix
def test_a_symbolic_link_is_followed(tmp_path):
    path = save(tmp_path / "data.jsonl", good())
    (tmp_path / "store").mkdir()
    target, link = tmp_path / "store" / "target.jsonl", tmp_path / "link.jsonl"
    target.write_text("before")
    link.symlink_to(target)
    finetuning.clean(path, link)
    assert link.is_symlink() and target.read_bytes() == path.read_bytes()
    assert [p.name for p in target.parent.iterdir()] == ["target.jsonl"]


KILLED = """
import sys, time
from pathlib import Path
from helpers.atomic import replacing
with replacing(Path(sys.argv[1])) as file:
    file.write(b"half")
    file.flush()
    print("open", flush=True)
    time.sleep(600)
"""


@pytest.mark.slow
def test_what_a_killed_run_left_is_removed_and_what_a_living_one_writes_is_not(tmp_path):
    path, out = save(tmp_path / "data.jsonl", good()), tmp_path / "good.jsonl"
    (tmp_path / ".good.jsonl-notes").touch()

    def start():
        command = [sys.executable, "-c", KILLED, str(out)]
        run = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert run.stdout.readline().strip() == b"open"
        return run

    killed, living = start(), start()
    killed.kill()
    killed.wait()
    try:
        assert len(list(tmp_path.glob(".good.jsonl-*.partial"))) == 2
        finetuning.clean(path, out)
        assert len(list(tmp_path.glob(".good.jsonl-*.partial"))) == 1
    finally:
        living.kill()
        living.wait()
    finetuning.clean(path, out)
    names = [".good.jsonl-notes", "data.jsonl", "good.jsonl", "good.rejected.jsonl"]
    assert sorted(p.name for p in tmp_path.iterdir()) == names


# What is no file of lines


def test_files_that_are_not_text_are_named(tmp_path):
    import bz2
    import gzip
    import lzma
    import zipfile

    save(tmp_path / "data.jsonl", good())
    data = (tmp_path / "data.jsonl").read_bytes()
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.write(tmp_path / "data.jsonl")
    written = {"gzip": gzip.compress(data), "bzip2": bz2.compress(data), "xz": lzma.compress(data)}
    written |= {"zip": (tmp_path / "x.zip").read_bytes(), "zstd": b"\x28\xb5\x2f\xfd\x04"}
    written |= {"Parquet": b"PAR1\x15\x04"}
    for name, content in written.items():
        (tmp_path / "packed").write_bytes(content)
        for reader in (finetuning.check, finetuning.read, finetuning.split):
            with pytest.raises(ValueError, match=rf"{name}.*first"):
                reader(tmp_path / "packed")


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError):
        finetuning.check(tmp_path / "missing.jsonl")
    with pytest.raises(IsADirectoryError, match="folder"):
        finetuning.check(tmp_path)


@posix
def test_pipes_and_devices_are_refused_and_not_waited_for(tmp_path):
    path = save(tmp_path / "data.jsonl", good())
    os.mkfifo(tmp_path / "pipe")
    for special in (tmp_path / "pipe", "/dev/zero"):
        with pytest.raises(ValueError, match="pipe or a device"):
            finetuning.check(special)
        with pytest.raises(ValueError, match="pipe or a device"):
            finetuning.check(path, test=special)
    with pytest.raises(OSError, match="pipe or a device"):
        finetuning.clean(path, tmp_path / "pipe")
