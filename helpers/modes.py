"""`start` decides where answers come from. The one place that knows all rooms, and wires them."""

from __future__ import annotations

import functools
import os
from pathlib import Path

import httpx

from .costs.meter import begin_count, count_call
from .costs.prices import reminder
from .keys import PLACEHOLDER, VARIABLE, find_key, read_env
from .replay.player import Fallback, Player
from .replay.recorder import Live, Recorder
from .replay.recordings import Recordings, short
from .replay.seam import install

MODES = ("replay", "live", "record")
ROOT = Path(__file__).parent.parent
FOLDER, ENV_FILE = ROOT / "data" / "recordings", ROOT / ".env"
# Of the record mode. A stream of an earlier start may still add to it.
_recordings: Recordings | None = None


def start(lesson: str, mode: str | None = None, base_url: str | None = None) -> None:
    """Decide where the answers of this notebook come from, and say so in one line.

    lesson: the notebook's name without its ending, such as "02_first_call".
    mode: "replay" answers every request to a Mistral host without a socket and without a key: from
    `data/recordings/<lesson>.json`, or where nothing is recorded by the offline API, which says so
    (MISTRAL_STRICT=1 forbids that); "live" calls the API with your key; "record" does the same
    and writes what came back to that file; it reads streams to their end, also those that you
    leave early. By default the variable MISTRAL_MODE decides, else it is "replay".
    base_url: a server of your own that speaks this API (vLLM, llama.cpp, Ollama), such as
    "http://127.0.0.1:8080/v1"; by default the variable MISTRAL_BASE_URL. Live, all requests go there
    instead of to Mistral, no key is needed or sent, and nothing is billed.

    The variables may stand in the environment or in a file `.env` at the top of the project, as may
    the key.

    It works under `httpx` and `httpx2`, so also under the official SDK, and for every client of
    this process, those made before included. Other hosts are left alone. MISTRAL_PACE=0 replays
    streams at full speed, MISTRAL_RECORDINGS names another folder.

    Raises ValueError for an unknown mode, a broken file or a base_url that is none,
    FileNotFoundError when the lesson has no recordings, RuntimeError when another process records
    it, `MissingKey` for a live call without a key.
    """
    base_url = base_url or _setting("MISTRAL_BASE_URL")
    mode = mode or _setting("MISTRAL_MODE") or ("live" if base_url else "replay")
    if mode not in MODES:
        raise ValueError(f"The mode (MISTRAL_MODE) is {mode!r}; it can be {', '.join(MODES)}.")
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


def _setting(name: str) -> str | None:
    """A variable of the environment, else of the `.env` file. The key in there stays where it is."""
    return os.environ.get(name) or read_env(ENV_FILE).get(name)


def _placeholder() -> None:
    """A key for cells that read one, where none is needed."""
    if not os.environ.get(VARIABLE, "").strip():
        os.environ[VARIABLE] = PLACEHOLDER


def _own_server(mode: str, base_url: str) -> None:
    if mode == "record":
        raise ValueError(
            "record asks Mistral's API itself: leave base_url and MISTRAL_BASE_URL out."
        )
    if httpx.URL(base_url).scheme not in ("http", "https"):
        raise ValueError(
            f"base_url is {base_url!r}; it is a URL, such as http://127.0.0.1:8080/v1."
        )
    _placeholder()
    begin_count(paid=False, server=base_url)
    install(Live(count_call, base_url))
    print(f"Live: calls go to {base_url}, without a key. Nothing is billed or recorded.")


def _replay(path: Path) -> None:
    _placeholder()
    begin_count(paid=False)
    # Shut the network before loading, which may fail.
    install(Player(Recordings(path)))
    recordings = Recordings.load(path)
    install(Player(recordings, _pace(), _fallback(path.stem), count_call))
    print(f"Replay, offline. Recorded answers: {recordings.origins()}.")


def _fallback(lesson: str) -> Fallback | None:
    """Who answers what is not recorded: nobody where MISTRAL_STRICT is set, as in the tests."""
    if os.environ.get("MISTRAL_STRICT", "0") not in ("", "0"):
        return None
    # Imported here, since pydantic's models take their time.
    from .offline.fallback import Offline

    return Offline(lesson)


@functools.cache
def _remind() -> None:
    """Where money is spent, say once when the prices are old; stored outputs never depend on it."""
    if line := reminder():
        print(line)


def _pace() -> float:
    pace = os.environ.get("MISTRAL_PACE") or "1"
    try:
        return min(max(0.0, float(pace)), 100.0)
    except ValueError:
        raise ValueError(
            f"MISTRAL_PACE is {pace!r}; it is a number: 1 as recorded, 0 at once."
        ) from None
