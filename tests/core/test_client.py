"""chat, stream and embed read every shape that the API has been recorded to send."""

import concurrent.futures
import contextlib
import copy
import http.server
import json
import os
import pickle
import sys
import threading

import httpx
import numpy as np
import pytest

import helpers

MESSAGE = {"role": "assistant", "content": "Paris."}
USAGE = {"prompt_tokens": 10, "total_tokens": 13, "completion_tokens": 3}
SSE = {"content-type": "text/event-stream; charset=utf-8"}
JSON = {"content-type": "application/json"}


def answering(content, status=200, headers=None, seen=None):
    """A client whose server always sends the same: bytes, a list of bytes (pieces) or JSON."""

    def handle(request):
        if seen is not None:
            seen.append(request)
        if isinstance(content, bytes):
            return httpx.Response(status, headers=headers, content=content)
        if isinstance(content, list):
            return httpx.Response(status, headers=headers or SSE, content=iter(content))
        return httpx.Response(status, headers=headers, json=content)

    return httpx.Client(base_url="https://api.mistral.ai/v1", transport=httpx.MockTransport(handle))


def completion(message=MESSAGE, finish_reason="stop", usage=USAGE):
    choice = {"index": 0, "finish_reason": finish_reason, "message": message}
    return {
        "id": "1",
        "model": "m",
        "usage": usage,
        "object": "chat.completion",
        "choices": [choice],
    }


def sse(*chunks, end=b"data: [DONE]\n\n"):
    return (
        b"".join(b"data: %s\n\n" % json.dumps(c, ensure_ascii=False).encode() for c in chunks) + end
    )


def chunk(content=None, finish_reason=None, index=0, **more):
    delta = {} if content is None else {"content": content}
    delta |= more.pop("delta", {})
    choice = {"index": index, "delta": delta, "finish_reason": finish_reason}
    return {"id": "1", "object": "chat.completion.chunk", "model": "m", "choices": [choice], **more}


def call(name, arguments, **more):
    return {"type": "function", "function": {"name": name, "arguments": arguments}, **more}


def thinking(text, **more):
    return {"type": "thinking", "thinking": [{"type": "text", "text": text}], **more}


class Pieces(httpx.SyncByteStream):
    """A stream of two pieces that notes when it is closed."""

    def __init__(self, closed):
        self.closed = closed

    def __iter__(self):
        yield sse(chunk("a"), end=b"")
        yield sse(chunk("b", "stop"))

    def close(self):
        self.closed.append(True)


# chat


def test_string_becomes_one_user_message():
    seen = []
    helpers.chat("Hello", client=answering(completion(), seen=seen), temperature=0)
    assert str(seen[0].url) == "https://api.mistral.ai/v1/chat/completions"
    assert json.loads(seen[0].content) == {
        "model": "mistral-small-latest",
        "messages": [{"role": "user", "content": "Hello"}],
        "temperature": 0,
    }


def test_reply_has_the_parts_of_the_answer():
    reply = helpers.chat("Capital?", client=answering(completion()))
    assert (reply.text, str(reply), reply.thinking, reply.tool_calls) == (
        "Paris.",
        "Paris.",
        "",
        [],
    )
    assert (reply.finish_reason, reply.model) == ("stop", "m")
    assert reply.usage == helpers.reply.Usage(10, 3, 13, 0)
    assert reply.raw == completion()
    assert "raw" not in repr(reply)


@pytest.mark.parametrize(
    ("message", "text", "thought"),
    [
        ({"content": None}, "", ""),
        ({}, "", ""),
        ({"content": [thinking("Hm."), {"type": "text", "text": "4"}]}, "4", "Hm."),
        ({"content": [thinking("Hm.", closed=True)]}, "", "Hm."),
        ({"content": [{"type": "thinking", "thinking": "old"}]}, "", "old"),
        (
            {
                "content": [
                    {"type": "text", "text": "a"},
                    {"type": "reference", "reference_ids": []},
                    {"type": "text", "text": "b"},
                ]
            },
            "ab",
            "",
        ),
    ],
)
def test_content_of_every_shape_is_read(message, text, thought):
    reply = helpers.chat("?", client=answering(completion({"role": "assistant", **message})))
    assert (reply.text, reply.thinking) == (text, thought)


@pytest.mark.parametrize("calls", [None, [], [call("f", "{}", id="abcdefghi")]])
def test_tool_calls_stay_as_on_the_wire(calls):
    answer = completion({"content": "", "tool_calls": calls}, "tool_calls")
    assert helpers.chat("?", client=answering(answer)).tool_calls == (calls or [])


@pytest.mark.parametrize(
    ("usage", "cached"),
    [
        (None, 0),
        (USAGE, 0),
        (USAGE | {"num_cached_tokens": 5}, 5),
        (USAGE | {"prompt_tokens_details": {"cached_tokens": 7}}, 7),
        (USAGE | {"prompt_tokens_details": None, "num_cached_tokens": None}, 0),
        (USAGE | {"prompt_tokens_details": {"cached_tokens": None}, "num_cached_tokens": 3}, 3),
    ],
)
def test_cached_tokens_are_read_from_each_place(usage, cached):
    assert (
        helpers.chat("?", client=answering(completion(usage=usage))).usage.cached_tokens == cached
    )


@pytest.mark.parametrize(
    "messages",
    [{"role": "user", "content": "x"}, ["x"], [1], None, 7],
    ids=["dict", "strings", "numbers", "none", "number"],
)
def test_messages_of_the_wrong_type_are_refused(messages):
    with pytest.raises(TypeError, match="list of"):
        helpers.chat(messages, client=answering(completion()))


def test_messages_may_come_from_a_generator():
    seen = []
    helpers.chat(
        (m for m in [{"role": "user", "content": "x"}]), client=answering(completion(), seen=seen)
    )
    assert json.loads(seen[0].content)["messages"] == [{"role": "user", "content": "x"}]


def test_embed_accepts_only_the_float_format():
    with pytest.raises(ValueError, match="encoding_format"):
        helpers.embed("a", client=answering({"data": []}), encoding_format="base64")


def test_no_messages_is_an_error():
    with pytest.raises(ValueError, match="at least one"):
        helpers.stream([], client=answering(completion()))


def test_chat_refuses_to_stream():
    with pytest.raises(TypeError, match="call helpers"):
        helpers.chat("Hello", client=answering(completion()), stream=True)


def test_stream_refuses_to_wait_for_the_whole_answer():
    with pytest.raises(TypeError, match=r"call helpers\.chat"):
        helpers.stream("Hello", stream=False)


# stream


def read(*pieces, headers=None):
    stream = helpers.stream("?", client=answering(list(pieces), headers=headers))
    return list(stream), stream.reply


def test_stream_yields_pieces_and_then_has_the_reply():
    raw = sse(
        chunk("", delta={"role": "assistant"}),
        chunk("1", p="abcdefghij"),
        chunk(", 2,", p="ab"),
        chunk(" 3", "stop", usage=USAGE, p="abc"),
    )
    pieces, reply = read(raw)
    assert pieces == ["1", ", 2,", " 3"]
    assert reply.text == "1, 2, 3"
    assert (reply.finish_reason, reply.usage.completion_tokens, len(reply.raw)) == ("stop", 3, 4)


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_stream_is_read_however_the_network_splits_it(size):
    raw = sse(chunk("né"), chunk("\u2028\u0085🧀"), chunk("!", "stop"))
    pieces, _ = read(*(raw[i : i + size] for i in range(0, len(raw), size)))
    assert pieces == ["né", "\u2028\u0085🧀", "!"], "U+2028 and U+0085 are text, no ends of lines"


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw.replace(b"\n", b"\r\n"),
        lambda raw: raw.replace(b"data: ", b"data:"),
        lambda raw: raw.replace(b"data: {", b": a comment\nevent: x\nid: 1\ndata: {"),
        lambda raw: raw.removesuffix(b"\n\n"),
        # The finish_reason came, so the answer is complete.
        lambda raw: raw.removesuffix(b"data: [DONE]\n\n"),
    ],
    ids=["crlf", "no space", "other fields", "no blank line at the end", "no DONE after the end"],
)
def test_events_are_read_in_every_valid_form(change):
    pieces, reply = read(change(sse(chunk("a"), chunk("b", "stop", usage=USAGE))))
    assert (pieces, reply.usage.total_tokens) == (["a", "b"], 13)


def test_one_delta_can_end_the_thinking_and_begin_the_answer():
    raw = sse(
        chunk([thinking("12 × 12 is 14", closed=True)]),
        chunk([thinking("4."), {"type": "text", "text": "1"}]),
        chunk("44", "stop", usage=USAGE),
    )
    pieces, reply = read(raw)
    assert "".join(pieces) == reply.text == "144"
    assert reply.thinking == "12 × 12 is 144."


def test_stream_yields_the_first_of_several_answers():
    raw = sse(
        chunk("a"),
        chunk("x", index=1),
        chunk("y", "stop", index=1),
        chunk("b", "stop", usage=USAGE),
    )
    pieces, reply = read(raw)
    assert (pieces, reply.text, len(reply.raw)) == (["a", "b"], "ab", 4)


def test_tool_calls_in_one_chunk():
    calls = [
        call("f", '{"a": 1}', id="abcdefghi", index=0),
        call("g", "{}", id="bcdefghij", index=1),
    ]
    _, reply = read(sse(chunk("", "tool_calls", delta={"tool_calls": calls}, usage=USAGE)))
    assert reply.tool_calls == calls


def test_tool_calls_in_fragments_are_joined():
    """As a hosted model (GLM) sends them: later fragments have neither an id nor a name."""
    raw = sse(
        chunk(delta={"tool_calls": [call("f", "", id="chatcmpl-tool-9", index=0)]}),
        chunk(delta={"tool_calls": [call("", '{"a":', id=None, index=0)]}),
        chunk(delta={"tool_calls": [call(None, " 1}", id="null", index=0)]}),
        chunk(delta={"tool_calls": [call("g", "{}", id="chatcmpl-tool-8", index=1)]}),
        chunk("", "tool_calls", usage=USAGE),
    )
    _, reply = read(raw)
    assert [(c["id"], c["function"]) for c in reply.tool_calls] == [
        ("chatcmpl-tool-9", {"name": "f", "arguments": '{"a": 1}'}),
        ("chatcmpl-tool-8", {"name": "g", "arguments": "{}"}),
    ]
    assert reply.raw[0]["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"] == ""


def breaking(raw):
    yield raw
    raise httpx.ReadError("connection reset")


@pytest.mark.parametrize(
    "content",
    [
        [sse(chunk("Once"), chunk(" upon"), end=b"")],
        [sse(chunk("Once"), chunk(" upon"), end=b'data: {"id":"1","cho')],
        breaking(sse(chunk("Once"), chunk(" upon"), end=b"")),
        [sse(chunk("Once"), chunk(" upon"), end=b"data: 7\n\n")],
        [sse(chunk("Once"), chunk(" upon"), {"choices": [{}]})],
    ],
    ids=["ends early", "ends inside an event", "connection reset", "a number", "no delta"],
)
def test_cut_stream_raises_and_keeps_what_arrived(content):
    transport = httpx.MockTransport(
        lambda _: httpx.Response(200, headers=SSE, content=iter(content))
    )
    stream = helpers.stream("?", client=httpx.Client(transport=transport))
    pieces = []
    with pytest.raises(helpers.StreamCut, match="after 9 characters") as error:
        for piece in stream:
            pieces.append(piece)
    assert "".join(pieces) == error.value.reply.text == stream.reply.text == "Once upon"
    assert stream.reply.finish_reason is None
    assert isinstance(error.value, httpx.TransportError), "as httpx's own errors of this kind"


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ({"error": {"message": "boom"}}, "boom"),
        ({"object": "error", "message": "boom", "raw_status_code": "500"}, "boom"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_malformed_chunk_never_passes_for_an_answer(fault, says):
    with pytest.raises(helpers.APIError, match=says) as error:
        read(sse(chunk("Once"), fault))
    assert (error.value.status, error.value.reply.text) == (500, "Once")


def insane(**usage):
    return USAGE | usage


BAD_USAGES = [
    5,
    "many",
    [1],
    {},
    insane(prompt_tokens=-1),
    insane(completion_tokens="3"),
    insane(total_tokens=float("nan")),
    insane(prompt_tokens=1.5),
    insane(prompt_tokens_details={"cached_tokens": True}),
]


def test_implausible_usage_counts_as_not_reported():
    """It must not turn a good answer into an error, nor become zeros that look like counts."""
    for usage in BAD_USAGES:
        text = json.dumps(completion(usage=usage)).encode()
        whole = helpers.chat("?", client=answering(text, headers=JSON))
        _, streamed = read(sse(chunk("Paris."), chunk("", "stop", usage=usage)))
        for reply in (whole, streamed):
            assert reply.text == "Paris."
            assert not reply.usage.reported, usage
            assert repr(reply.usage) == "Usage(not reported)"


def test_stream_without_usage_reports_that():
    _, reply = read(sse(chunk("Once", "stop")))
    assert not reply.usage.reported
    assert "usage=Usage(not reported)" in repr(reply)


def test_byte_order_mark_before_the_first_event_is_skipped():
    pieces, _ = read(b"\xef\xbb\xbf" + sse(chunk("a"), chunk("b", "stop")))
    assert pieces == ["a", "b"]


def test_events_are_read_as_utf_8_whatever_the_header():
    headers = {"content-type": "text/event-stream; charset=utf-16"}
    pieces, _ = read(sse(chunk("é"), chunk("!", "stop")), headers=headers)
    assert pieces == ["é", "!"]


def test_content_of_another_type_is_an_api_error():
    for content in (5, True, {"type": "text"}, ["text"], [5]):
        answer = completion({"role": "assistant", "content": content})
        with pytest.raises(helpers.APIError):
            helpers.chat("?", client=answering(answer))


DEEP = b"[" * 100_000


def test_json_nested_too_deeply_is_an_api_error():
    whole = b'{"choices":' + DEEP
    for ask in (helpers.chat, helpers.embed, lambda *a, **k: list(helpers.stream(*a, **k))):
        with pytest.raises(helpers.APIError):
            ask("?", client=answering(whole, headers=JSON))
    with pytest.raises(helpers.StreamCut, match="unreadable"):
        read(b'data: {"choices":' + DEEP + b"\n\n")


def test_reading_the_reply_after_each_piece_takes_linear_time():
    """Twice the pieces execute about twice the bytecode: counted, not timed."""

    def steps(pieces):
        count = 0

        def trace(frame, event, _):
            nonlocal count
            count += event == "line"
            return trace

        stream = helpers.stream("?", client=answering([sse(*[chunk("a")] * pieces)]))
        # Coverage traces as well.
        before = sys.gettrace()
        sys.settrace(trace)
        try:
            with pytest.raises(helpers.StreamCut):
                while True:
                    next(stream)
                    assert stream.reply.text
        finally:
            sys.settrace(before)
        return count

    assert steps(400) < 2.5 * steps(200)


def test_done_without_a_finish_reason_is_a_cut():
    with pytest.raises(helpers.StreamCut, match="no finish_reason"):
        read(sse(chunk("Once")))


@pytest.mark.parametrize("bad", [chunk(5), chunk([1]), chunk("a", delta={"tool_calls": [5]})])
def test_malformed_chunk_is_a_cut(bad):
    with pytest.raises(helpers.StreamCut, match="unreadable"):
        read(sse(chunk("Once"), bad))


@pytest.mark.parametrize("way", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy])
def test_errors_can_be_pickled_and_copied(way):
    cases = [
        lambda: helpers.chat("?", client=answering({"message": "wait", "code": "1300"}, 429)),
        lambda: helpers.chat("?", client=answering(b"<title>busy</title>", 502)),
        lambda: read(sse(chunk("Once"), {"object": "error", "message": "boom"})),
        lambda: read(sse(chunk("Once"), end=b"")),
    ]
    for case in cases:
        with pytest.raises(httpx.HTTPError) as error:
            case()
        again = way(error.value)
        assert str(again) == str(error.value) and type(again) is type(error.value)
        assert again.reply == error.value.reply


def test_pickled_error_contains_no_key(monkeypatch):
    key = "Zq3vN8sK1xT5bW7yR2mC9dF4gH6jL0pA"
    monkeypatch.setenv("MISTRAL_API_KEY", key)
    echo = json.dumps({"message": f"Bearer {key}"}).encode()
    cases = [
        lambda: helpers.chat("?", client=answering(echo, 401, {"x-echo": key})),
        lambda: read(sse(chunk("Once"), {"object": "error", "message": key})),
        lambda: read(sse(chunk("Once"), end=b"")),
    ]
    for case in cases:
        with pytest.raises(httpx.HTTPError) as error:
            case()
        assert error.value.request.headers["authorization"] == f"Bearer {key}"
        assert key.encode() not in pickle.dumps(error.value)


def test_abandoned_stream_is_closed_at_once():
    closed = []

    def first():
        transport = httpx.MockTransport(
            lambda _: httpx.Response(200, headers=SSE, stream=Pieces(closed))
        )
        for piece in helpers.stream("?", client=httpx.Client(transport=transport)):
            return piece

    assert first() == "a"
    assert closed, "without waiting for the garbage collector"


def test_empty_stream_is_a_cut():
    with pytest.raises(helpers.StreamCut, match="after 0 characters"):
        read(b"")


def test_error_inside_a_stream_raises_and_keeps_what_arrived():
    fault = {"object": "error", "message": "Internal error", "code": "3000", "raw_status_code": 500}
    with pytest.raises(helpers.APIError, match="Internal error") as error:
        read(sse(chunk("Once"), fault))
    assert (error.value.status, error.value.code, error.value.retryable) == (500, "3000", True)
    assert error.value.reply.text == "Once"


@pytest.mark.parametrize(
    ("content", "headers", "status", "says"),
    [
        (
            b'{"detail":"Invalid API Key"}',
            {"content-type": "application/json"},
            401,
            "Invalid API Key",
        ),
        (b"<title>Sign in</title>", {"content-type": "text/html"}, 200, "a web page: Sign in"),
        (b'{"choices":[]}', {"content-type": "application/json"}, 200, "not a valid API response"),
    ],
)
def test_error_instead_of_a_stream_raises(content, headers, status, says):
    with pytest.raises(helpers.APIError, match=says) as error:
        list(helpers.stream("?", client=answering(content, status, headers)))
    assert error.value.status == status


def test_stopping_early_closes_the_connection_and_keeps_what_arrived():
    closed = []

    transport = httpx.MockTransport(
        lambda _: httpx.Response(200, headers=SSE, stream=Pieces(closed))
    )
    with helpers.stream("?", client=httpx.Client(transport=transport)) as stream:
        assert next(stream) == "a"
    assert closed
    assert (stream.reply.text, stream.reply.finish_reason) == ("a", None)
    assert list(stream) == [], "it can be read once"


# embed


def rows(*vectors):
    return {"data": [{"index": i, "embedding": vector} for i, vector in enumerate(vectors)]}


def test_embed_returns_an_array_in_the_order_of_the_texts():
    seen = []
    answer = rows([0.5, -0.25], [1.0, 2.0])
    answer["data"].reverse()
    vectors = helpers.embed(["a", "b"], client=answering(answer, seen=seen), output_dimension=2)
    assert np.array_equal(vectors, [[0.5, -0.25], [1.0, 2.0]])
    assert json.loads(seen[0].content) == {
        "model": "mistral-embed",
        "input": ["a", "b"],
        "output_dimension": 2,
    }
    assert helpers.embed("a", client=answering(rows([1.0]))).shape == (1, 1)


def test_embed_sends_many_texts_in_batches():
    seen = []

    def answer(request):
        texts = json.loads(request.content)["input"]
        seen.append(len(texts))
        return httpx.Response(200, json=rows(*([float(text.split()[0])] for text in texts)))

    client = httpx.Client(transport=httpx.MockTransport(answer))
    vectors = helpers.embed([str(number) for number in range(300)], client=client)
    assert seen == [128, 128, 44]
    assert vectors[:, 0].tolist() == list(range(300))
    seen.clear()
    helpers.embed([f"{number} " + "x" * 6000 for number in range(5)], client=client)
    assert seen == [2, 2, 1], "and by length"
    seen.clear()
    helpers.embed(["1 " + "x" * 40_000, "2"], client=client)
    assert seen == [1, 1], "a text that is too long goes alone: the API says what is wrong with it"


@pytest.mark.parametrize("texts", [[], [1], [None], ["a", 2], "", ["a", ""]])
def test_embed_refuses_anything_but_texts(texts):
    with pytest.raises(ValueError, match="list of texts"):
        helpers.embed(texts, client=answering(rows([1.0])))


@pytest.mark.parametrize(
    "answer",
    [
        rows([1.0]),
        rows([1.0], [1.0, 2.0]),
        rows([1.0], [None]),
        rows([1.0], "1.0"),
        {"data": [{}, {}]},
        {"data": None},
        {"data": 3},
        [],
        "text",
    ],
)
def test_embed_checks_the_vectors_it_receives(answer):
    with pytest.raises(helpers.APIError):
        helpers.embed(["a", "b"], client=answering(answer))


# the client and the key


class KeepAlive(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        self.server.connections += 1

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.server.answered += 1
        self.server.keys.add(self.headers["authorization"])
        content = json.dumps(completion()).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def keep_alive_server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), KeepAlive) as server:
        server.daemon_threads = True
        server.connections = server.answered = 0
        server.keys = set()
        server.url = f"http://127.0.0.1:{server.server_port}/v1"
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.parametrize(
    "ask", [helpers.chat, helpers.embed, lambda text: list(helpers.stream(text))]
)
def test_without_a_key_nothing_is_sent(ask, monkeypatch):
    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", lambda *_: pytest.fail("sent"))
    with pytest.raises(helpers.keys.MissingKey, match="lesson 01"):
        ask("Hello")


@pytest.mark.parametrize(
    ("base_url", "headers", "auth", "sent"),
    [
        ("https://api.mistral.ai/v1", {}, None, "Bearer env-key"),
        ("", {}, None, "Bearer env-key"),
        ("https://api.eu.mistral.ai/v1", {}, None, "Bearer env-key"),
        ("https://api.mistral.ai/v1", {"Authorization": "Bearer own"}, None, "Bearer own"),
        ("https://api.mistral.ai/v1", {}, ("a", "b"), "Basic YTpi"),
        ("https://gateway.example.com/v1", {}, None, None),
        ("http://127.0.0.1:8000/v1", {}, None, None),
        ("http://api.mistral.ai/v1", {}, None, None),  # not encrypted
    ],
)
def test_key_is_sent_to_mistral_only(monkeypatch, base_url, headers, auth, sent):
    monkeypatch.setenv("MISTRAL_API_KEY", "env-key")
    seen = []
    transport = httpx.MockTransport(
        lambda r: (seen.append(r), httpx.Response(200, json=completion()))[1]
    )
    client = httpx.Client(base_url=base_url, headers=headers, auth=auth, transport=transport)
    helpers.chat("Hello", client=client)
    assert seen[0].headers.get("authorization") == sent
    assert seen[0].url.path == "/v1/chat/completions"
    assert not client.is_closed, "the caller's client stays open"


def test_calls_without_a_client_share_one(monkeypatch):
    """Threads that call at the same time keep their connections open between calls."""
    monkeypatch.setenv("MISTRAL_API_KEY", "env-key")
    with keep_alive_server() as server:
        monkeypatch.setattr("helpers.client.API", server.url)
        monkeypatch.setattr("helpers.client._shared", None)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for _ in range(5):
                list(pool.map(helpers.chat, ["Hello"] * 4))
    assert server.answered == 20
    assert server.connections <= 4
    assert server.keys == {"Bearer env-key"}


def test_forked_process_opens_its_own_connections(monkeypatch):
    if not hasattr(os, "fork"):
        pytest.skip("no fork on this system")
    before = helpers.client.shared_client()
    read_end, write_end = os.pipe()
    if os.fork() == 0:
        os.write(write_end, b"1" if helpers.client.shared_client() is not before else b"0")
        os._exit(0)
    os.wait()
    assert os.read(read_end, 1) == b"1"


def test_shared_client_waits_long_enough(monkeypatch):
    monkeypatch.setenv("MISTRAL_API_KEY", "env-key")
    seen = []
    monkeypatch.setattr(
        httpx.HTTPTransport,
        "handle_request",
        lambda _, r: (seen.append(r), httpx.Response(200, json=completion()))[1],
    )
    helpers.chat("Hello")
    assert str(seen[0].url) == "https://api.mistral.ai/v1/chat/completions"
    assert seen[0].extensions["timeout"] == {"connect": 10, "read": 60, "write": 60, "pool": 60}
