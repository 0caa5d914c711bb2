"""Run the notebooks against the API, write down its answers, and store the outputs of a replay.

    python -m helpers.record [LESSON ...]               needs a key and costs money; it asks before
    python -m helpers.record --stand-ins [LESSON ...]   the answers come from data/stand_ins, offline

A lesson whose notebook fails keeps its recordings and its outputs.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from .costs.prices import reminder
from .keys import VARIABLE, MissingKey, api_key, find_key
from .offline import api, recording
from .replay.recordings import Recordings

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS, RECORDINGS = ROOT / "notebooks", ROOT / "data" / "recordings"

METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
METER = re.compile(r"^\d+ calls?, .* out\.( Live: \$(?P<usd>[\d,.]+)\b.* \d{4}-\d\d-\d\d\.)?", re.M)
SETUP = "import helpers\nfrom helpers.offline import recording\n\nrecording.install({lesson!r})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("lessons", nargs="*", help="names such as 02_first_call; default: all")
    parser.add_argument(
        "--stand-ins", action="store_true", help="record the stand-ins, not the API"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask before money is spent")
    args = parser.parse_args()
    try:
        if not args.stand_ins:
            find_key(ROOT / ".env")
        key = recording.KEY if args.stand_ins else api_key()
    except MissingKey as error:
        parser.error(f"{error} Without one, --stand-ins records the stand-ins.")
    known = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))
    if unknown := set(args.lessons) - set(known):
        parser.error(f"no such lesson: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    if not args.stand_ins:
        print(bill(args.lessons or known), reminder() or "", sep="\n")
        if not args.yes and not sys.stdin.isatty():
            parser.error("nobody is there to be asked: --yes spends this money without a question.")
        if not args.yes and input("Ask the API for all of this? [y/N] ").strip().lower() != "y":
            parser.exit(1, "Nothing was asked, nothing was spent.\n")
    for lesson in args.lessons or known:
        print(lesson, "...", end=" ", flush=True)
        size = renew(lesson, key, args.stand_ins)
        print(f"{size:,} bytes of recordings", flush=True)


def bill(lessons: list[str]) -> str:
    """What recording these lessons will cost, by the meter lines of the recordings that there are."""
    lines, total = [], 0.0
    for lesson in lessons:
        cells = read_book(NOTEBOOKS / f"{lesson}.ipynb").cells
        texts = [out.get("text", "") for cell in cells for out in cell.get("outputs", [])]
        said = [found for text in texts if (found := METER.search(text))]
        total += float((said[-1]["usd"] or "0").replace(",", "")) if said else 0.0
        lines.append(f"{lesson}: {said[-1][0] if said else 'not known, it has no meter line'}")
    return "\n".join([*lines, f"Together about ${total:.4f}, if the answers are as long as these."])


def renew(lesson: str, key: str, stand_ins: bool) -> int:
    """Record a lesson and store its outputs; if either fails, both stay as they were."""
    path = RECORDINGS / f"{lesson}.json"
    old = path.read_bytes() if path.exists() else None
    try:
        record(lesson, key, stand_ins)
        store_outputs(lesson)
    except BaseException:
        path.unlink(missing_ok=True) if old is None else path.write_bytes(old)
        raise
    return path.stat().st_size


def record(lesson: str, key: str, stand_ins: bool) -> None:
    """Run a notebook in record mode; its recordings then replace the old ones.

    Cells tagged "replay-only" are left out: they ask for what is not recorded. Those tagged "past" ask
    for what the API no longer has: only stand-ins answer them, and these stay when the API is recorded.
    """
    book = read_book(NOTEBOOKS / f"{lesson}.ipynb")
    left_out = {"replay-only"} if stand_ins else {"replay-only", "past"}
    book.cells = [c for c in book.cells if not left_out & set(c.metadata.get("tags", []))]
    path = RECORDINGS / f"{lesson}.json"
    old = list(Recordings.load(path)) if path.exists() and not stand_ins else []
    if stand_ins:
        cell = nbformat.v4.new_code_cell(SETUP.format(lesson=lesson))  # type: ignore[no-untyped-call]
        book.cells.insert(0, cell)
    with tempfile.TemporaryDirectory(dir=RECORDINGS) as folder:
        recorded = Path(folder) / f"{lesson}.json"
        recorded.write_text('{"recordings": []}')  # for a lesson that asks for nothing
        run(book, MISTRAL_MODE="record", MISTRAL_RECORDINGS=folder, **{VARIABLE: key})
        found = Recordings.load(recorded)
        for item in old:
            if item.get("note") == api.PAST:
                found.add(item)
        recorded.replace(RECORDINGS / recorded.name)


def store_outputs(lesson: str) -> None:
    """Run a notebook on its recordings and keep the outputs, in the order 1..n."""
    path = NOTEBOOKS / f"{lesson}.ipynb"
    book = read_book(path)
    run(
        book,
        MISTRAL_MODE="replay",
        # As recorded, for cells that show how long an answer took.
        MISTRAL_PACE="1",
        MISTRAL_RECORDINGS=str(RECORDINGS),
        **{VARIABLE: ""},
    )
    book.metadata.clear()
    book.metadata.update(METADATA)
    nbformat.write(book, path)  # type: ignore[no-untyped-call]


def read_book(path: Path) -> nbformat.NotebookNode:
    book: nbformat.NotebookNode = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    return book


def run(book: nbformat.NotebookNode, **environment: str) -> None:
    # A keyring would ask the person at the screen; the course's notebooks only look into it.
    environment["PYTHON_KEYRING_BACKEND"] = "keyring.backends.null.Keyring"
    old = dict(os.environ)
    os.environ.update(environment)
    try:
        client = NotebookClient(
            book,
            timeout=3600,  # seconds a cell: lesson 09 asks 300 times in one, a request a second is little
            kernel_name="python3",
            record_timing=False,
            coalesce_streams=True,  # one output for all pieces of a stream
            resources={"metadata": {"path": str(NOTEBOOKS)}},
        )
        client.execute()
    finally:
        os.environ.clear()
        os.environ.update(old)


if __name__ == "__main__":
    main()
