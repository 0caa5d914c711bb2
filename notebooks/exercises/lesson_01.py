"""Checks of lesson 01, Keys."""

import os
import tempfile
from pathlib import Path
from unittest.mock import patch

import httpx
from dotenv import load_dotenv

from . import exercise
from .values import a_kind

VARIABLE = "MISTRAL_API_KEY"
# A made-up key, in three pieces so that no scanner reports this file.
MADE_UP = "0a1b2c3d4e5f" + "6a7b8c9d0e1f" + "2a3b4c5d"
OWN = "another-key-of-your-own"
COPIED = "an-example-and-not-a-key"


@exercise(
    "Predict which setting wins",
    hints=(
        "`load_dotenv` leaves a variable alone that is already set.",
        "`override=True` reverses this.",
        "Is a variable that is set to an empty text set?",
    ),
    words=("environment", "file"),
)
def winners(predicted):
    if not isinstance(predicted, list | tuple) or len(predicted) != 3:
        return "Three predictions are wanted, one for each row of the table."
    for number, guess in enumerate(predicted, 1):
        if guess not in ("environment", "file"):
            return f"Row {number}: write 'environment' or 'file', and not {guess!r}."
    rows = (("set", False), ("set", True), ("", False))
    for number, (guess, (value, override)) in enumerate(zip(predicted, rows, strict=True), 1):
        if guess != winner(value, override):
            return f"Row {number}: not {guess!r}. {WHY[number]}"
    return None


WHY = {
    1: "The variable is set before `load_dotenv` is called.",
    2: "`override=True` changes which of the two wins.",
    3: "An empty variable is there as well: `'MISTRAL_API_KEY' in os.environ` is True.",
}


def winner(value, override):
    """Which of the two holds after `load_dotenv`, found out by running it."""
    with tempfile.TemporaryDirectory() as folder, patch.dict(os.environ, {VARIABLE: value}):
        (file := Path(folder, ".env")).write_text(f"{VARIABLE}=file\n")
        load_dotenv(file, override=override)
        return "file" if os.environ[VARIABLE] == "file" else "environment"


@exercise(
    "Name what stopped five programs",
    hints=(
        "Only one status is a verdict on the key.",
        "403 and 429 are about the plan and its limits, 500 and above about the server.",
    ),
    words=("key", "plan", "server"),
)
def causes(found):
    right = {
        "report": "key",
        "chatbot": "plan",
        "search": "plan",
        "nightly": "key",
        "website": "server",
    }
    if not isinstance(found, dict) or set(found) != set(right):
        return f"A dict with a cause for each program is wanted: {', '.join(right)}."
    for program, cause in found.items():
        if cause not in ("key", "plan", "server"):
            return f"The cause for {program!r} is 'key', 'plan' or 'server', and not {cause!r}."
    for program, cause in found.items():
        if cause != right[program]:
            return f"{program!r} did not stop because of its {cause}: look at its status again."
    return None


@exercise(
    "Read a key from two places",
    hints=(
        "`os.environ.get(name)` returns None where a variable is missing, and no error.",
        "`a or b` is b where a is None or empty.",
        "`dotenv_values(file)` is a dict. It is empty where there is no such file.",
    ),
)
def read_key(function):
    if not callable(function):
        return f"Define a function. This is {a_kind(function)}."
    with tempfile.TemporaryDirectory() as folder:
        (file := Path(folder, ".env")).write_text(f"{VARIABLE}=key-in-the-file\n")
        none = Path(folder, "none.env")
        for value, path, wanted, case in (
            ("key-in-the-environment", file, "key-in-the-environment", "both have a key"),
            ("key-in-the-environment", none, "key-in-the-environment", "there is no file"),
            (None, file, "key-in-the-file", "the variable is not set"),
            ("", file, "key-in-the-file", "the variable is empty"),
        ):
            got = in_environment(value, function, path)
            if isinstance(got, BaseException):
                return f"Where {case}, it raises {type(got).__name__}: {got}"
            if got != wanted:
                return f"Where {case}, it returns {got!r}."
        got = in_environment(None, function, none)
    if not isinstance(got, RuntimeError):
        what = f"raises {type(got).__name__}" if isinstance(got, BaseException) else "returns"
        return f"Where there is no key at all, it {what}, and does not raise a RuntimeError."
    if VARIABLE not in str(got):
        return f"The RuntimeError should say what to do, and name {VARIABLE}. It says: {str(got)!r}"
    return None


def in_environment(value, function, path):
    """What the function returns or raises where the variable has this value."""
    with patch.dict(os.environ):
        os.environ.pop(VARIABLE, None)
        if value is not None:
            os.environ[VARIABLE] = value
        try:
            return function(path)
        except Exception as error:
            return error


@exercise(
    "Build the request that checks a key",
    hints=(
        "`httpx.Request(method, url, headers=...)` takes what `httpx.get` takes, and sends nothing.",
        "The header's name is Authorization. Its value is the word Bearer, a space, and the key.",
        "`copied` ends with a line break. What does `check_key` do with it?",
    ),
)
def request(built):
    if not isinstance(built, httpx.Request):
        return f"Build an `httpx.Request`. This is {a_kind(built)}."
    if COPIED in str(built.url):
        return "The key is in the address. Addresses end up in logs: put it into a header."
    if built.method != "GET":
        return f"The list of models is fetched with GET. This request is a {built.method}."
    if built.url.copy_with(query=None) != "https://api.mistral.ai/v1/models":
        return f"The list of models is not at {built.url}."
    if "authorization" not in built.headers:
        return "No header of this request is called Authorization."
    sent = built.headers["authorization"]
    if sent != sent.strip():
        return "The line break went along: httpx would stop with an error that prints the key."
    if not sent.startswith("Bearer "):
        return "In the header, the word Bearer and a space come before the key."
    return None if sent == f"Bearer {COPIED}" else "After Bearer comes the key, and nothing else."


@exercise(
    "Scan a whole folder",
    hints=(
        "`folder.iterdir()` yields everything in a folder, whatever it is called.",
        "`find_keys` reads files. `path.is_file()` is False for a folder.",
        "An empty list counts as False: `if find_keys(file, own)`.",
    ),
)
def leaky_files(function):
    if not callable(function):
        return f"Define a function. This is {a_kind(function)}."
    leaks = {
        ".env": f"{VARIABLE}={OWN}",
        "Dockerfile": f"ENV {VARIABLE}={MADE_UP}",
        "server.log": f"Authorization: Bearer {MADE_UP}",
    }
    clean = {"README": "Set MISTRAL_API_KEY to your key.", "notes.txt": "Buy milk."}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, text in (leaks | clean).items():
            (folder / file).write_text(text)
        (folder / "picture.png").write_bytes(bytes(range(256)))
        (folder / "drafts").mkdir()
        try:
            found = function(folder, OWN)
        except (IsADirectoryError, PermissionError):
            return (
                "The folder has another folder in it, and the function tries to read that as text."
            )
    if not isinstance(found, list | tuple | set) or not all(
        isinstance(part, str | Path) for part in found
    ):
        return f"A list of file names is wanted. The function returned {found!r}."
    names = {Path(part).name for part in found}
    if missed := sorted(set(leaks) - names):
        return f"In a folder with other files, it missed {missed[0]!r}: {CONTENT[missed[0]]}."
    if wrong := sorted(names - set(leaks)):
        return f"It reports {wrong[0]!r}, which holds no key."
    return None


CONTENT = {
    ".env": "the key that was passed as `own` is in it",
    "Dockerfile": "32 letters and digits stand after the word mistral",
    "server.log": "a header of a request is in it",
}


@exercise(
    "Replace a key that leaked",
    hints=(
        "While you work, your programs should not stop. Which key do they use at each step?",
        "Delete the old key only after all programs use a new one that you have checked.",
    ),
)
def rotate(order):
    if not isinstance(order, str | list | tuple):
        return f"Write the letters in order, as in 'ABCDE'. This is {a_kind(order)}."
    letters = [letter for letter in "".join(map(str, order)).upper() if letter.isalpha()]
    if sorted(letters) != list("ABCDE"):
        return f"Use each of the letters A to E once. You have {''.join(letters) or 'none'}."
    at = {letter: letters.index(letter) for letter in letters}
    if at["B"] > min(at["C"], at["D"]):
        return "There is no new key yet that could be checked or put into place."
    if at["A"] < at["D"]:
        return "The old key is deleted while your programs still use it: they stop."
    if at["A"] < at["C"]:
        return "The old key is deleted before you know that the new one works."
    return None
