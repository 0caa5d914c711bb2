"""GitHub's workflows, templates and the hooks run what exists here, and what a person would run."""

import json
import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent.parent
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
WORKFLOWS = {
    path.name: yaml.safe_load(path.read_text("utf-8"))
    for path in sorted((ROOT / ".github" / "workflows").glob("*.yml"))
}
# On Windows, where the Makefile finds no .venv/bin.
WITHOUT_MAKE = {
    "python -m pip install --require-hashes -r requirements.txt",
    "python -m pytest notebooks",
}
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]


def jobs():
    return [
        (f"{name}, {job}", content)
        for name, workflow in WORKFLOWS.items()
        for job, content in workflow["jobs"].items()
    ]


def unknown(line, windows):
    """Whether a line of `run` is neither a target of the Makefile nor allowed beside it."""
    if windows:
        return line not in WITHOUT_MAKE
    if target := re.fullmatch(r"make ([a-z-]+)", line):
        return target[1] not in TARGETS
    # What GitHub's own program does: open an issue.
    return not line.startswith("gh issue ")


def test_every_command_is_a_target_of_the_makefile():
    problems = []
    for name, job in jobs():
        windows = "windows" in job["runs-on"]
        for step in job["steps"]:
            problems += [
                f"{name}: {line}"
                for line in step.get("run", "").splitlines()
                if unknown(line, windows)
            ]
    assert problems == []


@pytest.mark.parametrize("target", ["nonsense", "test; curl x", "-C .. test", ""])
def test_another_command_is_noticed(target):
    assert unknown(f"make {target}", windows=False) and unknown(f"make {target}", windows=True)
    assert unknown("pytest", windows=False) and unknown("pytest", windows=True)


def test_three_systems_run_the_tests_on_each_python():
    matrices = [job["strategy"]["matrix"] for job in WORKFLOWS["tests.yml"]["jobs"].values()]
    assert [matrix["python"] for matrix in matrices] == [PYTHONS, PYTHONS]
    systems = {*matrices[0]["os"], WORKFLOWS["tests.yml"]["jobs"]["windows"]["runs-on"]}
    assert systems == {"ubuntu-latest", "macos-latest", "windows-latest"}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["requires-python"] == ">=3.11,<3.15"


def test_no_job_may_write_more_than_it_needs_or_run_for_hours():
    problems = []
    for name, workflow in WORKFLOWS.items():
        written = {what for what, how in workflow["permissions"].items() if how != "read"}
        if written - ({"issues"} if name == "prices.yml" else set()):
            problems.append(f"{name} may write {written}")
        for job in workflow["jobs"].values():
            problems += [
                name for step in job["steps"] if "run" in step and "timeout-minutes" not in job
            ]
    assert problems == []


def test_no_text_from_outside_is_put_into_a_command():
    """An expression in `run` would be part of the script: values come through the environment."""
    lines = [step.get("run", "") for _, job in jobs() for step in job["steps"]]
    assert [line for line in lines if "${{" in line] == []


@pytest.fixture
def open_issue(tmp_path):
    """Run the step that follows a failed `make prices`, with a gh that has these issues open: what it did."""
    (step,) = [step for step in WORKFLOWS["prices.yml"]["jobs"]["prices"]["steps"] if "if" in step]
    assert step["if"] == "failure()"
    (gh := tmp_path / "gh").write_text(
        '#!/bin/sh\nif [ "$2" = list ]; then printf "$OPEN"; else echo "$2: $4 $6" >> "$0.log"; fi\n'
    )
    gh.chmod(0o755)

    def run(issues):
        env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "RUN": "https://run", "OPEN": issues}
        done = subprocess.run(["bash", "-e", "-c", step["run"]], env=env)
        log = tmp_path / "gh.log"
        return done.returncode, log.read_text() if log.exists() else ""

    return run


def test_prices_to_look_at_open_an_issue(open_issue):
    code, opened = open_issue("")
    assert code == 0
    assert opened == (
        "create: Prices or models to check `make prices` lists them at its end: https://run\n"
    )


def test_no_second_issue_is_opened(open_issue):
    assert open_issue("7\\n") == (0, "")


def test_actions_are_those_of_github_with_a_version():
    used = [step["uses"] for _, job in jobs() for step in job["steps"] if "uses" in step]
    assert len(used) > 6
    assert [name for name in used if not re.fullmatch(r"actions/[a-z-]+@v\d+", name)] == []


def test_the_devcontainer_is_set_up_by_a_target():
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text("utf-8"))
    assert not unknown(container["postCreateCommand"], windows=False)
    assert container["image"].rpartition(":")[2] in PYTHONS


def test_no_workflow_needs_a_key():
    text = "".join(path.read_text("utf-8") for path in (ROOT / ".github").rglob("*.yml"))
    assert "secrets." not in text and "MISTRAL_API_KEY" not in text


def test_each_kind_of_issue_has_a_name_and_asks_for_something():
    forms = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
    assert len(forms) >= 2
    for path in forms:
        form = yaml.safe_load(path.read_text("utf-8"))
        ids = [field["id"] for field in form["body"]]
        assert form["name"] and form["description"] and len(set(ids)) == len(ids)


def test_the_hooks_download_nothing_and_run_what_exists():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))["repos"]
    assert [repo["repo"] for repo in hooks] == ["local"]
    for hook in hooks[0]["hooks"]:
        assert hook["language"] == "system"
        assert hook["entry"].startswith(".venv/bin/")
        for path in re.findall(r"\btests/\S+", hook["entry"]):
            assert (ROOT / path).exists()
    keys = (ROOT / "tests" / "lessons" / "test_no_keys.py").read_text("utf-8")
    assert "def test_a_notebook_holds_no_key(" in keys
