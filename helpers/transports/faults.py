"""`Faults`: play errors of the API and of the network on demand."""

from __future__ import annotations

import dataclasses
import functools
import math
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import httpx

from .clock import Clock
from .layer import Flow, Layer, Pieces, Read, Transport

FILE = Path(__file__).parent.parent.parent / "data" / "faults.toml"


@dataclasses.dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    seen: where its form is from: recorded traffic, a report by users, or neither, with a date.
    status, body, headers: the answer that comes instead of the real one; a status of None lets the
    request through, so that only `delay` and `cut` matter.
    delay: seconds before it. A delay beyond the request's read time-out is a time-out.
    error: the name of the httpx error that is raised instead of an answer.
    cut: the part of the real answer, from 0 to 1, after which the connection breaks off.
    default: whether its status alone means this fault.
    """

    name: str
    seen: str
    status: int | None = None
    body: str = ""
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    delay: float = 0.0
    error: str | None = None
    cut: float | None = None
    default: bool = False


@functools.cache
def fault_table() -> dict[str, Fault]:
    """All faults of `data/faults.toml`, by name."""
    entries = tomllib.loads(FILE.read_text("utf-8"))["fault"]
    return {entry["name"]: Fault(**entry) for entry in entries}


def fault(
    what: str | int | Fault, *, retry_after: float | str | None = None, delay: float = 0.0
) -> Fault:
    """A fault by its name or status, with a `Retry-After` header or a delay if wanted.

    A status stands for the usual answer with it; one that was never seen has an empty body. No recorded
    answer of the API had a `Retry-After` either, though its documentation says to read one.

    Raises ValueError for a name that is not in `fault_table()`, and for a status that is no error.
    """
    if isinstance(what, int):
        if not 400 <= what <= 599:
            raise ValueError(f"{what} is not the status of an error: those are 400 to 599.")
        usual = (one for one in fault_table().values() if one.default and one.status == what)
        what = next(usual, Fault(f"status_{what}", "made up", what))
    if not isinstance(what, Fault):
        if what not in fault_table():
            raise ValueError(f"No fault is called {what!r}. There are {', '.join(fault_table())}.")
        what = fault_table()[what]
    headers = {} if retry_after is None else {"retry-after": str(retry_after)}
    return dataclasses.replace(
        what, headers={**what.headers, **headers}, delay=max(what.delay, delay)
    )


class Faults(Layer):
    """An httpx transport that plays a script: one entry for each request, then all go through.

    transport: the transport inside, which answers what is let through.
    script: names of `fault_table()`, statuses, `Fault` objects, or None to let a request through. It may be
    endless, such as `itertools.repeat("overloaded")`. One alone stands for a list of one.
    clock: where delays are waited.

    played: the names so far, "through" where the request went through.

    Raises ValueError for an entry that is not known, when it is its turn.
    """

    def __init__(
        self,
        transport: Transport,
        script: str | int | Fault | Iterable[str | int | Fault | None],
        *,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(transport, clock)
        self._script = iter([script] if isinstance(script, str | int | Fault) else script)
        self.played: list[str] = []

    def flow(self, request: httpx.Request) -> Flow:
        now = self._next()
        if wait := _before(now, request):
            yield wait
        if answer := _answer(now, request):
            return answer
        response: httpx.Response = yield request
        if now.cut is not None:
            content: bytes = yield Read(response)
            # Not the same response: it may hold its content already, as one of a MockTransport does.
            return httpx.Response(
                response.status_code,
                headers=response.headers,
                stream=Pieces(_broken(content, now.cut, request)),
                extensions=response.extensions,
            )
        return response

    def _next(self) -> Fault:
        entry = next(self._script, None)
        now = Fault("through", "") if entry is None else fault(entry)
        self.played.append(now.name)
        return now


def _patience(request: httpx.Request) -> float:
    """The request's own read time-out in seconds."""
    seconds = request.extensions.get("timeout", {}).get("read")
    return math.inf if seconds is None else float(seconds)


def _before(now: Fault, request: httpx.Request) -> float:
    """Seconds to wait: the delay, but no longer than the client would."""
    wait = min(now.delay, _patience(request))
    return wait if math.isfinite(wait) else 0.0  # a script never hangs


def _answer(now: Fault, request: httpx.Request) -> httpx.Response | None:
    """The fault's answer, or None where the request goes through; raises the fault's error."""
    if now.delay == math.inf or now.delay > _patience(request):
        raise httpx.ReadTimeout("The read operation timed out", request=request)
    if now.error:
        raise getattr(httpx, now.error)(f"{now.name} (a fault that was asked for)", request=request)
    if now.status is None:
        return None
    headers = {"content-type": "application/json", **now.headers}
    return httpx.Response(now.status, headers=headers, content=now.body.encode(), request=request)


def _broken(content: bytes, part: float, request: httpx.Request) -> Iterator[bytes]:
    yield content[: int(len(content) * part)]
    raise httpx.RemoteProtocolError(
        "peer closed connection without sending complete message body", request=request
    )
