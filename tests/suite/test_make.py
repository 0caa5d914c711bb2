"""`make` in a folder of its own, with pretended programs: what its targets run, and what it says."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
# Prints its arguments and the variables that may lead Python astray.
PROGRAM = """#!/bin/sh
echo "$(basename $0) $* PYTHONPATH=$PYTHONPATH PYTHONHOME=$PYTHONHOME PIP_USER=$PIP_USER"
"""

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="no make here")


@pytest.fixture
def make(tmp_path):
    """Run `make` in a folder whose .venv is ready, and pretended."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "requirements.txt").write_text("httpx==1.0\n")
    (tmp_path / "requirements-dev.txt").write_text("uv==1.0 \\\n    --hash=sha256:00\n")
    (binaries := tmp_path / ".venv" / "bin").mkdir(parents=True)
    for name in ("python", "jupyter", "ruff", "mypy", "uv"):
        (binaries / name).write_text(PROGRAM)
        (binaries / name).chmod(0o755)
    for stamp in ("ready", "dev"):
        (tmp_path / ".venv" / stamp).touch()

    def make(*arguments, **environment):
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
        return subprocess.run(
            ["make", *arguments],
            cwd=tmp_path,
            env=inherited | environment,
            capture_output=True,
            text=True,
            timeout=120,
        )

    return make


def test_help_lists_every_target_with_a_sentence(make):
    listed = dict(re.findall(r"^  ([a-z-]+) +(\S.*)$", make("help").stdout, re.MULTILINE))
    assert set(listed) == TARGETS
    assert make().stdout == make("help").stdout


def test_every_target_is_phony():
    phony = re.search(r"^\.PHONY: ((?:.*\\\n)*.*)$", MAKEFILE, re.MULTILINE)[1]
    assert set(phony.replace("\\\n", " ").split()) == TARGETS


def test_each_target_that_a_text_names_exists():
    problems = []
    texts = [*ROOT.glob("*.md"), *ROOT.glob("notebooks/*.ipynb"), *ROOT.glob("data/**/*.toml")]
    texts += [*ROOT.glob("helpers/**/*.*"), *ROOT.glob("tests/**/*.py")]
    for path in texts:
        if path.suffix in (".md", ".ipynb", ".toml", ".py"):
            named = re.findall(r"(?:^|[`\"])make ([a-z-]+)", path.read_text("utf-8"), re.MULTILINE)
            problems += [f"{path.name}: {name}" for name in set(named) - TARGETS]
    assert problems == []


def test_test_runs_all_and_checks_the_style(make):
    printed = make("test", JOBS="5").stdout
    assert "pytest -n 5 --no-loadscope-reorder notebooks tests " in printed
    assert "ruff check" in printed and "ruff format --check" in printed and "mypy" in printed


def test_quick_runs_no_notebooks_and_no_slow_tests(make):
    assert re.search("pytest -n .* tests --ignore=.* -m not slow ", make("quick").stdout)
    assert "notebooks" not in make("quick").stdout


def test_lesson_needs_a_number_and_records_its_stand_ins(make):
    done = make("lesson")
    assert (done.returncode, done.stdout) == (2, "Name the lesson: make lesson L=06\n")
    assert "python -m tests.tools.record --stand-ins 06 " in make("lesson", "L=06").stdout


def test_variables_of_another_project_reach_no_program(make):
    there = {"PYTHONPATH": "/opt/ros", "PYTHONHOME": "/opt/ros", "PIP_USER": "1"}
    problems = []
    for target in ("lab", "serve", "own-texts", "stand-ins", "test", "quick", "coverage", "future"):
        printed = make(target, **there).stdout
        assert "PYTHONPATH=" in printed
        if "/opt/ros" in printed or "PIP_USER=1" in printed:
            problems.append((target, printed))
    assert problems == []


def test_the_network_is_shut_before_pytest_starts(make):
    for target in ("test", "quick", "coverage"):
        assert re.search("pytest .* PYTHONPATH=tests/no_network ", make(target).stdout), target
    assert re.search("pytest .*PYTHONPATH=tests/clock_ahead ", make("future").stdout)


# Setting up .venv.


@pytest.mark.parametrize("target", ["lab", "test"])
def test_a_python_that_does_not_exist_is_named_in_one_sentence(make, tmp_path, target):
    (tmp_path / ".venv" / "ready").unlink()
    done = make(target, "PYTHON=python9.9")
    assert done.returncode != 0
    assert done.stdout.startswith("There is no python9.9 on this machine. Name a Python 3.11 to")
    assert "venv" not in done.stdout


def test_a_python_of_another_version_is_named_in_one_sentence(make, tmp_path):
    (tmp_path / ".venv" / "ready").unlink()
    (old := tmp_path / "python3.9").write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = make("lab", f"PYTHON={old}")
    assert done.returncode != 0
    assert f"{old} is another version. This course needs Python 3.11, 3.12" in done.stdout


def test_a_venv_whose_python_is_gone_is_set_up_again(make, tmp_path):
    (tmp_path / ".venv" / "bin" / "python").unlink()
    (tmp_path / ".venv" / "bin" / "python").symlink_to(tmp_path / "gone")
    done = make("lab", "PYTHON=python9.9")
    assert done.stdout.startswith("There is no python9.9 on this machine.")


def test_the_lab_starts_in_a_folder_that_was_moved(make):
    """A program in .venv/bin has the path of its Python in its first line, as it was installed."""
    assert "python -m jupyterlab " in make("lab").stdout


# A Python whose virtual environments hold a Python without pip, or a uv without packages.
NEW_PYTHON = """#!/bin/sh
[ "$2" = venv ] || exit 0
mkdir -p .venv/bin
printf '#!/bin/sh\necho pip: no network >&2\nexit {pip}\n' > .venv/bin/python
printf '#!/bin/sh\necho uv: no network >&2\nexit 1\n' > .venv/bin/uv
chmod +x .venv/bin/*
"""


@pytest.mark.parametrize("fails", ["pip", "uv"])
def test_a_set_up_without_a_network_is_explained_in_one_sentence(make, tmp_path, fails):
    (tmp_path / ".venv" / "ready").unlink()
    (python := tmp_path / "python3.13").write_text(NEW_PYTHON.format(pip=int(fails == "pip")))
    python.chmod(0o755)
    done = make("lab", f"PYTHON={python}")
    assert done.returncode != 0
    *_, last = done.stdout.splitlines()
    assert last.startswith("The packages can't be installed: this first time needs a network")
    assert not (tmp_path / ".venv" / "ready").exists()
    if fails == "pip":
        assert (tmp_path / ".venv" / "pip.log").read_text() == "pip: no network\n"
        assert "pip.log" in last


def test_checks_need_more_packages_than_lessons(make, tmp_path):
    (tmp_path / ".venv" / "dev").unlink()
    assert "requirements-dev.txt" not in make("lab").stdout
    assert "uv pip install" in (printed := make("quick").stdout)
    assert "--require-hashes -r requirements-dev.txt" in printed
    assert (tmp_path / ".venv" / "dev").exists()


def test_wheels_in_a_folder_replace_the_network(make, tmp_path):
    (tmp_path / ".venv" / "dev").unlink()
    printed = make("quick", "WHEELS=../usb stick").stdout
    assert "--no-index --find-links ../usb stick -r requirements-dev.txt" in printed


# Putting notebooks back.


@pytest.fixture
def clone(make, tmp_path):
    """A git repository with two notebooks."""
    (tmp_path / "notebooks").mkdir()
    for name in ("01.ipynb", "02.ipynb"):
        (tmp_path / "notebooks" / name).write_text("shipped")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "notebooks")
    git(tmp_path, "commit", "--quiet", "-m", "Ship")
    return tmp_path


def git(folder, *arguments):
    person = ["-c", "user.name=A", "-c", "user.email=a@b.c"]
    subprocess.run(["git", *person, *arguments], cwd=folder, check=True, capture_output=True)


def test_reset_puts_changed_notebooks_back_and_keeps_the_learners(make, clone):
    (clone / "notebooks" / "01.ipynb").write_text("mine")
    (clone / "notebooks" / "02.ipynb").unlink()
    done = make("reset")
    assert done.returncode == 0
    assert done.stdout.startswith("As shipped again: notebooks/01.ipynb notebooks/02.ipynb.")
    texts = [(clone / "notebooks" / name).read_text() for name in ("01.ipynb", "02.ipynb")]
    assert texts == ["shipped", "shipped"]
    (kept,) = clone.glob("my_work/*/notebooks/*")
    assert kept.read_text() == "mine"


def test_reset_leaves_new_notebooks_alone_even_if_git_knows_them(make, clone):
    (clone / "notebooks" / "01.ipynb").write_text("mine")
    (clone / "notebooks" / "new.ipynb").write_text("new")
    git(clone, "mv", "notebooks/02.ipynb", "notebooks/own.ipynb")
    git(clone, "add", "notebooks")
    done = make("reset")
    assert done.returncode == 0
    texts = {path.name: path.read_text() for path in clone.glob("notebooks/*")}
    shipped = {"01.ipynb": "shipped", "02.ipynb": "shipped"}
    assert texts == shipped | {"new.ipynb": "new", "own.ipynb": "shipped"}


def test_reset_works_in_a_folder_of_another_repository(make, clone):
    (clone / "notebooks" / "01.ipynb").write_text("mine")
    (course := clone / "course").mkdir()
    for name in ("Makefile", "notebooks"):
        (clone / name).rename(course / name)
    git(clone, "add", "--all")
    git(clone, "commit", "--quiet", "-m", "Move")
    (course / "notebooks" / "02.ipynb").write_text("also mine")
    done = make("-C", str(course), "reset")
    assert done.returncode == 0
    assert (course / "notebooks" / "02.ipynb").read_text() == "shipped"
    (kept,) = course.glob("my_work/*/notebooks/*")
    assert kept.read_text() == "also mine"


def test_reset_without_changes_keeps_nothing(make, clone):
    assert make("reset").stdout == "All notebooks are as shipped.\n"
    assert not (clone / "my_work").exists()


def test_reset_changes_nothing_where_it_can_not_keep(make, clone):
    (clone / "notebooks" / "01.ipynb").write_text("mine")
    (clone / "my_work").write_text("a file in the way")
    assert make("reset").returncode != 0
    assert (clone / "notebooks" / "01.ipynb").read_text() == "mine"


def test_reset_without_git_says_what_it_needs(make):
    done = make("reset", GIT_DIR="/nowhere")
    assert done.returncode != 0
    assert done.stdout == "This needs git, and a clone of the course.\n"
