"""Recorded answers reach every client, in turn, at their pace, and nothing else is answered."""

import asyncio
import concurrent.futures
import http.server
import json
import threading
import time

import httpx
import httpx2
import pytest
from mistralai.client import Mistral

import helpers
from helpers import modes
from helpers.keys import api_key

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


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """Start a lesson of these recordings."""

    def start(*items):
        monkeypatch.setenv("MISTRAL_RECORDINGS", str(tmp_path))
        (tmp_path / "lesson.json").write_text(json.dumps({"recordings": items}), "utf-8")
        helpers.start("lesson")

    return start


def text_of(response):
    return response.json()["choices"][0]["message"]["content"]


async def by_async(lib):
    async with lib.AsyncClient() as client:
        return text_of(await client.post(URL, json=CHEESE))


async def by_sdk_async():
    async with Mistral(api_key="x") as client:
        answer = await client.chat.complete_async(**CHEESE)
    return answer.choices[0].message.content


def by_sdk(**options):
    return Mistral(api_key="x", **options).chat.complete(**CHEESE).choices[0].message.content


WAYS = {
    "httpx": lambda: text_of(httpx.post(URL, json=CHEESE)),
    "httpx, one client": lambda: text_of(httpx.Client().post(URL, json=CHEESE)),
    "httpx, transport": lambda: text_of(
        httpx.Client(transport=httpx.HTTPTransport(retries=2)).post(URL, json=CHEESE)
    ),
    "httpx, async": lambda: asyncio.run(by_async(httpx)),
    "httpx2": lambda: text_of(httpx2.post(URL, json=CHEESE)),
    "httpx2, async": lambda: asyncio.run(by_async(httpx2)),
    "stream: false": lambda: text_of(httpx.post(URL, json=CHEESE | {"stream": False})),
    "regional host": lambda: text_of(httpx.post(URL.replace("api.", "api.eu."), json=CHEESE)),
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
        lib.AsyncClient() as client,
        client.stream("POST", URL, json=STREAM["request"]["body"]) as r,
    ):
        return [line async for line in r.aiter_lines() if line]


def stream_sync(lib):
    with lib.Client() as client, client.stream("POST", URL, json=STREAM["request"]["body"]) as r:
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
    events = Mistral(api_key="x").chat.stream(**CHEESE)  # its address ends in #stream
    assert "".join(event.data.choices[0].delta.content for event in events) == "Comté."


async def arrivals_async():
    async with (
        httpx.AsyncClient() as client,
        client.stream("POST", URL, json=STREAM["request"]["body"]) as r,
    ):
        began = time.monotonic()
        return [time.monotonic() - began async for _ in r.aiter_raw()]


def arrivals():
    with httpx.stream("POST", URL, json=STREAM["request"]["body"]) as response:
        began = time.monotonic()
        return [time.monotonic() - began for _ in response.iter_raw()]


@pytest.mark.parametrize("measure", [arrivals, lambda: asyncio.run(arrivals_async())])
@pytest.mark.parametrize("pace", [1, 0.5, 0])
def test_a_stream_keeps_its_pace(recorded, monkeypatch, measure, pace):
    monkeypatch.setenv("MISTRAL_PACE", str(pace))
    recorded(STREAM)
    for seen, at in zip(measure(), (0.3, 0.4, 0.5, 0.6), strict=True):
        assert at * pace - 0.005 <= seen < at * pace + 0.25


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
    seen = [httpx.post(URL, json=CHEESE).status_code for _ in range(6)]
    assert seen == [429, 429, 200, 429, 429, 200]


def test_threads_share_the_turns(recorded):
    items = [item(CHEESE, {"body": {"number": number}}) for number in range(40)]
    recorded(*items)
    with concurrent.futures.ThreadPoolExecutor(8) as pool, httpx.Client() as client:
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
    assert httpx.post(URL, json=sent).status_code == 200


def test_null_matters_at_the_top_only(recorded):
    answer = {"role": "assistant", "content": "Comté."}
    recorded(item({"messages": [answer]}, {"body": ANSWER}))
    assert httpx.post(URL, json={"messages": [{**answer, "tool_calls": None}]}).status_code == 200
    with pytest.raises(helpers.RecordingNotFound, match="seed: you sent null, recorded: none"):
        httpx.post(URL, json={"messages": [answer], "seed": None})


def test_query_order_does_not_matter(recorded):
    recorded(item(None, {"body": {}}, method="GET", path="/v1/files?page=0&page_size=5"))
    url = "https://api.mistral.ai/v1/files"
    assert httpx.get(url, params={"page_size": 5, "page": 0}).status_code == 200
    with pytest.raises(helpers.RecordingNotFound):
        httpx.get(url, params={"page_size": 6, "page": 0})


def test_a_recorded_refusal_answers_any_wrong_key_and_no_right_one(recorded, monkeypatch):
    refused = {"status": 401, "body": {"detail": "Invalid API Key"}}
    recorded(item(CHEESE, {"body": ANSWER}), item(CHEESE, refused, key="other"))
    right = {"Authorization": "Bearer no-key-needed-for-replay"}
    assert httpx.post(URL, json=CHEESE, headers=right).status_code == 200
    for key in ("wrong", "also wrong"):
        wrong = {"Authorization": f"Bearer {key}"}
        assert httpx.post(URL, json=CHEESE, headers=wrong).status_code == 401
    assert httpx.post(URL, json=CHEESE).status_code == 200, "none recorded for no key at all"


def test_a_miss_names_a_key_in_words(recorded):
    recorded(item(CHEESE, {"status": 401, "body": {}}, key="other"))
    with pytest.raises(helpers.RecordingNotFound) as error:
        helpers.chat("Which cheese?")
    assert "key: you sent the key of the environment, recorded: another key" in str(error.value)


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
    assert [part["name"] for part in request["body"]["form"]] == ["purpose", "file"]
    assert request["body"]["form"][1]["bytes"] == len(content)
    recorded(item(request["body"], {"body": {"id": "file"}}, path="/v1/files"))
    for lib in (httpx, httpx2):
        again = lib.post(
            "https://api.mistral.ai/v1/files",
            files={"file": ("a.bin", content)},
            data={"purpose": "ocr"},
        )
        assert again.json() == {"id": "file"}
    with pytest.raises(helpers.RecordingNotFound, match="sha256"):
        httpx.post(
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
    said = str(error.value)
    assert "POST /v1/chat/completions" in said
    assert "temperature: you sent 0.7, recorded: 0.2" in said
    assert "max_tokens: you sent 5, recorded: none" in said
    assert 'helpers.start("lesson", mode="live")' in said
    assert "content" not in said, "what is the same is left out"


def test_a_miss_shows_long_texts_where_they_part(recorded):
    long = "All of this is the same in both of the messages, and then comes the word "
    recorded(item({"input": [long + "cheese."]}, {"body": {}}))
    with pytest.raises(helpers.RecordingNotFound) as error:
        httpx.post(URL, json={"input": [long + "bread."]})
    assert 'input[0]: you sent "…es the word bread.", recorded: "…es the word cheese."' in str(
        error.value
    )


def test_a_miss_without_any_recording(recorded):
    recorded()
    with pytest.raises(helpers.RecordingNotFound, match="No recording answers this request"):
        httpx.get("https://api.mistral.ai/v1/models")


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
        httpx.post(f"https://{host}/v1/chat/completions", json=CHEESE)


def test_a_client_made_before_start_is_answered_too(recorded):
    client = httpx.Client()
    recorded(item(CHEESE, {"body": ANSWER}))
    assert client.post(URL, json=CHEESE).status_code == 200


def test_start_again_starts_afresh(recorded):
    recorded(item(CHEESE, {"status": 429, "body": {}}), item(CHEESE, {"body": ANSWER}))
    assert httpx.post(URL, json=CHEESE).status_code == 429
    recorded(item(CHEESE, {"status": 429, "body": {}}), item(CHEESE, {"body": ANSWER}))
    assert httpx.post(URL, json=CHEESE).status_code == 429


def test_text_and_bytes_come_back_as_they_were(recorded):
    recorded(
        item(1, {"status": 504, "headers": {"content-type": "text/html"}, "text": "<p>é</p>"}),
        item(2, {"headers": {}, "base64": "AP8="}),
        item(3, {"status": 504, "headers": {}, "text": ""}),
    )
    assert httpx.post(URL, json=1).text == "<p>é</p>"
    assert httpx.post(URL, json=2).content == b"\x00\xff"
    assert httpx.post(URL, json=3).content == b""


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
        httpx.post(URL, json=CHEESE)


def test_a_blank_key_gives_way_to_the_env_file(monkeypatch, tmp_path):
    monkeypatch.setattr(modes, "ENV_FILE", tmp_path / ".env")
    monkeypatch.setenv("MISTRAL_API_KEY", "  ")
    (tmp_path / ".env").write_bytes("MISTRAL_API_KEY=from-the-file\n".encode("utf-16"))
    with pytest.raises(helpers.keys.MissingKey, match="not UTF-8"):
        helpers.start("01_keys", mode="live")
    (tmp_path / ".env").write_text("MISTRAL_API_KEY=from-the-file\n")
    helpers.start("01_keys", mode="live")
    assert api_key() == "from-the-file"


def test_a_miss_of_a_long_prompt_is_told_soon(recorded):
    long = {"messages": [{"role": "user", "content": "word " * 20_000}]}
    recorded(*(item({**long, "n": number}, {"body": ANSWER}) for number in range(5)))
    began = time.monotonic()
    with pytest.raises(helpers.RecordingNotFound):
        httpx.post(URL, json=long)
    assert time.monotonic() - began < 2


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
