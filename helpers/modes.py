"""`start` decides where answers come from. Only this module connects the subpackages."""

from __future__ import annotations

import functools
import os
from pathlib import Path

import httpx

from .costs.meter import begin_count, count_call
from .costs.prices import reminder
from .data import DATA, PROJECT
from .keys import PLACEHOLDER, VARIABLE, find_key, read_env
from .replay.player import Fallback, Player
from .replay.recorder import Live, Recorder
from .replay.recordings import Recordings, short
from .replay.seam import install

MODES = ("replay", "live", "record")
FOLDER, ENV_FILE = DATA / "recordings", PROJECT / ".env"
# For record mode. A stream begun before this `start` may still add to them.
_recordings: Recordings | None = None


def start(lesson: str, mode: str | None = None, base_url: str | None = None) -> None:
    """Choose where the answers of this notebook come from, and print the choice.

    lesson: the notebook's name without its extension, such as "02_first_call".
    mode: "replay" answers every request to a Mistral host without a network or a key: from
    `data/recordings/<lesson>.json`, or, where nothing is recorded, from the offline API, which
    prints a note (MISTRAL_STRICT=1 turns it off). "live" calls the API with your key. "record"
    also writes the answers to that file, and reads streams to the end even if you stop early.
    The default is the variable MISTRAL_MODE, or else "replay".
    base_url: a server of your own with the same API (vLLM, llama.cpp, Ollama), such as
    "http://127.0.0.1:8080/v1". In live mode all requests go there instead of to Mistral, without
    a key, and nothing is billed. The default is the variable MISTRAL_BASE_URL.

    The variables and the key can be set in the environment or in a file `.env` at the top of the
    project. MISTRAL_PACE=0 replays streams at full speed; MISTRAL_RECORDINGS names another folder.

    It works for every `httpx` and `httpx2` client of this process, and so for the official SDK,
    including clients created earlier. Requests to other hosts are left alone,
    but in replay a name that is nearly api.mistral.ai can't be reached.

    Raises ValueError for an unknown mode, a broken file or an invalid base_url, FileNotFoundError
    when the lesson has no recordings, RuntimeError when another process is recording it, and
    `MissingKey` for live calls without a key.
    """
    base_url = base_url or setting("MISTRAL_BASE_URL")
    mode = mode or setting("MISTRAL_MODE") or ("live" if base_url else "replay")
    if mode not in MODES:
        raise ValueError(
            f"The mode (MISTRAL_MODE) is {mode!r}; it must be one of {', '.join(MODES)}."
        )
    if not lesson or Path(lesson).name != lesson:
        raise ValueError(f"{lesson!r} is not the name of a lesson, such as '02_first_call'.")
    path = Path(os.environ.get("MISTRAL_RECORDINGS") or FOLDER) / f"{lesson}.json"
    if mode == "replay":
        _replay(path)
        return
    if base_url:
        _own_server(mode, base_url)
        return
    find_key(ENV_FILE)
    begin_count(paid=True)
    if mode == "live":
        install(Live(count_call))
        _remind()
        print("Live: calls go to the API with your key and are billed. Nothing is recorded.")
        return
    global _recordings
    if _recordings is None or _recordings.path != path:
        _recordings = Recordings.load(path) if path.exists() else Recordings(path)
    _recordings.begin()
    install(Recorder(_recordings, count_call))
    _remind()
    print(f"Record: calls go to the API with your key and are billed; answers go to {short(path)}.")


def live_url() -> str | None:
    """The API that live calls go to, Mistral's or your own server's; None in the other modes.

    For programs that a lesson starts, which get their key from the environment: afterwards it holds
    the key of the `.env` file or, for a server of your own, none. Raises `MissingKey`.
    """
    base_url = setting("MISTRAL_BASE_URL")
    if (setting("MISTRAL_MODE") or ("live" if base_url else "replay")) != "live":
        return None
    if base_url:
        os.environ[VARIABLE] = PLACEHOLDER
        return base_url
    find_key(ENV_FILE)
    return "https://api.mistral.ai/v1"


def setting(name: str) -> str | None:
    """A variable of the environment, or else of the `.env` file, whose key is not loaded."""
    return os.environ.get(name) or read_env(ENV_FILE).get(name)


def _placeholder() -> None:
    """Set a key for cells that read one, where none is needed."""
    if not os.environ.get(VARIABLE, "").strip():
        os.environ[VARIABLE] = PLACEHOLDER


def _own_server(mode: str, base_url: str) -> None:
    if mode == "record":
        raise ValueError(
            "Record mode needs Mistral's own API: leave out base_url and MISTRAL_BASE_URL."
        )
    if httpx.URL(base_url).scheme not in ("http", "https"):
        raise ValueError(
            f"base_url is {base_url!r}; it must be a URL, such as http://127.0.0.1:8080/v1."
        )
    _placeholder()
    begin_count(paid=False, server=base_url)
    install(Live(count_call, base_url))
    print(f"Live: calls go to {base_url}, without a key. Nothing is billed or recorded.")


def _replay(path: Path) -> None:
    _placeholder()
    begin_count(paid=False)
    # Block the network before loading, which may fail.
    install(Player(Recordings(path)))
    recordings = Recordings.load(path)
    install(Player(recordings, _pace(), _fallback(path.stem), count_call))
    print(f"Replay, offline. Recorded answers: {recordings.origins()}.")


def _fallback(lesson: str) -> Fallback | None:
    """The source of answers that are not recorded, or None under MISTRAL_STRICT, as in the tests."""
    if os.environ.get("MISTRAL_STRICT", "0") not in ("", "0"):
        return None
    # Imported here, since its pydantic models take long to build.
    from .offline.fallback import Offline

    return Offline(lesson)


@functools.cache
def _remind() -> None:
    """Print once, in the modes that cost money, that prices are old. Stored outputs never contain it."""
    if line := reminder():
        print(line)


def _pace() -> float:
    pace = os.environ.get("MISTRAL_PACE") or "1"
    try:
        return min(max(0.0, float(pace)), 100.0)
    except ValueError:
        raise ValueError(
            f"MISTRAL_PACE is {pace!r}; it must be a number: 1 for the recorded pace, 0 for no waiting."
        ) from None
