"""What the tests of lesson 13's server share."""

import contextlib

import pytest

from tests.deploy.fake_api import FakeApi
from tests.deploy.server import running


@pytest.fixture
def api():
    with FakeApi() as fake:
        yield fake


@pytest.fixture
def serve(api, tmp_path):
    """A function that starts the server with these settings, in front of the fake API."""
    with contextlib.ExitStack() as stack:
        yield lambda **settings: stack.enter_context(running(tmp_path, api.url, **settings))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.parent.name == "deploy" and "serve" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)
