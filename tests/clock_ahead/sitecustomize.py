"""Sets the clock a year ahead, in every Python process that has this folder first on PYTHONPATH.

Python imports `sitecustomize` by itself when it starts. A process has one, so this loads the block on
the network as well.
"""

import ctypes
import datetime
import gc
import importlib.util
import time
from pathlib import Path

YEAR = datetime.timedelta(days=365)
NO_NETWORK = Path(__file__).parents[1] / "no_network" / "sitecustomize.py"

_time, _time_ns = time.time, time.time_ns


def _shifted():
    return _time() + YEAR.total_seconds()


def _with_default(function):
    def called(seconds=None):
        return function(_shifted() if seconds is None else seconds)

    return called


def _now(cls, tz=None):
    return cls.fromtimestamp(_shifted(), tz)


def _utcnow(cls):
    return cls.fromtimestamp(_shifted(), datetime.UTC).replace(tzinfo=None)


time.time = _shifted
time.time_ns = lambda: _time_ns() + int(YEAR.total_seconds()) * 10**9
for name in ("localtime", "gmtime", "ctime"):
    setattr(time, name, _with_default(getattr(time, name)))

# `today` asks `time.time`, but `now` asks the system. Its type can't be replaced, since extensions
# such as pandas's are bound to it, nor changed by assignment: so in its dictionary.
(methods,) = gc.get_referents(datetime.datetime.__dict__)
methods["now"], methods["utcnow"] = classmethod(_now), classmethod(_utcnow)
ctypes.pythonapi.PyType_Modified(ctypes.py_object(datetime.datetime))

spec = importlib.util.spec_from_file_location("no_network", NO_NETWORK)
no_network = importlib.util.module_from_spec(spec)
spec.loader.exec_module(no_network)
# By this name, conftest.py sees that the network is blocked.
NetworkBlocked = no_network.NetworkBlocked
