"""`Faults`: produce errors of the API and of the network on demand."""

from __future__ import annotations

import dataclasses
import functools
import math
import tomllib
from collections.abc import Iterable, Iterator, Mapping

import httpx

from ..data import DATA
from .clock import Clock
from .layer import Flow, Layer, Pieces, Read, Transport

FILE = DATA / "faults.toml"


@dataclasses.dataclass(frozen=True)
class FaultSpec:
    """One fault: an error instead of an answer, or a delayed or cut answer.

    source: where its form comes from: recorded traffic, reports by users, or "made up", with a date.
    status, body, headers: the answer; if the status is None, the request goes through, and only
    `delay` and `cut` matter.
    delay: seconds before the answer. A delay beyond the request's read timeout is a timeout.
    error: the name of the httpx error that is raised instead of an answer.
    cut: the fraction of the real answer, from 0 to 1, after which the connection breaks.
    default: whether its status alone stands for this fault.
    """

    name: str
    source: str
    status: int | None = None
    body: str = ""
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    delay: float = 0.0
    error: str | None = None
    cut: float | None = None
    default: bool = False


@functools.cache
def load_faults() -> dict[str, FaultSpec]:
    """All faults of `data/faults.toml`, by name."""
    entries = tomllib.loads(FILE.read_text("utf-8"))["fault"]
    return {entry["name"]: FaultSpec(**entry) for entry in entries}


def make_fault(
    what: str | int | FaultSpec, *, retry_after: float | str | None = None, delay: float = 0.0
) -> FaultSpec:
    """A fault by its name or status, optionally with a `Retry-After` header or a delay in seconds.

    A status stands for the usual answer with it; one that was never seen has an empty body. No
    recorded answer of the API has a `Retry-After`, though its documentation recommends reading it.

    Raises ValueError for a name that is not in `load_faults()`, and for a status that is not an error.
    """
    if isinstance(what, int):
        if not 400 <= what <= 599:
            raise ValueError(f"{what} is not an error status; those are 400 to 599.")
        usual = (fault for fault in load_faults().values() if fault.default)
        unknown = FaultSpec(f"status_{what}", "made up", what)
        what = next((fault for fault in usual if fault.status == what), unknown)
    if not isinstance(what, FaultSpec):
        if what not in load_faults():
            raise ValueError(f"There is no fault {what!r}. Known: {', '.join(load_faults())}.")
        what = load_faults()[what]
    headers = {} if retry_after is None else {"retry-after": str(retry_after)}
    return dataclasses.replace(
        what, headers={**what.headers, **headers}, delay=max(what.delay, delay)
    )


class Faults(Layer):
    """An httpx transport that follows a script, one entry per request; later requests go through.

    transport: the wrapped transport, which answers the requests that go through.
    script: names of `load_faults()`, statuses, `FaultSpec` objects, or None to let a request through.
    It may be endless, such as `itertools.repeat("overloaded")`. A single fault needs no list.
    clock: the clock for delays.

    played: the names so far, "through" for a request that went through.

    Raises ValueError for an unknown entry once it is reached.
    """

    def __init__(
        self,
        transport: Transport,
        script: str | int | FaultSpec | Iterable[str | int | FaultSpec | None],
        *,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(transport, clock)
        self._script = iter([script] if isinstance(script, str | int | FaultSpec) else script)
        self.played: list[str] = []

    def flow(self, request: httpx.Request) -> Flow:
        fault = self._next()
        timeout = _read_timeout(request)
        # A wait without an end fails at once: a script must not hang.
        if 0 < (wait := min(fault.delay, timeout)) < math.inf:
            yield wait
        if fault.delay == math.inf or fault.delay > timeout:
            raise httpx.ReadTimeout("The read operation timed out", request=request)
        if fault.error:
            raise getattr(httpx, fault.error)(f"{fault.name} (on demand)", request=request)
        if fault.status is not None:
            headers = {"content-type": "application/json", **fault.headers}
            return httpx.Response(fault.status, headers=headers, content=fault.body.encode())
        response: httpx.Response = yield request
        if fault.cut is None:
            return response
        content: bytes = yield Read(response)
        # A new response: one from MockTransport already holds its whole content.
        return httpx.Response(
            response.status_code,
            headers=response.headers,
            stream=Pieces(_break_off(content, fault.cut, request)),
            extensions=response.extensions,
        )

    def _next(self) -> FaultSpec:
        entry = next(self._script, None)
        fault = FaultSpec("through", "") if entry is None else make_fault(entry)
        self.played.append(fault.name)
        return fault


def _read_timeout(request: httpx.Request) -> float:
    seconds = request.extensions.get("timeout", {}).get("read")
    return math.inf if seconds is None else float(seconds)


def _break_off(content: bytes, part: float, request: httpx.Request) -> Iterator[bytes]:
    yield content[: int(len(content) * part)]
    raise httpx.RemoteProtocolError(
        "peer closed connection without sending complete message body", request=request
    )
