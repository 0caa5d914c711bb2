"""Recorded answers reach every client, in turn, at their pace, and nothing else is answered."""

import asyncio
import concurrent.futures
import contextlib
import http.server
import io
import json
import threading

import httpx
import httpx2
import pytest
from IPython.core.interactiveshell import InteractiveShell
from mistralai.client import Mistral

import helpers
from helpers import modes
from helpers.keys import api_key
from helpers.replay import matching, seam

URL = "https://api.mistral.ai/v1/chat/completions"
CHEESE = {
    "model": "mistral-small-latest",
    "messages": [{"role": "user", "content": "Which cheese?"}],
}
ANSWER = {
    "id": "0" * 32,
    "created": 1795348800,
    "model": "mistral-small-latest",
    "usage": {"prompt_tokens": 16, "total_tokens": 20, "completion_tokens": 4},
    "object": "chat.completion",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "Comté. ✓"},
        }
    ],
}


KEY = "no-key-needed-for-replay"
SIGNED = {"Authorization": f"Bearer {KEY}"}


def ask_post(url, **options):
    return httpx.post(url, **{"headers": SIGNED, **options})


def ask_get(url, **options):
    return httpx.get(url, **{"headers": SIGNED, **options})


def item(body, response, method="POST", path="/v1/chat/completions", **request):
    return {
        "origin": "stand-in",
        "recorded": "2026-11-22",
        "request": {"method": method, "path": path, "body": body, **request},
        "response": {"headers": {"content-type": "application/json"}, "status": 200, **response},
    }


def chunk(at, content, **more):
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": None, **more}
    data = {
        "id": "1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [choice],
    }
    return {"at": at, "data": data}


STREAM = item(
    CHEESE | {"stream": True},
    {
        "headers": {"content-type": "text/event-stream; charset=utf-8"},
        "events": [
            chunk(0.3, ""),
            chunk(0.4, "Com"),
            chunk(0.5, "té.", finish_reason="stop"),
            {"at": 0.6, "data": "[DONE]"},
        ],
    },
)


def text_of(response):
    return response.json()["choices"][0]["message"]["content"]


async def by_async(lib):
    async with lib.AsyncClient(headers=SIGNED) as client:
        return text_of(await client.post(URL, json=CHEESE))


async def by_sdk_async():
    async with Mistral(api_key=KEY) as client:
        answer = await client.chat.complete_async(**CHEESE)
    return answer.choices[0].message.content


def by_sdk(**options):
    return Mistral(api_key=KEY, **options).chat.complete(**CHEESE).choices[0].message.content


WAYS = {
    "httpx": lambda: text_of(ask_post(URL, json=CHEESE)),
    "httpx, one client": lambda: text_of(httpx.Client(headers=SIGNED).post(URL, json=CHEESE)),
    "httpx, transport": lambda: text_of(
        httpx.Client(headers=SIGNED, transport=httpx.HTTPTransport(retries=2)).post(
            URL, json=CHEESE
        )
    ),
    "httpx, async": lambda: asyncio.run(by_async(httpx)),
    "httpx2": lambda: text_of(httpx2.post(URL, json=CHEESE, headers=SIGNED)),
    "httpx2, async": lambda: asyncio.run(by_async(httpx2)),
    "stream: false": lambda: text_of(ask_post(URL, json=CHEESE | {"stream": False})),
    "regional host": lambda: text_of(ask_post(URL.replace("api.", "api.eu."), json=CHEESE)),
    "helpers": lambda: helpers.chat("Which cheese?").text,
    "SDK": by_sdk,
    "SDK, httpx2 client": lambda: by_sdk(client=httpx2.Client()),
    "SDK, httpx client": lambda: by_sdk(client=httpx.Client()),
    "SDK, async": lambda: asyncio.run(by_sdk_async()),
}


@pytest.mark.parametrize("way", WAYS)
def test_one_recording_serves_every_client(recorded, way):
    recorded(item(CHEESE, {"body": ANSWER}))
    assert WAYS[way]() == "Comté. ✓"


async def stream_async(lib):
    async with (
        lib.AsyncClient(headers=SIGNED) as client,
        client.stream("POST", URL, json=STREAM["request"]["body"]) as r,
    ):
        return [line async for line in r.aiter_lines() if line]


def stream_sync(lib):
    with (
        lib.Client(headers=SIGNED) as client,
        client.stream("POST", URL, json=STREAM["request"]["body"]) as r,
    ):
        return [line for line in r.iter_lines() if line]


@pytest.mark.parametrize("lib", [httpx, httpx2], ids=["httpx", "httpx2"])
@pytest.mark.parametrize("read", [stream_sync, lambda lib: asyncio.run(stream_async(lib))])
def test_a_stream_comes_as_it_was(recorded, lib, read):
    recorded(STREAM)
    lines = read(lib)
    assert [line[:6] for line in lines] == ["data: "] * 4
    assert lines[1].startswith('data: {"id":"1","object":"chat.completion.chunk"')
    assert lines[-1] == "data: [DONE]"


def test_a_stream_serves_the_helper_and_the_sdk(recorded):
    recorded(STREAM)
    assert list(helpers.stream("Which cheese?")) == ["Com", "té."]
    events = Mistral(api_key=KEY).chat.stream(**CHEESE)  # its address ends in #stream
    assert "".join(event.data.choices[0].delta.content for event in events) == "Comté."


class Time:
    """Time that passes only while somebody sleeps."""

    now = 0.0

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds

    async def asleep(self, seconds):
        self.sleep(seconds)


async def arrivals_async(clock):
    async with (
        httpx.AsyncClient(headers=SIGNED) as client,
        client.stream("POST", URL, json=STREAM["request"]["body"]) as r,
    ):
        return [clock.now async for _ in r.aiter_raw()]


def arrivals(clock):
    with httpx.stream("POST", URL, json=STREAM["request"]["body"], headers=SIGNED) as response:
        return [clock.now for _ in response.iter_raw()]


@pytest.mark.parametrize("measure", [arrivals, lambda clock: asyncio.run(arrivals_async(clock))])
def test_a_stream_keeps_its_pace(recorded, monkeypatch, measure):
    clock = Time()
    monkeypatch.setattr("helpers.replay.player.time", clock)
    monkeypatch.setattr("helpers.replay.player.anyio.sleep", clock.asleep)
    for pace in (1, 0.5, 0):
        monkeypatch.setenv("MISTRAL_PACE", str(pace))
        recorded(STREAM)
        clock.now = 0.0
        assert measure(clock) == pytest.approx([at * pace for at in (0.3, 0.4, 0.5, 0.6)])


def test_a_cut_stream_is_cut_again(recorded):
    cut = json.loads(json.dumps(STREAM))
    cut["response"]["cut"] = True
    del cut["response"]["events"][2:]
    recorded(cut)
    for lib in (httpx, httpx2):
        with pytest.raises(lib.RemoteProtocolError, match="peer closed"):
            stream_sync(lib)
    with pytest.raises(helpers.StreamCut) as error:
        list(helpers.stream("Which cheese?"))
    assert error.value.reply.text == "Com"


def test_the_same_request_answers_in_turn_and_starts_over(recorded):
    busy = {"status": 429, "body": {"message": "Requests rate limit exceeded"}}
    recorded(item(CHEESE, busy), item(CHEESE, busy), item(CHEESE, {"body": ANSWER}))
    seen = [ask_post(URL, json=CHEESE).status_code for _ in range(6)]
    assert seen == [429, 429, 200, 429, 429, 200]


def test_threads_share_the_turns(recorded):
    items = [item(CHEESE, {"body": {"number": number}}) for number in range(40)]
    recorded(*items)
    with concurrent.futures.ThreadPoolExecutor(8) as pool, httpx.Client(headers=SIGNED) as client:
        ask = lambda _: client.post(URL, json=CHEESE).json()["number"]  # noqa: E731
        answers = list(pool.map(ask, range(40)))
    assert sorted(answers) == list(range(40))


@pytest.mark.parametrize(
    "sent",
    [
        {"stop": None, "temperature": 0.0, **CHEESE},
        {**CHEESE, "temperature": 0, "stop": None, "stream": False},
    ],
)
def test_order_and_number_format_do_not_matter(recorded, sent):
    recorded(item({**CHEESE, "temperature": 0, "stop": None}, {"body": ANSWER}))
    assert ask_post(URL, json=sent).status_code == 200


def test_known_fields_that_say_nothing_do_not_matter(recorded):
    """Clients such as pydantic-ai and haystack write out nulls and documented defaults."""
    recorded(item(CHEESE, {"body": ANSWER}), item({"input": ["x"]}, {"body": ANSWER}))
    silent = {
        "stop": None,
        "tools": None,
        "n": 1,
        "top_p": 1.0,
        "safe_prompt": False,
        "presence_penalty": 0,
        "frequency_penalty": 0.0,
        "stream": False,
    }
    for name, value in silent.items():
        assert ask_post(URL, json={**CHEESE, name: value}).status_code == 200, name
    assert ask_post(URL, json={**CHEESE, **silent}).status_code == 200
    assert ask_post(URL, json={"input": "x", "encoding_format": "float"}).status_code == 200


def test_a_null_in_an_unknown_field_matters(recorded):
    answer = {"role": "assistant", "content": "Comté."}
    recorded(item({"messages": [answer]}, {"body": ANSWER}))
    inside = {"messages": [{**answer, "tool_calls": None}]}
    assert ask_post(URL, json=inside).status_code == 200
    with pytest.raises(helpers.RecordingNotFound, match="seed: you sent null, recorded: none"):
        ask_post(URL, json={"messages": [answer], "seed": None})


def test_query_order_does_not_matter(recorded):
    recorded(item(None, {"body": {}}, method="GET", path="/v1/files?page=0&page_size=5"))
    url = "https://api.mistral.ai/v1/files"
    assert ask_get(url, params={"page_size": 5, "page": 0}).status_code == 200
    with pytest.raises(helpers.RecordingNotFound):
        ask_get(url, params={"page_size": 6, "page": 0})


def test_a_recorded_refusal_answers_any_wrong_key_and_no_right_one(recorded):
    refused = {"status": 401, "body": {"detail": "Invalid API Key"}}
    recorded(item(CHEESE, {"body": ANSWER}), item(CHEESE, refused, key="other"))
    assert ask_post(URL, json=CHEESE).status_code == 200
    for key in ("wrong", "also wrong"):
        wrong = {"Authorization": f"Bearer {key}"}
        assert ask_post(URL, json=CHEESE, headers=wrong).status_code == 401


def test_a_recorded_answer_needs_the_key_of_the_environment(recorded):
    recorded(item(CHEESE, {"body": ANSWER}))
    for headers, words in (({}, "no key"), ({"Authorization": "Bearer wrong"}, "another key")):
        with pytest.raises(helpers.RecordingNotFound, match=f"key: you sent {words}"):
            ask_post(URL, json=CHEESE, headers=headers)


def test_multipart_is_matched_by_its_parts(recorded, tmp_path):
    content = b"\x00\xff\r\n--x\r\n" + bytes(range(256))
    seen = []
    with httpx.Client(
        transport=httpx.MockTransport(lambda r: (seen.append(r), httpx.Response(200))[1])
    ) as c:
        c.post(
            "https://api.mistral.ai/v1/files",
            files={"file": ("a.bin", content)},
            data={"purpose": "ocr"},
        )
    from helpers.replay.wire import read_request

    request = read_request(seen[0])
    assert request.pop("key") == "none"
    assert [part["name"] for part in request["body"]["form"]] == ["purpose", "file"]
    assert request["body"]["form"][1]["bytes"] == len(content)
    recorded(item(request["body"], {"body": {"id": "file"}}, path="/v1/files"))
    for lib in (httpx, httpx2):
        again = lib.post(
            "https://api.mistral.ai/v1/files",
            headers=SIGNED,
            files={"file": ("a.bin", content)},
            data={"purpose": "ocr"},
        )
        assert again.json() == {"id": "file"}
    with pytest.raises(helpers.RecordingNotFound, match="sha256"):
        ask_post(
            "https://api.mistral.ai/v1/files",
            files={"file": ("a.bin", content[:-1] + b"!")},
            data={"purpose": "ocr"},
        )


def test_a_miss_says_what_differs_and_what_to_do(recorded):
    recorded(
        item({**CHEESE, "temperature": 0.2}, {"body": ANSWER}),
        item(None, {"body": {}}, method="GET", path="/v1/models"),
    )
    with pytest.raises(helpers.RecordingNotFound) as error:
        helpers.chat("Which cheese?", temperature=0.7, max_tokens=5)
    text = str(error.value)
    assert "POST /v1/chat/completions" in text
    assert "temperature: you sent 0.7, recorded: 0.2" in text
    assert "max_tokens: you sent 5, recorded: none" in text
    assert 'helpers.start("lesson", mode="live")' in text
    assert "content" not in text, "equal fields are left out"
    assert len(text.splitlines()) <= 7


def test_an_error_is_not_the_nearest_recording(recorded):
    near = {**CHEESE, "temperature": 0.6}
    refused = {"status": 422, "body": {"detail": []}}
    recorded(item(near, refused), item({**CHEESE, "temperature": 0, "n": 2}, {"body": ANSWER}))
    with pytest.raises(
        helpers.RecordingNotFound, match=r"temperature: you sent 0.7, recorded: 0\."
    ):
        helpers.chat("Which cheese?", temperature=0.7)


def test_a_miss_in_a_notebook_is_its_message_alone(recorded):
    recorded(item(CHEESE, {"body": ANSWER}))
    shell = InteractiveShell()
    for call in (
        "import helpers; helpers.chat('Bread?')",
        "import httpx; httpx.post(URL, json={}, headers=SIGNED)",
        "Mistral(api_key=KEY).chat.complete(model='mistral-small-latest', messages=[])",
    ):
        shell.user_ns |= {"URL": URL, "SIGNED": SIGNED, "Mistral": Mistral, "KEY": KEY}
        with contextlib.redirect_stdout(io.StringIO()) as out:
            shell.run_cell(call)
        assert "No recording answers POST /v1/chat/completions" in out.getvalue()
        assert len(out.getvalue().strip().splitlines()) <= 7


def test_a_miss_shows_long_texts_where_they_part(recorded):
    long = "All of this is the same in both of the messages, and then comes the word "
    recorded(item({"input": [long + "cheese."]}, {"body": {}}))
    with pytest.raises(helpers.RecordingNotFound) as error:
        ask_post(URL, json={"input": [long + "bread."]})
    assert 'input[0]: you sent "…es the word bread.", recorded: "…es the word cheese."' in str(
        error.value
    )


def test_a_miss_without_any_recording(recorded):
    recorded()
    with pytest.raises(helpers.RecordingNotFound, match="No recording answers GET /v1/models"):
        ask_get("https://api.mistral.ai/v1/models")


@pytest.mark.parametrize("way", WAYS)
def test_a_miss_never_goes_to_the_network(recorded, way, monkeypatch):
    for lib in (httpx, httpx2):
        for transport, name in (
            (lib.HTTPTransport, "handle_request"),
            (lib.AsyncHTTPTransport, "handle_async_request"),
        ):
            monkeypatch.setattr(transport, name, lambda *_: pytest.fail("went to the network"))
    recorded(item({"other": 1}, {"body": ANSWER}))
    with pytest.raises(helpers.RecordingNotFound):
        WAYS[way]()


def test_it_opens_no_socket(recorded, monkeypatch):
    recorded(item(CHEESE, {"body": ANSWER}), STREAM)
    monkeypatch.setattr("socket.socket", lambda *_, **__: pytest.fail("opened a socket"))
    assert helpers.chat("Which cheese?").text == "Comté. ✓"
    assert "".join(helpers.stream("Which cheese?")) == "Comté."


def test_other_hosts_are_left_alone(recorded):
    class Echo(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"local")

        def log_message(self, *_):
            pass

    recorded(item(CHEESE, {"body": ANSWER}))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        for lib in (httpx, httpx2):
            assert lib.get(f"http://127.0.0.1:{server.server_port}").text == "local"
        server.shutdown()


@pytest.mark.parametrize("host", ["mistral.ai.example.com", "notmistral.ai", "example.com"])
def test_only_mistral_hosts_are_answered(recorded, host):
    recorded(item(CHEESE, {"body": ANSWER}))
    with pytest.raises(RuntimeError, match="no network in tests"):  # it went out, and was stopped
        ask_post(f"https://{host}/v1/chat/completions", json=CHEESE)


def test_a_client_made_before_start_is_answered_too(recorded):
    client = httpx.Client(headers=SIGNED)
    recorded(item(CHEESE, {"body": ANSWER}))
    assert client.post(URL, json=CHEESE).status_code == 200


def test_start_again_starts_afresh(recorded):
    recorded(item(CHEESE, {"status": 429, "body": {}}), item(CHEESE, {"body": ANSWER}))
    assert ask_post(URL, json=CHEESE).status_code == 429
    recorded(item(CHEESE, {"status": 429, "body": {}}), item(CHEESE, {"body": ANSWER}))
    assert ask_post(URL, json=CHEESE).status_code == 429


def test_text_and_bytes_come_back_as_they_were(recorded):
    recorded(
        item(1, {"status": 504, "headers": {"content-type": "text/html"}, "text": "<p>é</p>"}),
        item(2, {"headers": {}, "base64": "AP8="}),
        item(3, {"status": 504, "headers": {}, "text": ""}),
    )
    assert ask_post(URL, json=1).text == "<p>é</p>"
    assert ask_post(URL, json=2).content == b"\x00\xff"
    assert ask_post(URL, json=3).content == b""


def test_the_first_line_counts_origins_and_dates(recorded, capsys):
    live = item(CHEESE, {"body": ANSWER}) | {"origin": "api.mistral.ai", "recorded": "2026-12-24"}
    recorded(item({}, {"body": ANSWER}), item(1, {"body": {}}), live)
    line = capsys.readouterr().out
    assert line.count("\n") == 1
    assert "Replay, offline" in line
    assert "1 from api.mistral.ai (2026-12-24)" in line
    assert "2 stand-ins written for this course (2026-11-22), not by a model" in line


def test_a_placeholder_key_is_set_only_where_none_is(recorded, monkeypatch):
    import os

    recorded(item(CHEESE, {"body": ANSWER}))
    assert os.environ["MISTRAL_API_KEY"] == "no-key-needed-for-replay"
    monkeypatch.setenv("MISTRAL_API_KEY", "mine")
    recorded(item(CHEESE, {"body": ANSWER}))
    assert os.environ["MISTRAL_API_KEY"] == "mine"


def test_live_changes_nothing(recorded, monkeypatch, capsys):
    """The request goes out as it is, and the answer arrives as it came, piece by piece."""
    sent, pieces = [], [b"data: {}\n\n", b"data: [DONE]\n\n"]

    def network(transport, request):
        sent.append(request)
        stream = b"".join(pieces)
        return httpx.Response(200, content=stream, headers={"content-type": "text/event-stream"})

    recorded(item(CHEESE, {"body": ANSWER}))
    monkeypatch.setenv("MISTRAL_API_KEY", "mine")
    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", network)
    helpers.start("lesson", mode="live")
    with httpx.Client() as client:
        request = client.build_request(
            "POST", f"{helpers.client.API}/chat/completions", json=CHEESE
        )
        before = dict(request.headers)
        answer = client.send(request)
    assert sent == [request] and dict(request.headers) == before
    assert answer.content == b"".join(pieces)
    assert "Live" in capsys.readouterr().out


def test_the_mode_comes_from_the_environment(recorded, monkeypatch, capsys):
    monkeypatch.setenv("MISTRAL_MODE", "live")
    monkeypatch.setenv("MISTRAL_API_KEY", "mine")
    helpers.start("lesson")
    assert "Live" in capsys.readouterr().out


def test_live_finds_the_key_in_the_env_file(recorded, monkeypatch, tmp_path):
    monkeypatch.setattr(modes, "ENV_FILE", tmp_path / ".env")
    (tmp_path / ".env").write_text("MISTRAL_API_KEY=from-the-file\n")
    recorded(item(CHEESE, {"body": ANSWER}))
    assert api_key() == "no-key-needed-for-replay"
    helpers.start("lesson", mode="live")
    assert api_key() == "from-the-file"
    monkeypatch.setenv("MISTRAL_API_KEY", "from-the-environment")
    helpers.start("lesson", mode="live")
    assert api_key() == "from-the-environment"


@pytest.mark.parametrize("mode", ["live", "record"])
@pytest.mark.parametrize("key", [None, "", "no-key-needed-for-replay", "two words", "ключ"])
def test_live_and_record_need_a_key(recorded, monkeypatch, mode, key):
    recorded(item(CHEESE, {"body": ANSWER}))  # as when the mode is changed in a running kernel
    if key is None:
        monkeypatch.delenv("MISTRAL_API_KEY")
    else:
        monkeypatch.setenv("MISTRAL_API_KEY", key)
    with pytest.raises(helpers.keys.MissingKey, match="MISTRAL_API_KEY") as error:
        helpers.start("lesson", mode=mode)
    assert not key or key not in str(error.value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Expecting value"),
        ('{"recordings": [', "Expecting value"),
        ("[]", 'no list "recordings"'),
        ('{"recordings": 3}', 'no list "recordings"'),
        ('{"recordings": [7]}', "recording 1: it is not an object"),
        (json.dumps({"recordings": [item(1, {})]}), "recording 1: response needs one of"),
        (json.dumps({"recordings": [item(1, {"body": 1, "text": ""})]}), "response needs one of"),
        (
            json.dumps({"recordings": [item(1, {"body": 1, "status": "200"})]}),
            "status is not a number",
        ),
        (
            json.dumps({"recordings": [item(1, {"body": 1}) | {"request": {}}]}),
            "request has no method",
        ),
        (json.dumps({"recordings": [{"origin": "stand-in"}]}), "has no recorded"),
    ],
)
def test_a_broken_file_is_named_with_its_fault(tmp_path, monkeypatch, text, reason):
    monkeypatch.setenv("MISTRAL_RECORDINGS", str(tmp_path))
    (tmp_path / "lesson.json").write_text(text, "utf-8")
    with pytest.raises(ValueError, match="json is not a file of recordings") as error:
        helpers.start("lesson")
    assert reason in str(error.value)
    assert "git checkout" in str(error.value)


def test_a_missing_lesson_names_the_others():
    with pytest.raises(FileNotFoundError, match="01_keys, 02_first_call"):
        helpers.start("99_nothing")


@pytest.mark.parametrize("lesson", ["", "a/b", "../x"])
def test_a_lesson_is_a_name(lesson):
    with pytest.raises(ValueError, match="not the name of a lesson"):
        helpers.start(lesson)


def test_after_a_failed_start_nothing_goes_out():
    with pytest.raises(FileNotFoundError):
        helpers.start("99_nothing")
    with pytest.raises(helpers.RecordingNotFound):
        ask_post(URL, json=CHEESE)


def test_a_blank_key_gives_way_to_the_env_file(monkeypatch, tmp_path):
    monkeypatch.setattr(modes, "ENV_FILE", tmp_path / ".env")
    monkeypatch.setenv("MISTRAL_API_KEY", "  ")
    (tmp_path / ".env").write_bytes("MISTRAL_API_KEY=from-the-file\n".encode("utf-16"))
    with pytest.raises(helpers.keys.MissingKey, match="not UTF-8"):
        helpers.start("01_keys", mode="live")
    (tmp_path / ".env").write_text("MISTRAL_API_KEY=from-the-file\n")
    helpers.start("01_keys", mode="live")
    assert api_key() == "from-the-file"


def test_a_miss_compares_only_the_beginnings_of_long_prompts():
    """So a miss takes milliseconds, also among 400 recordings of long prompts."""
    read = []

    class Long(str):
        def __getitem__(self, index):
            read.append(index)
            return str.__getitem__(self, index)

    one, other = ({"messages[0].content": Long("word " * 20_000 + end)} for end in "ab")
    assert matching.distance(one, other) == (1, -200)
    assert read == [slice(None, 200)] * 2


def test_an_unknown_mode_names_the_modes(monkeypatch):
    with pytest.raises(ValueError, match="replay, live, record"):
        helpers.start("01_keys", mode="online")
    monkeypatch.setenv("MISTRAL_MODE", "offline")
    with pytest.raises(ValueError, match="MISTRAL_MODE"):
        helpers.start("01_keys")


def test_a_wrong_pace_is_named(monkeypatch):
    monkeypatch.setenv("MISTRAL_PACE", "fast")
    with pytest.raises(ValueError, match="MISTRAL_PACE"):
        helpers.start("01_keys")


def test_it_works_without_httpx2(monkeypatch):
    monkeypatch.setattr(seam.importlib.util, "find_spec", lambda name: None)
    assert seam.libraries() == [httpx]
