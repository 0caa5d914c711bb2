"""One question to lesson 13's server: what it answers, what it refuses, and what it tells nobody."""

import json

import httpx
import pytest

from tests.deploy.server import KEY, ask, code_of, question, read_events, running, text_of, until


def post(server, body=None, headers=(), **options):
    sent = {"content-type": "application/json", **dict(headers)}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx.post(f"{server.url}/chat", content=content, headers=sent, timeout=60, **options)


def test_an_answer_streams_and_ends_with_its_reason(serve, api):
    server = serve()
    response = ask(server, "pieces 3 0")
    assert (response.status_code, text_of(response)) == (200, "0 1 2 ")
    assert read_events(response.text)[-1] == ("end", {"finish_reason": "stop"})
    assert api.keys == {f"bearer {KEY.lower()}"}


def test_pieces_come_one_at_a_time_and_line_separators_break_none(serve):
    server = serve()
    text = "one\u2028two\u0085three <script>"
    assert text_of(ask(server, text)) == text
    with httpx.stream("POST", f"{server.url}/chat", json=question("endless")) as response:
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


def test_odd_and_large_bodies_are_refused_before_anybody_pays(serve, api):
    server, problems = serve(), []
    for name, (body, code) in BODIES.items():
        response = post(server, body)
        if response.status_code not in (400, 413) or code_of(response) != code:
            problems.append((name, response.status_code, response.text))
    assert problems == []
    assert api.seen == []
    assert post(server, {"messages": [USER, ASSISTANT] * 9 + [USER]}).status_code == 200


def test_a_body_sent_in_chunks_is_measured_as_it_comes(serve, api):
    def endless():
        for _ in range(1000):
            yield b"x" * 1000

    server = serve()
    response = httpx.post(
        f"{server.url}/chat", content=endless(), headers={"content-type": "application/json"}
    )
    assert (response.status_code, code_of(response)) == (413, "too_large")


def test_pages_of_other_sites_are_refused(serve, api):
    server, problems = serve(), []
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
        got = post(server, question("hello"), headers).status_code
        if got != status:
            problems.append((headers, got))
    assert problems == []
    preflight = httpx.options(f"{own}/chat", headers={"origin": "https://evil.example"})
    assert not [name for name in preflight.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    ("task", "status", "code"),
    [
        ("status 400", 502, "upstream"),
        ("status 401", 502, "upstream"),
        ("status 422", 502, "upstream"),
        ("status 429", 503, "busy"),
        ("status 500", 502, "upstream"),
        ("status 503", 503, "busy"),
        ("cut", 200, "upstream"),
        ("error inside", 200, "upstream"),
    ],
)
def test_errors_of_the_api_are_mapped_and_leak_nothing(serve, task, status, code):
    server = serve()
    response = ask(server, task)
    assert (response.status_code, code_of(response)) == (status, code)
    assert response.headers.get("retry-after") == (
        "7" if task == "status 429" else "5" if task == "status 503" else None
    )
    for secret in ("secret-detail", KEY, "127.0.0.1", "Traceback", "httpx"):
        assert secret not in response.text
    until(lambda: server.ends)
    assert server.ends == [code]


def test_an_api_that_is_gone_or_silent_ends_in_a_problem(serve, tmp_path):
    with running(tmp_path, "http://127.0.0.1:9/v1") as server:
        assert code_of(ask(server, "hello")) == "upstream"
    silent = serve(CHAT_PIECE_SECONDS="0.2", CHAT_STORE=":memory:")
    assert (ask(silent, "silent").status_code, code_of(ask(silent, "silent"))) == (504, "slow")
    long = serve(CHAT_ANSWER_SECONDS="0.3", CHAT_STORE=":memory:")
    response = ask(long, "endless")
    assert (response.status_code, code_of(response)) == (200, "slow")
    assert "word" in text_of(response)


def test_every_answer_has_an_id_and_the_headers_of_a_careful_page(serve):
    server, problems = serve(), []
    for path in ("/", "/chat.js", "/chat.css", "/health", "/ready", "/chat", "/none"):
        headers = httpx.get(server.url + path).headers
        if "default-src 'none'" not in headers["content-security-policy"]:
            problems.append(path)
        if len(headers["x-request-id"]) != 32 or headers["x-content-type-options"] != "nosniff":
            problems.append(path)
        if "server" in headers:
            problems.append(path)
    assert problems == []
    response = ask(server, "status 500")
    assert response.json()["error"]["id"] == response.headers["x-request-id"]
    until(lambda: server.ends)
    assert server.lines[-1]["id"] == response.headers["x-request-id"]


def test_logs_hold_neither_texts_nor_keys_nor_addresses(serve):
    server = serve()
    texts = ["My name is Ada Lovelace.", "cut", "error inside", "status 401", "pieces 2 0"]
    for text in texts:
        ask(server, text, headers={"x-forwarded-for": "203.0.113.9"})
    post(server, b'{"messages": "Ada Lovelace"')
    until(lambda: len(server.ends) == len(texts))
    server.stop()
    output = "".join(server.output)
    for secret in ("Lovelace", KEY, KEY[:8], "203.0.113.9", "secret-detail", "Bearer"):
        assert secret not in output
    assert all(line.startswith("{") for line in server.output), "each line is JSON"
    line = next(line for line in server.lines if line.get("tokens_in"))
    assert {"id", "user", "end", "ms", "first_ms", "tokens_out", "bytes_in"} <= line.keys()


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
