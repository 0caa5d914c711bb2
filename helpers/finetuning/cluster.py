"""The blocks of a file on this machine, or on the workers of a Dask cluster."""

from __future__ import annotations

import collections
import contextlib
import os
from collections.abc import Iterable, Iterator
from typing import Any

AHEAD = 4  # blocks for each worker that are under way at once: memory here stays bounded


@contextlib.contextmanager
def mapper(dask: bool | str) -> Iterator[Any]:
    """What applies a function to items, and yields each item with its result, in their order.

    dask: False for this process; the address of a scheduler, such as "tcp://10.0.0.5:8786"; or True
    for that in the variable DASK_SCHEDULER, without it for processes on this machine, for this once.
    All workers must have this module and see the files under the same paths.
    Raises ImportError without dask.distributed, OSError if no scheduler answers.
    """
    if not dask:
        yield lambda function, items: ((item, function(item)) for item in items)
        return
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise ImportError("Dask is not installed: pip install 'dask[distributed]'") from None
    address = dask if isinstance(dask, str) else os.environ.get("DASK_SCHEDULER")
    with contextlib.ExitStack() as stack:
        if not address:
            local = LocalCluster(threads_per_worker=1, dashboard_address=":0")  # type: ignore[no-untyped-call]
            address = stack.enter_context(local).scheduler_address
        client = stack.enter_context(Client(address, timeout="5s", set_as_default=False))  # type: ignore[no-untyped-call]

        def mapped(function: Any, items: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
            waiting: collections.deque[tuple[Any, Any]] = collections.deque()
            ahead = AHEAD * max(1, len(client.scheduler_info()["workers"]))
            for item in items:
                waiting.append((item, client.submit(function, item, pure=False)))
                if len(waiting) > ahead:
                    first, future = waiting.popleft()
                    yield first, future.result()
            for first, future in waiting:
                yield first, future.result()

        yield mapped
