"""Prepares every Python process of the tests, which finds this file first.

It shuts the network, but for this machine, and saves time.
"""

import gc
import ipaddress
import os
import socket
import ssl
import sys


class NetworkBlocked(RuntimeError):
    """A test tried to reach another machine."""


def is_local(host):
    if host in (None, "", "localhost", socket.gethostname()):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback or host == "0.0.0.0"
    except ValueError:
        return False


def guarded(call):
    def guard(self, address, *args):
        if self.family in (socket.AF_INET, socket.AF_INET6) and not is_local(address[0]):
            raise NetworkBlocked(f"no network in tests: {address[0]}:{address[1]}")
        return call(self, address, *args)

    return guard


def guarded_lookup(host, *args, call=socket.getaddrinfo, **options):
    name = host.decode() if isinstance(host, bytes) else host
    if not is_local(name):
        # As the real one does, for hooks that listen.
        sys.audit("socket.getaddrinfo", host, *args)
        raise NetworkBlocked(f"no network in tests: {name}")
    return call(host, *args, **options)


socket.socket.connect = guarded(socket.socket.connect)
socket.socket.connect_ex = guarded(socket.socket.connect_ex)
socket.getaddrinfo = guarded_lookup


def guarded_name(host, call=socket.gethostbyname):
    if not is_local(host):
        sys.audit("socket.gethostbyname", host)
        raise NetworkBlocked(f"no network in tests: {host}")
    return call(host)


socket.gethostbyname = guarded_name

# Importing it builds a grammar, for 2 to 4 seconds, in each process that imports jsonschema: so in each
# kernel. It checks one format, internationalized addresses, and no notebook has any.
sys.modules.setdefault("rfc3987_syntax", None)

# No server of the tests has a certificate that a public authority has signed, and each client reads the
# whole list of these anew. A test's own is one.
_load = ssl.SSLContext.load_verify_locations


def load_short_lists(self, cafile=None, *args, **options):
    if not cafile or os.path.getsize(cafile) < 100_000:
        _load(self, cafile, *args, **options)


ssl.SSLContext.load_verify_locations = load_short_lists

# Looking for garbage as often as Python does takes a tenth of the tests' time: they import a lot.
gc.set_threshold(50_000, 20, 20)

# As many tests as cores run at once. More threads than cores wait for each other: lesson 05 takes 16
# seconds of CPU instead of 9.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")
