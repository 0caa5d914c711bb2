"""Serve the API of this course on this machine: no key, no network, no cost.

    python -m helpers.offline [--port 8765] [--lesson 02_first_call ...] [--rpm 60] [--faults overloaded]

It answers with the lessons' recordings and written answers, not with a model; see `server.py`.
"""

from __future__ import annotations

import argparse
import signal
import threading

from ..transports.faults import load_faults, make_fault
from . import answers
from .server import Server

ASK = '{"model": "mistral-small-latest", "messages": [{"role": "user", "content": "Hello"}]}'


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m helpers.offline", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument(
        "--port", type=int, default=8765, metavar="N", help="default: 8765; 0 finds a free one"
    )
    parser.add_argument("--lesson", nargs="+", choices=answers.lessons(), help="default: all")
    parser.add_argument(
        "--rpm", type=int, metavar="N", help="requests a minute that each model admits"
    )
    parser.add_argument(
        "--tpm", type=int, metavar="N", help="tokens a minute that each model admits"
    )
    parser.add_argument(
        "--faults",
        nargs="+",
        metavar="NAME",
        default=[],
        help=f"for the first requests, one each: statuses or {', '.join(load_faults())}",
    )
    parser.add_argument("--pace", type=float, default=1, help="of streams; 0: at once")
    parser.add_argument("--strict", action="store_true", help="only recordings answer")
    parser.add_argument("--key", help="the only key that is taken; default: any")
    args = parser.parse_args()
    try:
        faults = [make_fault(int(name) if name.isdigit() else name) for name in args.faults]
        server = Server(
            args.rpm,
            args.tpm,
            lessons=args.lesson,
            faults=faults,
            pace=args.pace,
            strict=args.strict,
            key=args.key,
            port=args.port,
        )
    except (ValueError, OSError) as error:
        parser.error(str(error))
    # Also in the background of a script, where Python would ignore the former and die of the latter.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    with server:
        key = args.key or "any"
        print(f"Serving stand-ins, not a model, at {server.url}. Ctrl-C stops it. To try it:")
        print(
            f"curl {server.url}/chat/completions -H 'Authorization: Bearer {key}' "
            f"-H 'Content-Type: application/json' -d '{ASK}'",
            flush=True,
        )
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print(f"\nAnswered {server.answered} chat and embeddings requests.")


if __name__ == "__main__":
    main()
