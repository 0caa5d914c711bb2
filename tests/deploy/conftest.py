"""What the tests of lesson 13's server share."""

import contextlib

import pytest

from tests.deploy.scripted import ScriptedApi
from tests.deploy.server import running, until


@pytest.fixture
def api():
    with ScriptedApi() as api:
        yield api


@pytest.fixture
def serve(api, tmp_path):
    """A function that starts the server with these settings, in front of the API."""
    with contextlib.ExitStack() as stack:
        yield lambda **settings: stack.enter_context(running(tmp_path, api.url, **settings))


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One server with the usual settings for all tests of a module that change nothing in it."""
    with ScriptedApi() as api, running(tmp_path_factory.mktemp("chat"), api.url) as server:
        server.api = api
        yield server


@pytest.fixture
def server(shared):
    """The shared server, whose API was asked nothing so far."""
    until(lambda: shared.api.open == 0)
    shared.forget()
    return shared


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    # A server of its own takes a second to start.
    for item in items:
        if item.path.parent.name == "deploy" and "serve" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)
