"""The image and what is composed of it. Docker itself is not run: its files are read, and its very command is
started, from a copy of what the image would hold, as another user, with nothing to write to but one folder."""

import importlib.metadata
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx
import pytest
import yaml
from packaging.requirements import Requirement

from tests.deploy.server import APP, KEY, text_of

COMPOSE = yaml.safe_load((APP / "compose.yaml").read_text("utf-8"))
NOBODY = 10001


def instructions():
    """[(instruction, argument)] of the Dockerfile, with continued lines joined."""
    text = re.sub(r"^#.*\n", "", (APP / "Dockerfile").read_text("utf-8"), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [tuple(line.split(None, 1)) for line in lines if line.strip()]


def last(name):
    return [argument for instruction, argument in instructions() if instruction == name][-1]


def test_the_image_is_slim_pinned_and_runs_as_nobody_with_a_healthcheck():
    known = {
        "FROM",
        "ENV",
        "WORKDIR",
        "COPY",
        "RUN",
        "VOLUME",
        "USER",
        "EXPOSE",
        "HEALTHCHECK",
        "CMD",
    }
    assert {name for name, _ in instructions()} == known
    assert re.fullmatch(r"python:3\.\d+-slim", last("FROM"))
    assert last("USER") == f"{NOBODY}:{NOBODY}"
    assert json.loads(last("CMD")) == ["python", "serve.py"], "not a shell, which keeps SIGTERM"
    order = [name for name, _ in instructions()]
    assert order.index("USER") < order.index("CMD")
    *_, check = last("HEALTHCHECK").partition("CMD ")
    compile(json.loads(check)[2], "healthcheck", "exec")
    assert "/health" in check and last("EXPOSE") == "8000"


def test_no_key_can_get_into_the_image():
    text = (APP / "Dockerfile").read_text("utf-8")
    assert not re.search(r"(?i)^(ENV|ARG).*key", text, re.MULTILINE)
    lines = [line for line in (APP / ".dockerignore").read_text().splitlines() if line[:1] != "#"]
    assert lines[0] == "*", "what is not named stays out, .env and key files too"
    assert sorted(lines[1:]) == ["!*.py", "!page", "!requirements.txt"]
    assert not re.search("innerHTML|insertAdjacent|eval\\(", (APP / "page" / "chat.js").read_text())


def test_the_pins_are_what_these_tests_ran_with():
    problems = []
    for line in (APP / "requirements.txt").read_text().splitlines():
        name, _, version = line.partition("==")
        if version and name != "valkey" and importlib.metadata.version(name) != version:
            problems.append(line)
    makefile = (APP.parent.parent / "Makefile").read_text()
    assert "valkey==6.2.0" in makefile and "valkey==6.2.0" in (APP / "requirements.txt").read_text()
    assert problems == []


def test_each_service_is_closed_as_far_as_it_can_be():
    problems = []
    for name, service in COMPOSE["services"].items():
        for key, value in (
            ("read_only", True),
            ("cap_drop", ["ALL"]),
            ("security_opt", ["no-new-privileges:true"]),
        ):
            if service.get(key) != value:
                problems.append((name, key))
    assert problems == []
    chat = COMPOSE["services"]["chat"]
    assert all(port.startswith("127.0.0.1:") for port in chat["ports"])
    assert "ports" not in COMPOSE["services"]["valkey"], "nobody else reaches the database"
    assert "MISTRAL_API_KEY" not in chat["environment"], "a secret, not a variable"
    assert chat["environment"]["MISTRAL_API_KEY_FILE"] == f"/run/secrets/{chat['secrets'][0]}"
    assert int(chat["stop_grace_period"].rstrip("s")) >= 20 + 5


def test_every_setting_that_is_composed_exists():
    text = (APP / "settings.py").read_text()
    given = {**COMPOSE["services"]["chat"]["environment"]}
    given |= dict(pair.split("=") for pair in last("ENV").split())
    names = {name.removeprefix("CHAT_").lower() for name in given if name.startswith("CHAT_")}
    assert [name for name in names if f"\n    {name}: " not in text] == []


def image(folder):
    """A copy of what the Dockerfile copies, readable for all and writable for nobody."""
    (copy := folder / "app").mkdir()
    for path in APP.glob("*.py"):
        shutil.copy(path, copy)
    shutil.copytree(APP / "page", copy / "page")
    for path in [copy, *copy.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    return copy


def install(folder):
    """Copy the packages of requirements.txt, and what they need, from this environment."""
    (site := folder / "site").mkdir()
    wanted, done = ["httpx", "starlette", "uvicorn"], set()
    while wanted:
        name = wanted.pop()
        dist = importlib.metadata.distribution(name)
        for file in dist.files:
            if ".." not in file.parts and file.suffix in (".py", ".pem", ".txt", ".json"):
                (target := site / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(dist.locate_file(file), target)
        done.add(name)
        needs = [Requirement(text) for text in dist.requires or []]
        needs = [
            need.name for need in needs if not need.marker or need.marker.evaluate({"extra": ""})
        ]
        wanted += [need for need in needs if need not in done]
    return site


def other_python():
    """A Python that any user may run: not always the one of these tests."""
    for path in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        real = Path(path).resolve()
        if real.exists() and all(part.stat().st_mode & 0o005 == 0o005 for part in real.parents):
            return str(real)
    return None


@pytest.mark.slow
@pytest.mark.skipif(
    sys.platform == "win32" or os.getuid() != 0, reason="only root can be another user"
)
def test_the_images_command_runs_as_nobody_and_stops_on_sigterm(api, tmp_path):
    if not (python := other_python()):
        pytest.skip("no Python here that another user may run")
    # All folders below the one for temporary files.
    top = Path(tempfile.gettempdir()).resolve()
    for folder in [tmp_path, *tmp_path.parents]:
        if top in folder.parents:
            folder.chmod(0o755)
    copy, site = image(tmp_path), install(tmp_path)
    data, secret = tmp_path / "data", tmp_path / "key"
    data.mkdir()
    os.chown(data, NOBODY, NOBODY)
    secret.write_text(KEY)
    environment = dict(pair.split("=") for pair in last("ENV").split())
    environment |= {"CHAT_STORE": str(data / "chat.sqlite3"), "CHAT_PORT": "0"}
    environment |= {"CHAT_HOST": "127.0.0.1", "PYTHONPATH": str(site), "PYTHONUNBUFFERED": "1"}
    environment |= {"MISTRAL_API_KEY_FILE": str(secret), "MISTRAL_BASE_URL": api.url}
    process = subprocess.Popen(
        [python, *json.loads(last("CMD"))[1:]],
        cwd=copy,
        env=environment,
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        url = f"http://127.0.0.1:{json.loads(process.stdout.readline())['port']}"
        status = Path(f"/proc/{process.pid}/status").read_text()
        assert re.search(r"Uid:\s+(\d+)", status)[1] == str(NOBODY)
        *_, check = last("HEALTHCHECK").partition("CMD ")
        probe = json.loads(check)[2].replace("http://127.0.0.1:8000", url)
        assert subprocess.run([sys.executable, "-c", probe]).returncode == 0
        question = {"messages": [{"role": "user", "content": "hello"}]}
        assert text_of(httpx.post(f"{url}/chat", json=question)) == "hello"
        assert "chat.sqlite3" in [path.name for path in data.iterdir()]
        copied = [*(path.name for path in APP.glob("*.py")), "page"]
        assert sorted(path.name for path in copy.iterdir()) == sorted(copied), "nothing else"
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) in (0, -signal.SIGTERM)
        process.stdout.close()
