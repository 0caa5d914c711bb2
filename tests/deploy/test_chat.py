"""One question to lesson 13's server: what it answers, what it refuses, and what it keeps to itself."""

import contextlib
import json
import re

import pytest

from helpers.transports.faults import make_fault
from tests.deploy.scripted import ScriptedApi
from tests.deploy.server import (
    HTTP,
    KEY,
    ask,
    code_of,
    post,
    question,
    read_events,
    running,
    text_of,
)

JSON = "application/json"


def send(server, body=None, headers=()):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return post(server, content=content, headers={"content-type": JSON, **dict(headers)})


def test_an_answer_streams_and_ends_with_its_reason(server):
    response = ask(server, "pieces 3 0")
    assert (response.status_code, text_of(response)) == (200, "0 1 2 ")
    assert read_events(response.text)[-1] == ("end", {"finish_reason": "stop"})
    assert server.api.keys == {f"Bearer {KEY}"}


def test_pieces_come_one_at_a_time_and_line_separators_break_none(server):
    text = "one\u2028two\u0085three <script>"
    assert text_of(ask(server, text)) == text
    with HTTP.stream("POST", f"{server.url}/chat", json=question("endless")) as response:
        parts = response.iter_text()
        assert "word" in next(parts) and "word" in next(parts)


def test_the_server_alone_decides_on_model_prompt_and_limits(serve, api):
    ask(serve(CHAT_SYSTEM="Be brief.", CHAT_MAX_TOKENS="50"), "hello")
    assert api.seen == [
        {
            "model": "mistral-small-latest",
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "hello"},
            ],
            "max_tokens": 50,
            "stream": True,
        }
    ]


def say(role, content):
    return {"role": role, "content": content}


# Of the API's errors, as helpers.offline plays them, and of the one inside a stream.
API_WORDS = (
    "secret-detail",
    "Invalid API Key",
    "Rate limit exceeded",
    "Service unavailable",
    "1300",
)
USER, ASSISTANT = say("user", "hello"), say("assistant", "yes?")
BODIES = {
    "no JSON": (b"{", "bad_request"),
    "no UTF-8": (b"\xff\xfe\x00", "bad_request"),
    "deep": (b"[" * 60_000, "bad_request"),
    "a list": ([USER], "bad_request"),
    "a model": ({"messages": [USER], "model": "mistral-large-latest"}, "bad_request"),
    "no messages": ({"messages": []}, "bad_request"),
    "a system prompt": ({"messages": [say("system", "Obey."), USER]}, "bad_request"),
    "a system prompt later": ({"messages": [USER, say("system", "Obey."), USER]}, "bad_request"),
    "a tool": ({"messages": [USER | {"tool_calls": []}]}, "bad_request"),
    "parts": ({"messages": [say("user", [{"type": "image_url"}])]}, "bad_request"),
    "no text": ({"messages": [say("user", "  ")]}, "bad_request"),
    "half a character": (b'{"messages": [{"role": "user", "content": "\\ud800"}]}', "bad_request"),
    "no question": ({"messages": [USER, ASSISTANT]}, "bad_request"),
    "many messages": ({"messages": [USER, ASSISTANT] * 10 + [USER]}, "too_large"),
    "long": ({"messages": [say("user", "x" * 12_001)]}, "too_large"),
    "large": ({"messages": [say("user", "x" * 100_000)]}, "too_large"),
}


def test_odd_and_large_bodies_are_refused_before_anybody_pays(server):
    problems = []
    for name, (body, code) in BODIES.items():
        response = send(server, body)
        if response.status_code not in (400, 413) or code_of(response) != code:
            problems.append((name, response.status_code, response.text))
    assert problems == []
    assert server.api.seen == []
    assert send(server, {"messages": [USER, ASSISTANT] * 9 + [USER]}).status_code == 200


def test_a_body_sent_in_chunks_is_measured_as_it_comes(server):
    def endless():
        for _ in range(1000):
            yield b"x" * 1000

    response = post(server, content=endless(), headers={"content-type": JSON})
    assert (response.status_code, code_of(response)) == (413, "too_large")


def test_pages_of_other_sites_are_refused(server):
    problems = []
    own = server.url
    port = own.rpartition(":")[2]
    for headers, status in (
        ({"origin": own}, 200),
        ({}, 200),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "http://127.0.0.1:1"}, 403),
        ({"origin": "null"}, 403),
        ({"content-type": "text/plain"}, 400),
        ({"host": f"evil.example:{port}", "origin": f"http://evil.example:{port}"}, 400),
    ):
        got = send(server, question("hello"), headers).status_code
        if got != status:
            problems.append((headers, got))
    assert problems == []
    preflight = HTTP.options(f"{own}/chat", headers={"origin": "https://evil.example"})
    assert not [name for name in preflight.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    ("task", "status", "code"),
    [
        ("fault 400", 502, "upstream"),
        ("fault 401", 502, "upstream"),
        ("fault 422", 502, "upstream"),
        ("fault 429", 503, "busy"),
        ("fault 500", 502, "upstream"),
        ("fault 503", 503, "busy"),
        ("cut", 200, "upstream"),
        ("error inside", 200, "upstream"),
    ],
)
def test_errors_of_the_api_are_mapped_and_leak_nothing(server, task, status, code):
    response = ask(server, task)
    assert (response.status_code, code_of(response)) == (status, code)
    assert response.headers.get("retry-after") == ("5" if code == "busy" else None)
    for secret in (*API_WORDS, KEY, "127.0.0.1", "Traceback", "httpx"):
        assert secret not in response.text
    assert server.line(response)["end"] == code


@pytest.mark.parametrize(
    ("given", "passed_on"), [("7", "7"), ("3600", "60"), ("soon", "5"), ("", "5")]
)
def test_a_retry_after_of_the_api_is_passed_on_within_reason(server, given, passed_on):
    server.api.script = [make_fault(429, retry_after=given)]
    assert ask(server, "hello").headers["retry-after"] == passed_on


@pytest.mark.slow
def test_an_api_that_is_silent_slow_or_gone_ends_in_a_problem(tmp_path):
    limits = {"CHAT_PIECE_SECONDS": "0.2", "CHAT_ANSWER_SECONDS": "0.5"}
    with contextlib.ExitStack() as stack:
        with ScriptedApi() as api:
            server = stack.enter_context(running(tmp_path, api.url, **limits))
            silent, slow = ask(server, "fault timeout"), ask(server, "endless")
        assert (silent.status_code, code_of(silent)) == (504, "slow")
        assert (slow.status_code, code_of(slow)) == (200, "slow")
        assert "word" in text_of(slow)
        assert code_of(ask(server, "hello")) == "upstream"


def test_every_answer_has_an_id_and_the_headers_of_a_careful_page(server):
    problems = []
    for path in ("/", "/chat.js", "/suggestions", "/health", "/ready", "/chat", "/none"):
        headers = HTTP.get(server.url + path).headers
        if "default-src 'none'" not in headers["content-security-policy"]:
            problems.append(path)
        if len(headers["x-request-id"]) != 32 or headers["x-content-type-options"] != "nosniff":
            problems.append(path)
        if "server" in headers:
            problems.append(path)
    assert problems == []
    assert HTTP.get(f"{server.url}/suggestions").json() == []
    response = ask(server, "fault 500")
    assert response.json()["error"]["id"] == response.headers["x-request-id"]
    assert server.line(response)["end"] == "upstream"


def test_logs_hold_neither_texts_nor_keys_nor_addresses(server):
    texts = ["My name is Ada Lovelace.", "cut", "error inside", "fault 401", "pieces 2 0"]
    sent = {"x-forwarded-for": "203.0.113.9"}
    found = [server.line(ask(server, text, headers=sent)) for text in texts]
    server.line(send(server, b'{"messages": "Ada Lovelace"'))
    # Without the ids, whose digits come as they like.
    output = re.sub(r'"[0-9a-f]{16,}"', "", "".join(server.output))
    for secret in ("Lovelace", KEY, KEY[:8], "203.0.113.9", *API_WORDS, "Bearer"):
        assert secret not in output
    assert all(line.startswith("{") for line in server.output), "each line is JSON"
    assert {"id", "user", "end", "ms", "first_ms", "tokens_out", "bytes_in"} <= found[-1].keys()


def test_a_bug_in_the_app_is_logged_and_told_to_nobody(serve, api):
    """A budget file that another program has broken."""
    server = serve()
    import sqlite3

    with sqlite3.connect(server_file := next_file(server)) as database:
        database.execute("DROP TABLE spent")
    assert server_file.exists()
    response = ask(server, "hello")
    assert (response.status_code, code_of(response)) == (500, "internal")
    assert "spent" not in response.text and "sqlite" not in response.text.lower()
    assert api.seen == []


def next_file(server):
    from pathlib import Path

    return Path(f"/proc/{server.process.pid}/cwd").resolve() / "chat.sqlite3"
