"""Server-sent events, as far as the Mistral API uses them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def events(pieces: Iterable[bytes]) -> Iterator[str]:
    """The `data` of each event in a stream of bytes, however the network cut it.

    Lines end at a line feed only: `str.splitlines` and `httpx.Response.iter_lines` also split at
    U+2028 and U+0085, which the API sends unescaped inside its JSON.
    """
    data: list[str] = []
    for line in _lines(pieces):
        if line.startswith(b"data:"):
            data.append(line[5:].removeprefix(b" ").decode("utf-8", errors="replace"))
        elif not line and data:
            yield "\n".join(data)
            data = []
    if data:  # a last event without its blank line
        yield "\n".join(data)


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    rest: list[bytes] = []  # of a line whose end has not come
    for piece in pieces:
        head, *lines = piece.split(b"\n")
        rest.append(head)
        if lines:
            *whole, last = [b"".join(rest), *lines]
            for line in whole:
                yield line.removesuffix(b"\r")
            rest = [last]
    if last := b"".join(rest):
        yield last
