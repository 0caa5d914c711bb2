"""In replay, no client of this process looks up a Mistral host, whatever it is built on."""

import asyncio
import http.client
import http.server
import socket
import threading
import urllib.request

import aiohttp
import httpcore
import httpx
import httpx2
import pytest
import requests

import helpers
from helpers.replay.seam import ReplayIsOffline

URL = "https://api.mistral.ai/v1/models"


def by_asyncio():
    asyncio.run(asyncio.wait_for(asyncio.open_connection("api.mistral.ai", 443), 60))


def by_aiohttp():
    async def ask():
        async with aiohttp.ClientSession() as session:
            await session.get(URL)

    asyncio.run(ask())


def by_http_client():
    http.client.HTTPSConnection("api.mistral.ai").request("GET", "/v1/models")


class OwnTransport(httpx.BaseTransport):
    """A transport that bypasses `httpx.HTTPTransport`."""

    def handle_request(self, request):
        with httpcore.ConnectionPool() as pool:
            answer = pool.request(request.method, str(request.url))
        return httpx.Response(answer.status, content=answer.content)


CLIENTS = {
    "requests": lambda: requests.get(URL, timeout=60),
    "urllib": lambda: urllib.request.urlopen(URL, timeout=60),
    "http.client": by_http_client,
    "socket": lambda: socket.create_connection(("api.mistral.ai", 443)),
    "socket, by name": lambda: socket.gethostbyname("api.mistral.ai"),
    "asyncio": by_asyncio,
    "aiohttp": by_aiohttp,
    "httpcore": lambda: httpcore.request("GET", URL),
    "httpx, own transport": lambda: httpx.Client(transport=OwnTransport()).get(URL),
    "capital letters": lambda: requests.get(URL.replace("mistral", "MISTRAL"), timeout=60),
    "trailing dot": lambda: requests.get(URL.replace(".ai", ".ai."), timeout=60),
}


def test_clients_past_httpx_are_stopped_with_one_sentence(recorded):
    recorded()
    for name, call in CLIENTS.items():
        with pytest.raises(ReplayIsOffline, match=r"httpx or httpx2 only.*mode=\"live\""):
            call()
            pytest.fail(name)


def test_a_client_that_resolves_names_itself_is_stopped(recorded):
    """As aiohttp does with aiodns: the system is never asked for an address."""

    class Resolver(aiohttp.abc.AbstractResolver):
        async def resolve(self, host, port=0, family=socket.AF_INET):
            return [
                {
                    "hostname": host,
                    "host": "127.0.0.1",
                    "port": listener.getsockname()[1],
                    "family": family,
                    "proto": 0,
                    "flags": 0,
                }
            ]

        async def close(self):
            pass

    async def ask():
        connector = aiohttp.TCPConnector(resolver=Resolver())
        async with aiohttp.ClientSession(connector=connector) as session:
            await session.get(URL)

    recorded()
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(ReplayIsOffline):
        asyncio.run(ask())


def test_a_bound_method_from_before_start_is_stopped(recorded, monkeypatch):
    transport = httpx.HTTPTransport()
    handle = type(transport).handle_request
    network = getattr(handle, "network", handle)
    recorded()
    with pytest.raises(ReplayIsOffline):
        network(transport, httpx.Request("GET", URL))


def test_a_trailing_dot_is_the_same_host(recorded):
    recorded()
    for lib in (httpx, httpx2):
        with pytest.raises(helpers.RecordingNotFound):
            lib.get(URL.replace(".ai", ".ai."))


def test_a_mistyped_host_is_an_unknown_one(recorded):
    """Somebody else may own that name, and would get the key."""
    recorded()
    for host in ("api.mistal.ai", "api.mistral.com", "api.mistral-ai.com", "apimistral.ai"):
        for lib in (httpx, httpx2):
            with pytest.raises(lib.ConnectError, match=r"Did you mean api\.mistral\.ai\?"):
                lib.get(f"https://{host}/v1/models")
    for other in ("https://example.com", "https://api.openai.com"):
        with pytest.raises(RuntimeError, match="no network in tests"):
            httpx.get(other)


def test_a_proxy_is_asked_for_nothing(recorded):
    """Behind a proxy only the proxy's name is looked up, and the key would leave all the same."""
    asked = []

    class Proxy(http.server.BaseHTTPRequestHandler):
        def do_CONNECT(self):
            asked.append(self.path)
            self.send_error(502)

        def log_message(self, *_):
            pass

    recorded()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        proxies = {"https": f"http://127.0.0.1:{server.server_port}"}
        with pytest.raises(ReplayIsOffline):
            requests.get(URL, proxies=proxies, timeout=60)
        server.shutdown()
    assert asked == []


def test_other_hosts_and_other_modes_are_left_alone(recorded, monkeypatch):
    recorded()
    with pytest.raises(RuntimeError, match="no network in tests"):
        requests.get("https://example.com", timeout=60)
    monkeypatch.setenv("MISTRAL_API_KEY", "mine")
    helpers.start("lesson", mode="live")
    with pytest.raises(RuntimeError, match="no network in tests"):
        requests.get(URL, timeout=60)
