"""The blocks of a file on the workers of a Dask cluster."""

from __future__ import annotations

import collections
import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .blocks import Found, Task, look_at

AHEAD = 4  # blocks for each worker that are under way at once: memory here stays bounded


@contextlib.contextmanager
def mapper(address: str) -> Iterator[Callable[[Iterable[Task]], Iterator[tuple[Task, Found]]]]:
    """What applies `look_at` to tasks on a cluster, and gives the results in their order.

    address: of a scheduler, such as "tcp://10.0.0.5:8786"; without one that of the variable
    DASK_SCHEDULER, and without that a cluster of processes on this machine, for this once.
    Raises ImportError without dask.distributed, OSError where no scheduler answers or no worker is
    there.
    """
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise ImportError("Dask is not installed: pip install 'dask[distributed]'") from None
    address = address or os.environ.get("DASK_SCHEDULER", "")
    with contextlib.ExitStack() as stack:
        if not address:
            local = LocalCluster(threads_per_worker=1, dashboard_address=":0")  # type: ignore[no-untyped-call]
            address = stack.enter_context(local).scheduler_address
        client = stack.enter_context(Client(address, timeout="5s", set_as_default=False))  # type: ignore[no-untyped-call]

        def mapped(tasks: Iterable[Task]) -> Iterator[tuple[Task, Found]]:
            waiting: collections.deque[tuple[Task, Any]] = collections.deque()
            ahead = AHEAD * max(1, len(client.scheduler_info()["workers"]))
            for task in tasks:
                waiting.append((task, client.submit(look_at, task, pure=False)))
                if len(waiting) > ahead:
                    first, future = waiting.popleft()
                    yield first, future.result()
            for first, future in waiting:
                yield first, future.result()

        yield mapped
