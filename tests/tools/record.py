"""Run the notebooks against the API, record its answers, and store the outputs of a replay.

    python -m tests.tools.record [LESSON ...]               needs a key and costs money; asks first
    python -m tests.tools.record --stand-ins [LESSON ...]   the answers come from data/stand_ins, offline

A lesson whose notebook fails keeps its recordings and its outputs.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

from helpers.costs.prices import reminder
from helpers.keys import VARIABLE, MissingKey, api_key, find_key
from helpers.offline.api import PAST
from helpers.replay.recordings import Recordings, lock_recording
from tests.tools.stand_ins import KEY

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS, RECORDINGS = ROOT / "notebooks", ROOT / "data" / "recordings"

METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
METER = re.compile(r"^\d+ calls?, .* out\.( Live: \$(?P<usd>[\d,.]+)\b.* \d{4}-\d\d-\d\d\.)?", re.M)
SETUP = "import helpers\nfrom tests.tools import stand_ins\n\nstand_ins.install({lesson!r})"
# Asks the recordings of lesson 02 in a process of its own, and so has none.
SETUP_CHECK = "00_check_your_setup"
# Seconds per cell: one of lesson 09 sends 300 requests, and a plan may allow only one a second.
LONGEST_CELL = 3600


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("lessons", nargs="*", help="02_first_call, or just 02; default: all")
    parser.add_argument(
        "--stand-ins", action="store_true", help="record the stand-ins instead of the API"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask before spending money")
    args = parser.parse_args()
    try:
        lessons = find_lessons(args.lessons)
        if not args.stand_ins:
            find_key(ROOT / ".env")
        key = KEY if args.stand_ins else api_key()
    except LookupError as error:
        parser.error(str(error))
    except MissingKey as error:
        parser.error(f"{error} Without a key, --stand-ins records the stand-ins.")
    try:
        for lesson in lessons:
            lock_recording(_files(lesson)[0])
    except RuntimeError as error:
        parser.exit(1, f"{error}\n")
    if not args.stand_ins:
        print(bill(lessons), reminder() or "", sep="\n")
        if not args.yes and not sys.stdin.isatty():
            parser.error("stdin is not a terminal: pass --yes to spend this without being asked.")
        if not args.yes and input("Send all these requests? [y/N] ").strip().lower() != "y":
            parser.exit(1, "No request was sent, no money was spent.\n")
    _clean_up_all()
    for lesson in lessons:
        print(lesson, "...", end=" ", flush=True)
        size = renew(lesson, key, args.stand_ins)
        print(f"{size:,} bytes of recordings", flush=True)


def find_lessons(names: list[str]) -> list[str]:
    """The lessons with these names or numbers, such as "02_first_call" or "02"; by default, all.

    Raises LookupError with the names of the lessons that exist.
    """
    known = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))
    found = {name: [one for one in known if name in (one, one.partition("_")[0])] for name in names}
    if unknown := [name for name, lessons in found.items() if not lessons]:
        raise LookupError(f"no such lesson: {', '.join(unknown)}; there are {', '.join(known)}")
    return [lesson for lessons in found.values() for lesson in lessons] or known


def bill(lessons: list[str]) -> str:
    """What recording these lessons will cost, according to the meter lines in their outputs."""
    lines, total = [], 0.0
    for lesson in [lesson for lesson in lessons if lesson != SETUP_CHECK]:
        cells = read_notebook(NOTEBOOKS / f"{lesson}.ipynb").cells
        texts = [out.get("text", "") for cell in cells for out in cell.get("outputs", [])]
        meters = [found for text in texts if (found := METER.search(text))]
        total += float((meters[-1]["usd"] or "0").replace(",", "")) if meters else 0.0
        lines.append(f"{lesson}: {meters[-1][0] if meters else 'unknown, it has no meter line'}")
    return "\n".join([*lines, f"Total: about ${total:.4f}, if the answers are as long as these."])


def renew(lesson: str, key: str, stand_ins: bool) -> int:
    """Record a lesson and store its outputs. Returns the size of the recordings in bytes.

    If either step fails, both files stay as they were; if the process is killed, the next run
    restores them. Only one process may do this at a time: see `lock_recording`.
    """
    recordings, notebook = _files(lesson)
    clean_up(lesson)
    folder = _beside(lesson, "new")
    folder.mkdir()
    try:
        if lesson != SETUP_CHECK:
            record(lesson, key, stand_ins, folder)
        _save(lesson)
        if lesson != SETUP_CHECK:
            # In its final place, because cells and outputs contain its path.
            _replace(folder / recordings.name, recordings)
        store_outputs(lesson, folder)
        _replace(folder / notebook.name, notebook)
        _beside(lesson, "old").rename(_beside(lesson, "done"))
    finally:
        clean_up(lesson)
    return recordings.stat().st_size if recordings.exists() else 0


def _save(lesson: str) -> None:
    """Copy both files, for `clean_up`. The final name of the folder means that both are complete."""
    saving = _beside(lesson, "saving")
    saving.mkdir()
    for path in _files(lesson):
        if path.exists():
            shutil.copy2(path, saving)
        else:
            (saving / f"{path.name}.absent").touch()
    saving.rename(_beside(lesson, "old"))


def clean_up(lesson: str) -> None:
    """Restore both files of a lesson whose recording was interrupted; remove temporary files."""
    old = _beside(lesson, "old")
    for path in _files(lesson) if old.exists() else ():
        # Moved, not copied: the disk may be full. A run that was killed may have moved some already.
        if (saved := old / path.name).exists():
            os.replace(saved, path)
        elif (old / f"{path.name}.absent").exists():
            path.unlink(missing_ok=True)
    for rest in RECORDINGS.glob(f".{lesson}-*"):
        shutil.rmtree(rest) if rest.is_dir() else rest.unlink()


def _clean_up_all() -> None:
    """Clean up every lesson that no process is recording."""
    for lesson in find_lessons([]):
        if any(RECORDINGS.glob(f".{lesson}-*")):
            with contextlib.suppress(RuntimeError):
                lock_recording(_files(lesson)[0])
                clean_up(lesson)


def _beside(lesson: str, what: str) -> Path:
    return RECORDINGS / f".{lesson}-{what}"


def _files(lesson: str) -> tuple[Path, Path]:
    return RECORDINGS / f"{lesson}.json", NOTEBOOKS / f"{lesson}.ipynb"


def _replace(new: Path, path: Path) -> None:
    """Put a complete file in another's place, with that one's mode, also if the power fails."""
    if path.exists():
        shutil.copymode(path, new)
    with new.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(new, path)


def record(lesson: str, key: str, stand_ins: bool, folder: Path) -> None:
    """Run a notebook in record mode, and write its recordings to this folder.

    Cells tagged "replay-only" are left out: their requests are never recorded. Those tagged "past"
    use what the API no longer has: only stand-ins answer them, and recording the API keeps these.
    """
    book = read_notebook(NOTEBOOKS / f"{lesson}.ipynb")
    left_out = {"replay-only"} if stand_ins else {"replay-only", "past"}
    book.cells = [c for c in book.cells if not left_out & set(c.metadata.get("tags", []))]
    if stand_ins:
        book.cells.insert(0, code_cell(SETUP.format(lesson=lesson)))
    recorded = folder / f"{lesson}.json"
    # For a lesson that sends no requests.
    recorded.write_text('{"recordings": []}')
    run(book, MISTRAL_MODE="record", MISTRAL_RECORDINGS=str(folder), **{VARIABLE: key})
    path = RECORDINGS / recorded.name
    if path.exists() and not stand_ins:
        found = Recordings.load(recorded)
        for item in Recordings.load(path):
            if item.get("note") == PAST:
                found.add(item)


def store_outputs(lesson: str, folder: Path) -> None:
    """Run a notebook on its recordings, and write it to this folder with its outputs, numbered 1..n."""
    book = read_notebook(NOTEBOOKS / f"{lesson}.ipynb")
    run(
        book,
        MISTRAL_MODE="replay",
        # Only recordings may answer: a request that is not recorded is a mistake in the lesson.
        MISTRAL_STRICT="1",
        # As recorded, for cells that show how long an answer took.
        MISTRAL_PACE="1",
        MISTRAL_RECORDINGS=str(RECORDINGS),
        **{VARIABLE: ""},
    )
    # Which exercises prove which objective; what else the kernel or an editor noted is left out.
    kept = {name: book.metadata[name] for name in ("objectives",) if name in book.metadata}
    book.metadata.clear()
    book.metadata.update(METADATA | kept)
    write_notebook(book, folder / f"{lesson}.ipynb")


def run(book: Any, **environment: str) -> None:
    """Run a notebook's cells in a new kernel, with these environment variables."""
    # A real keyring would prompt for a password; the notebooks only look into it.
    environment["PYTHON_KEYRING_BACKEND"] = "keyring.backends.null.Keyring"
    # Not what the author has solved.
    environment["COURSE_PROGRESS"] = os.devnull
    old = dict(os.environ)
    os.environ.update(environment)
    try:
        client = NotebookClient(
            book,
            timeout=LONGEST_CELL,
            kernel_name="python3",
            record_timing=False,
            # One output for all pieces of a stream.
            coalesce_streams=True,
            resources={"metadata": {"path": str(NOTEBOOKS)}},
        )
        client.execute()
    finally:
        os.environ.clear()
        os.environ.update(old)


def read_notebook(path: Path) -> Any:
    return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]


def write_notebook(book: Any, path: Path) -> None:
    nbformat.write(book, path)  # type: ignore[no-untyped-call]


def code_cell(source: str) -> Any:
    return nbformat.v4.new_code_cell(source)  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
