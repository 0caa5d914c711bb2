"""Nothing of the key, of cookies or of the account is kept, in any mode, by any way."""

import logging
import traceback

import httpx
import pytest

import helpers
from tests.replay.upstream import ACCOUNT, EVENTS, KEY, SSE, signed


def test_files_hold_no_key_no_cookie_no_account(url, file):
    helpers.start("lesson", mode="record")
    client = signed()
    # An answer that repeats the key, and names the account.
    client.get(f"{url}/echo")
    client.get(f"{url}/models")
    client.post(f"{url}/echo", json={"messages": [{"role": "user", "content": f"my key is {KEY}"}]})
    client.get(f"{url}/json", params={"key": KEY})
    other = "AnotherKey9876543210"
    httpx.get(f"{url}/echo", headers={"Authorization": f"Bearer {other}"})
    text = file.read_text("utf-8")
    for secret in (KEY, other, "Bearer Pl", "secret-cookie", ACCOUNT, "authorization"):
        assert secret.lower() not in text.lower()
    assert '"text": "ok"' in text, "what is not secret stays"


def test_logs_hold_no_key(url, file, caplog):
    caplog.set_level(logging.DEBUG)
    for mode in ("record", "replay", "live"):
        helpers.start("lesson", mode=mode)
        signed().post(f"{url}/echo", json={})
        with signed().stream("POST", f"{url}/stream", json={}) as response:
            response.read()
    assert "HTTP Request" in caplog.text
    assert KEY not in caplog.text


def shown(error):
    """A traceback as the strictest reader sees it: with the variables of each of our own frames."""
    text = "".join(traceback.format_exception(error))
    while error:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            if "helpers" in frame.f_code.co_filename:
                text += repr(frame.f_locals)
        error = error.__cause__ or error.__context__
    return text


def failures(url):
    base = url.removesuffix("/v1")

    def answer(content, status=200, **headers):
        transport = httpx.MockTransport(
            lambda r: httpx.Response(status, content=content, headers=headers)
        )
        return httpx.Client(transport=transport)

    def refuse(request):
        raise httpx.ConnectError("refused", request=request)

    broken = httpx.Client(transport=httpx.MockTransport(refuse))
    for call in (helpers.chat, helpers.embed, lambda *a, **k: list(helpers.stream(*a, **k))):
        yield lambda call=call: call("Hello", client=answer(b'{"detail":"Invalid API Key"}', 401))
        yield lambda call=call: call("Hello", client=answer(f"<p>{KEY}</p>".encode(), 502))
        yield lambda call=call: call("Hello", client=answer(b"{}"))
        yield lambda call=call: call("Hello", client=broken)
        yield lambda call=call: call("Hello", client=httpx.Client(base_url=base + "/nowhere"))
    yield lambda: list(helpers.stream("Hello", client=answer(EVENTS[0].encode(), **SSE)))


def test_tracebacks_and_reprs_hold_no_key(url, file, monkeypatch):
    monkeypatch.setattr("helpers.client.is_mistral", lambda host: True)
    helpers.start("lesson", mode="live")
    count = 0
    for fail in failures(url):
        with pytest.raises(Exception) as caught:
            fail()
        assert KEY not in shown(caught.value) + repr(caught.value)
        count += 1
    assert count == 16


def test_a_server_that_repeats_the_key_is_not_quoted(monkeypatch):
    monkeypatch.setenv("MISTRAL_API_KEY", KEY)
    body = f"data: Authorization: Bearer {KEY}\n\n".encode()
    transport = httpx.MockTransport(lambda _: httpx.Response(200, headers=SSE, content=body))
    with pytest.raises(helpers.StreamCut, match="unreadable") as caught:
        list(helpers.stream("Hello", client=httpx.Client(transport=transport)))
    assert KEY not in "".join(traceback.format_exception(caught.value)) + repr(caught.value)


@pytest.mark.parametrize("key", [KEY + " and more", KEY + "\n\nx", KEY + "é"])
def test_a_malformed_key_is_not_shown(url, monkeypatch, key):
    monkeypatch.setenv("MISTRAL_API_KEY", key)
    with pytest.raises(helpers.keys.MissingKey) as caught:
        helpers.chat("Hello")
    assert KEY not in shown(caught.value)


def test_a_key_with_a_line_end_works(monkeypatch):
    # As from $(cat key.txt) on some systems.
    monkeypatch.setenv("MISTRAL_API_KEY", KEY + "\n")
    seen = []
    transport = httpx.MockTransport(
        lambda r: (seen.append(r.headers["authorization"]), httpx.Response(500))[1]
    )
    with pytest.raises(helpers.APIError):
        helpers.chat("Hello", client=httpx.Client(transport=transport))
    assert seen == [f"Bearer {KEY}"]
