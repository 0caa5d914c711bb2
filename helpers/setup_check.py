"""Whether this machine is ready for the course: `python -m helpers` in a terminal, or lesson 00.

Each check returns one line, "OK name: …" or "TO DO name: what to do". It imports what it needs
itself, so that a missing package fails in its own line.
"""

from __future__ import annotations

import argparse
import functools
import getpass
import importlib.metadata
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
ASK = "import helpers as h; h.start('02_first_call', 'replay'); h.chat('What is the best French cheese?')"
# Bytes: `make own-texts` installs 100 MB, and lesson 10 fills a database.
ENOUGH = 300_000_000
INSTALL = f"run `make lab`, or {sys.executable} -m pip install -r requirements.txt"
AGAIN = "download the whole course again, and use that copy"


class ToDo(Exception):
    """What is to do, in one line."""


def main() -> int:
    """Print the checks. Returns the exit status: 0 if all are OK, else 1."""
    parser = argparse.ArgumentParser(prog="python -m helpers", description="Check this machine.")
    parser.add_argument("--ask-key", action="store_true", help="ask for a key, and check it")
    return 0 if report(parser.parse_args().ask_key) else 1


def report(ask_key: bool = False) -> bool:
    """Print a line for each check, and return whether all are OK. ask_key: see `key`."""
    lines = [python()]
    print(lines[0])
    ask = functools.partial(key, ask_key)
    checks: list[Callable[[], str]] = [packages, folder, replay, figures, mode, ask, disk]
    # With another Python, nothing below could run.
    for each in checks if lines[0].startswith("OK") else []:
        lines.append(each())
        print(lines[-1], flush=True)
    to_do = sum(not line.startswith("OK") for line in lines)
    print(f"To do: {to_do} of {len(lines)}." if to_do else "Ready. Go on with lesson 01.")
    return not to_do


def check(work: Callable[..., str]) -> Callable[..., str]:
    """Make what a function returns a line "OK …", and what it raises a line "TO DO …"."""

    @functools.wraps(work)
    def line(*arguments: Any, **named: Any) -> str:
        try:
            return f"OK {work.__name__}: {work(*arguments, **named)}"
        except (ToDo, RuntimeError) as error:
            problem = str(error).rstrip(".")
        except ImportError as error:
            problem = f"{error.name} is missing; {INSTALL}"
        except Exception as error:
            # Its type only: a message may quote the key.
            problem = f"it fails with {type(error).__name__}; {AGAIN}"
        return f"TO DO {work.__name__}: {problem}."

    return line


@check
def python() -> str:
    """The version of Python, compared with pyproject.toml."""
    # Read by hand: an old Python has no tomllib.
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    least, over = re.findall(r'requires-python = ">=3\.(\d+),<3\.(\d+)"', text)[0]
    version = ".".join(map(str, sys.version_info[:3]))
    if not (3, int(least)) <= sys.version_info[:2] < (3, int(over)):
        raise ToDo(f"this is {version}; install Python 3.{least} or newer, below 3.{over}")
    return version


@check
def packages() -> str:
    """The versions of the packages, compared with the bounds in pyproject.toml."""
    import tomllib

    from packaging.requirements import Requirement

    text = (ROOT / "pyproject.toml").read_text("utf-8")
    needed = [Requirement(name) for name in tomllib.loads(text)["project"]["dependencies"]]
    problems = []
    for package in needed:
        try:
            version = importlib.metadata.version(package.name)
            if version not in package.specifier:
                problems.append(f"{package.name} is {version}, not {package.specifier}")
        except importlib.metadata.PackageNotFoundError:
            problems.append(f"{package.name} is missing")
    if problems:
        raise ToDo(f"{', '.join(problems)}; {INSTALL}")
    return f"all {len(needed)} have versions that the course needs"


@check
def folder() -> str:
    """Whether the course's files are all here, in a folder in which you can save."""
    notebooks, recordings = ROOT / "notebooks", ROOT / "data" / "recordings"
    if Path.cwd() not in (ROOT, notebooks):
        raise ToDo(f"this runs in {Path.cwd()}; open {notebooks / '00_check_your_setup.ipynb'}")
    lessons = {path.stem for path in notebooks.glob("[0-9][0-9]_*.ipynb")}
    recorded = {path.stem for path in recordings.glob("*.json")}
    missing = sorted(lessons ^ {"00_check_your_setup", *recorded})
    if missing:
        raise ToDo(f"a file of {missing[0]} is missing; run `make reset`, or {AGAIN}")
    for path in sorted(notebooks.glob("[0-9][0-9]_*.ipynb")):
        try:
            json.loads(path.read_text("utf-8"))
        except ValueError:
            raise ToDo(f"{path.name} is damaged; `make reset` keeps it and puts it back") from None
    try:
        tempfile.TemporaryFile(dir=notebooks).close()
    except OSError:
        raise ToDo(f"you can't save in {notebooks}; copy the course to a folder of yours") from None
    return f"{len(lessons)} notebooks with their recordings, and you can save"


@check
def replay() -> str:
    """Whether a recorded call answers, as in a lesson."""
    # In a process of its own, since `start` changes httpx; strict, so that only a recording answers.
    settings = {**os.environ, "MISTRAL_STRICT": "1", "MISTRAL_PACE": "0"}
    command = [sys.executable, "-c", ASK]
    done = subprocess.run(command, cwd=ROOT, env=settings, capture_output=True, text=True)
    if done.returncode:
        error = re.search(r"^([\w.]+): .*", done.stderr, re.M)
        raise ToDo(f"a recorded call fails ({error and error[0].rstrip('.:')}); {AGAIN}")
    return "a recorded call answers, without a network"


@check
def figures() -> str:
    """Whether matplotlib draws in the course's style, with its font."""
    import matplotlib.style
    from matplotlib.figure import Figure
    from matplotlib.font_manager import findfont

    from .plots import STYLE

    with matplotlib.style.context(STYLE):
        font = matplotlib.rcParams["font.family"][0]
        try:
            findfont(font, fallback_to_default=False)
        except ValueError:
            cache = matplotlib.get_cachedir()
            raise ToDo(f"the font {font} is not found; delete {cache} and run this again") from None
        figure = Figure()
        figure.subplots().set_title("Umlauts: ä ö ü. A euro: €")
        figure.savefig(io.BytesIO(), format="png")
    return f"matplotlib {matplotlib.__version__} draws, in {font}"


@check
def mode() -> str:
    """Where the lessons' answers come from, and what decides it."""
    from .modes import MODES, setting

    chosen, server = setting("MISTRAL_MODE"), setting("MISTRAL_BASE_URL")
    where = "in the environment" if os.environ.get("MISTRAL_MODE") else "in the file .env"
    if chosen and chosen not in MODES:
        raise ToDo(f"MISTRAL_MODE is {chosen!r}, {where}; write one of {', '.join(MODES)} there")
    if server and chosen != "replay":
        return f"live, on {server}, since MISTRAL_BASE_URL names it"
    if chosen:
        return f"{chosen}, since MISTRAL_MODE says so, {where}"
    return "replay, since MISTRAL_MODE is not set; it needs no key and costs nothing"


@check
def key(ask: bool = False) -> str:
    """The form of the key, if there is one; in live mode, also whether the API takes it.

    ask: ask for a key, to check it. It is neither shown nor kept.
    """
    from .keys import PLACEHOLDER, VARIABLE
    from .modes import setting

    found = (getpass.getpass("Mistral API key: ") if ask else setting(VARIABLE) or "").strip()
    live = setting("MISTRAL_MODE") in ("live", "record") and not setting("MISTRAL_BASE_URL")
    if found in ("", PLACEHOLDER):
        if live:
            raise ToDo(f"this mode needs one; set {VARIABLE} as lesson 01 shows")
        return "none, and replay needs none; lesson 01 shows where one goes"
    # What scanners for leaked keys look for. Mistral names no form, so in live mode the API decides.
    usual = re.fullmatch(r"[A-Za-z0-9]{32}", found)
    if not re.fullmatch(r"[!-~]+", found) or not (usual or live):
        raise ToDo(f"{len(found)} characters, not 32 letters and digits; copy it again")
    return _ask_api(found) if live else "32 letters and digits; in live mode, the API is asked too"


def _ask_api(key: str) -> str:
    """Whether the API takes a key. A list of models costs nothing."""
    import httpx

    url, headers = "https://api.mistral.ai/v1/models", {"Authorization": f"Bearer {key}"}
    try:
        status = httpx.get(url, headers=headers, timeout=5).status_code
    except httpx.TransportError as error:
        raise ToDo(f"no answer ({type(error).__name__}); look at network and proxy") from None
    if status != 200:
        advice = "copy it again, or make a new one" if status == 401 else "try again in a minute"
        raise ToDo(f"the API answers {status}; {advice}")
    return "the API takes it"


@check
def disk() -> str:
    """Whether there is room for the course, and for temporary files."""
    free = {where: shutil.disk_usage(where).free for where in (ROOT, Path(tempfile.gettempdir()))}
    where = min(free, key=lambda place: free[place])
    if free[where] < ENOUGH:
        raise ToDo(f"{free[where] / 1e6:.0f} MB are free in {where}; make it {ENOUGH / 1e6:.0f}")
    return f"{free[where] / 1e9:,.0f} GB are free"
