"""A changed request gets an answer, the API's own refusal, or a short error that says what can be asked."""

import collections
import concurrent.futures
import copy
import json
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from helpers.offline import fallback, vectors
from helpers.offline.fallback import Offline
from helpers.replay.player import Player
from helpers.replay.recordings import RecordingNotFound, Recordings

RECORDINGS = Path(__file__).parent.parent.parent / "data" / "recordings"
CHAT, EMBEDDINGS = "/v1/chat/completions", "/v1/embeddings"
KEY = "k" * 32
CHEESE = "What is the best French cheese?"


def changed(**fields):
    return lambda body: {**body, **fields}


def without(name):
    return lambda body: {key: value for key, value in body.items() if key != name}


def renamed(old, new):
    return lambda body: {new if key == old else key: value for key, value in body.items()}


def own_question(body):
    messages = copy.deepcopy(body["messages"])
    next(m for m in messages if m["role"] == "user")["content"] = "How tall is the Eiffel Tower?"
    return {**body, "messages": messages}


def own_system(body):
    rest = [m for m in body["messages"] if m["role"] != "system"]
    return {**body, "messages": [{"role": "system", "content": "Be a pirate."}, *rest]}


def wrong_role(body):
    return {**body, "messages": [*body["messages"], {"role": "bot", "content": "x"}]}


def texts_of(body):
    return [body["input"]] if isinstance(body["input"], str) else body["input"]


CHAT_EDITS = {
    "temperature 0": changed(temperature=0),
    "temperature 0.5": changed(temperature=0.5),
    "temperature 1.2": changed(temperature=1.2),
    "temperature 3": changed(temperature=3),
    "temperature in words": changed(temperature="hot"),
    "top_p": changed(top_p=0.5),
    "max_tokens": changed(max_tokens=5),
    "max_tokens below zero": changed(max_tokens=-1),
    "n": changed(n=2),
    "stop": changed(stop=[" "]),
    "random_seed": changed(random_seed=4),
    "stream": lambda body: {**body, "stream": not body.get("stream")},
    "penalty": changed(presence_penalty=1, frequency_penalty=0.5),
    "another model": changed(model="mistral-large-latest"),
    "a retired model": changed(model="open-mistral-7b"),
    "an unknown model": changed(model="mistral-smal"),
    "a typo in a field": renamed("messages", "mesages"),
    "an extra field": changed(max_completion_tokens=10),
    "a missing field": without("model"),
    "a wrong role": wrong_role,
    "no messages": changed(messages=[]),
    "own question": own_question,
    "own system prompt": own_system,
}
EMBEDDING_EDITS = {
    "one text": lambda body: {**body, "input": texts_of(body)[0]},
    "the last text in a list": lambda body: {**body, "input": texts_of(body)[-1:]},
    "the other way round": lambda body: {**body, "input": texts_of(body)[::-1]},
    "each second": lambda body: {**body, "input": texts_of(body)[::2]},
    "twice": lambda body: {**body, "input": (texts_of(body) * 2)[:100]},
    "with a text of another lesson": lambda body: {
        **body,
        "input": [*texts_of(body)[:2], "The bank raised its rates."],
    },
    "own text": changed(input="Bread needs time."),
    "own text among others": lambda body: {**body, "input": [*texts_of(body)[:3], "Bread."]},
    "floats": changed(encoding_format="float"),
    "the dated name": changed(model="mistral-embed-2312"),
    "a chat model": changed(model="mistral-small-latest"),
    "an unknown model": changed(model="mistral-embedd"),
    "too many texts": changed(input=["x"] * 257),
    "a number": changed(input=5),
    "a typo in a field": renamed("input", "inputs"),
    "an extra field": changed(dimensions=512),
    "a missing field": without("model"),
}
OWN = {"own question", "own system prompt", "own text", "own text among others"}


def edits_of(request):
    """(name, request, key) for each edit of a recorded request."""
    body = request["body"]
    if request["path"] == CHAT and isinstance(body.get("messages"), list):
        edits = CHAT_EDITS
    else:
        edits = EMBEDDING_EDITS if request["path"] == EMBEDDINGS else {}
    for name, edit in edits.items():
        yield name, {**request, "body": edit(body)}, KEY
    yield "another key", request, "another"
    yield "no key", request, None
    yield "a typo in the path", {**request, "path": request["path"].replace("/v1/", "/v2/")}, KEY
    other = "PUT" if request["path"] in (CHAT, EMBEDDINGS, "/v1/models") else request["method"]
    yield "another method", {**request, "method": other}, KEY


def requests_of(recordings):
    """Each recorded request once; of those that are alike, tickets to label or texts to embed, five."""
    found, alike = {}, collections.Counter()
    for item in recordings:
        body = item["request"]["body"] or {}
        first = body.get("messages", [{}])[0]
        kind = first.get("content") if first.get("role") == "system" else "input" in body
        alike[kind] += 1
        if "form" not in body and (not kind or alike[kind] <= 5):
            request = {name: item["request"][name] for name in ("method", "path", "body")}
            found[json.dumps(request, sort_keys=True)] = request
    return list(found.values())


def send(player, request, key):
    """(status or the error of a miss)."""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    content = {} if request["body"] is None else {"json": request["body"]}
    url = f"https://api.mistral.ai{request['path']}"
    asked = httpx.Request(request["method"], url, headers=headers, **content)
    try:
        response = player.answer(httpx, asked)
    except RecordingNotFound as error:
        return error
    response.read()
    return response.status_code


def player_of(lesson):
    return Player(
        Recordings.load(RECORDINGS / f"{lesson}.json"), 0, Offline(lesson, lambda *_: None)
    )


def is_short(miss):
    lines = str(miss).splitlines()
    menu = [line for line in lines[2:-1] if "here" in line]
    return len(lines) <= 7 and menu and max(map(len, menu)) <= 160


@pytest.fixture
def offline(monkeypatch):
    """A key, no model for own texts, and no socket."""

    def forbidden(*_, **__):
        raise AssertionError("a socket was opened")

    monkeypatch.setenv("MISTRAL_API_KEY", KEY)
    monkeypatch.setattr(vectors, "can_compute", lambda: False)
    monkeypatch.setattr(socket, "socket", forbidden)


@pytest.mark.slow
def test_of_all_edits_of_all_recorded_requests_nine_in_ten_end_well(offline):
    """Well: an answer, the API's error, or for own texts and prompts a miss that says what can be asked."""
    kinds, odd = collections.Counter(), []
    for path in sorted(RECORDINGS.glob("*.json")):
        player = player_of(path.stem)
        for request in requests_of(player.recordings):
            for name, edited, key in edits_of(request):
                found = send(player, edited, key)
                if isinstance(found, int):
                    kind = "answered" if found == 200 else f"refused with {found}"
                elif name in OWN and is_short(found):
                    kind = "a miss that says what can be asked"
                else:
                    kind = "a dead end"
                    odd.append((path.stem, name, str(request["body"])[:200], str(found)))
                kinds[kind] += 1
    total = sum(kinds.values())
    print(f"\n{total:,} edits of recorded requests:")
    for kind, count in kinds.most_common():
        print(f"{count / total:6.1%}  {kind}")
    dead = collections.Counter((lesson, name) for lesson, name, *_ in odd)
    assert not dead
    assert not [one for one in odd if len(one[3].splitlines()) > 7]
    assert kinds["answered"] > 0.3 * total


class Reported(list):
    """What `Offline` reported, as (kind, line)."""

    def __call__(self, kind, line):
        self.append((kind, line))


@pytest.fixture
def ask(offline, tmp_path):
    """Asks the offline API of a lesson without recordings: returns the body, and what was reported."""

    def send(lesson="02_first_call", question=CHEESE, messages=None, path=CHAT, **fields):
        reported = Reported()
        player = Player(Recordings(tmp_path / f"{lesson}.json"), 0, Offline(lesson, reported))
        messages = messages or [{"role": "user", "content": question}]
        body = {"model": "mistral-small-latest", "messages": messages, **fields}
        body = fields if path == EMBEDDINGS else body
        headers = {"authorization": f"Bearer {KEY}"}
        request = httpx.Request("POST", f"https://api.mistral.ai{path}", headers=headers, json=body)
        response = player.answer(httpx, request)
        response.read()
        return response, reported

    return send


def text_of(response):
    return response.json()["choices"][0]["message"]["content"]


def test_a_known_question_is_answered_under_any_parameters(ask):
    whole, _ = ask()
    assert text_of(whole).startswith("There is no single best one")
    problems = []
    for fields in (
        {"temperature": 1.5},
        {"top_p": 0.1},
        {"random_seed": 1},
        {"model": "ministral-8b-latest"},
        {"model": "mistral-large-4"},
        {"model": "mistral-medium"},
        {"presence_penalty": 1.0, "frequency_penalty": -1},
        {"prompt_cache_key": "x", "metadata": {"a": 1}, "service_tier": "auto"},
        {"temperature": None, "stop": None, "n": None, "random_seed": None, "max_tokens": None},
        {"temperature": "0.5"},
        {"response_format": {"type": "text"}, "reasoning_effort": "none"}
        | {"model": "mistral-small-latest"},
        {"tools": [], "tool_choice": "none"},
    ):
        response, _ = ask(**fields)
        if text_of(response) != text_of(whole):
            problems.append((fields, response.text))
    assert problems == []
    cut, _ = ask(max_tokens=3)
    assert cut.json()["choices"][0]["finish_reason"] == "length"
    assert cut.json()["usage"]["completion_tokens"] == 3
    none, _ = ask(max_tokens=0)
    assert text_of(none) == ""
    assert len(ask(n=3)[0].json()["choices"]) == 3
    assert ask(question="  what is the best   French cheese")[0].status_code == 200
    assert ask(messages=[{"role": "user", "content": [{"type": "text", "text": CHEESE}]}])


def test_nobody_answers_when_the_answer_would_be_steered_otherwise(ask):
    tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
    user = {"role": "user", "content": CHEESE}
    for fields in (
        {"messages": [{"role": "system", "content": "Be a pirate."}, user]},
        {"messages": [user, {"role": "assistant", "content": "Well, ", "prefix": True}]},
        {"messages": [{"role": "user", "content": "Hello"}, {"role": "user", "content": "You?"}]},
        {"tools": [tool]},
        {"response_format": {"type": "json_object"}},
        {"reasoning_effort": "high"},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}]},
    ):
        with pytest.raises(RecordingNotFound) as caught:
            ask(**fields)
        assert len(str(caught.value).splitlines()) <= 7


def test_draws_differ_from_call_to_call_and_a_seed_draws_the_same(ask):
    cheese = {"lesson": "04_system_prompts_and_temperature", "temperature": 1.5}
    cheese["question"] = "Name one French cheese. Only the name."

    def draws(**fields):
        return {text_of(ask(**cheese, **fields)[0]) for _ in range(20)}

    assert len(draws()) > 1
    assert len(draws(random_seed=7)) == 1
    assert len({frozenset(draws(random_seed=seed)) for seed in range(20)}) > 1
    assert len(draws(top_p=0.01)) == 1


def test_streams_and_whole_answers_say_the_same(ask):
    story = "Tell me a short story about a lighthouse."
    whole, _ = ask("03_streaming", story)
    stream, _ = ask("03_streaming", story, stream=True)
    assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
    *chunks, end = [line[6:] for line in stream.text.split("\n\n") if line]
    assert end == "[DONE]"
    chunks = [json.loads(chunk) for chunk in chunks]
    pieces = [chunk["choices"][0]["delta"].get("content", "") for chunk in chunks]
    assert "".join(pieces) == text_of(whole)
    assert chunks[-1]["usage"] == whole.json()["usage"]


def test_choices_of_a_stream_take_turns_and_the_last_chunk_has_the_usage(ask):
    cheese = ("04_system_prompts_and_temperature", "Name one French cheese. Only the name.")
    stream, _ = ask(*cheese, stream=True, n=3, temperature=1.5)
    chunks = [json.loads(line[6:]) for line in stream.text.split("\n\n")[:-2]]
    indexes = [chunk["choices"][0]["index"] for chunk in chunks]
    assert indexes[:3] == [0, 1, 2] and set(indexes) == {0, 1, 2}
    finishes = [
        c["choices"][0]["finish_reason"] for c in chunks if c["choices"][0]["finish_reason"]
    ]
    assert finishes == ["stop"] * 3
    assert ["usage" in chunk for chunk in chunks] == [False] * (len(chunks) - 1) + [True]


def test_the_next_turn_needs_the_turns_before(ask):
    first = {"role": "user", "content": CHEESE}
    answer = {"role": "assistant", "content": "Comté."}
    second = {"role": "user", "content": "Which of the two melts better?"}
    third = {"role": "user", "content": "And which wine goes with it?"}
    assert "Comté" in text_of(ask(messages=[first, answer, second])[0])
    assert "Which two" in text_of(ask(messages=[second])[0])
    assert "Vin Jaune" in text_of(ask(messages=[first, answer, second, answer, third])[0])
    with pytest.raises(RecordingNotFound):
        ask(messages=[third])


def test_each_lesson_has_all_questions_its_own_first(ask):
    assert ask("05_embeddings", "Hello")[0].status_code == 200
    assert ask("no_such_lesson", CHEESE)[0].status_code == 200


@pytest.mark.slow
def test_labels_need_the_words_of_the_lesson(ask):
    from helpers.offline.labels import label_names

    system = f"Label the customer's message with one of these words: {', '.join(label_names())}."
    ticket = {"role": "user", "content": "My rented bike has a flat tyre."}
    labelled, reported = ask(messages=[{"role": "system", "content": system}, ticket])
    assert text_of(labelled) in label_names()
    assert "count of words" in reported[0][1]
    for other in ("Label the customer's message: good or bad.", f"Please! {system}"):
        with pytest.raises(RecordingNotFound):
            ask(messages=[{"role": "system", "content": other}, ticket])


def test_who_answered_is_reported_in_a_line(ask):
    cheese = ("04_system_prompts_and_temperature", "Name one French cheese. Only the name.")
    found = [
        ask(*cheese, temperature=0.5)[1],
        ask(*cheese, model="ministral-3b-latest", top_p=0.9)[1],
        ask(temperature=1, presence_penalty=1)[1],
        ask(foo=1)[1],
        ask(path=EMBEDDINGS, model="mistral-embed", input="The bank raised its rates.")[1],
    ]
    drawn = "Not recorded: drawn from the course's written answers, here at temperature"
    assert found == [
        [("written", f"{drawn} 0.5.")],
        [("written", f"{drawn} 0.3 and top_p 0.9.")],
        [
            (
                "written",
                "Not recorded: the course's written answer, not a model's, and the same at any "
                "temperature; presence_penalty without effect.",
            )
        ],
        [("refused", "Not recorded: refused here, as the API refuses it.")],
        [("vectors", "Not recorded: the stored vectors of these texts (all-MiniLM-L6-v2's).")],
    ]


def test_a_line_is_printed_once_per_cell_and_kind(capsys, monkeypatch):
    class Shell:
        execution_count = 1

    module = type(socket)("IPython")
    module.get_ipython = lambda: Shell
    monkeypatch.setitem(sys.modules, "IPython", module)
    monkeypatch.setattr(fallback, "_reported", {})
    for _ in range(3):
        fallback.report_once("written", "A line.")
        fallback.report_once("refused", "Another.")
    Shell.execution_count = 2
    fallback.report_once("written", "A line.")
    assert capsys.readouterr().out == "A line.\nAnother.\nA line.\n"
    module.get_ipython = lambda: None
    for _ in range(3):
        fallback.report_once("written", "Outside of notebooks.")
    assert capsys.readouterr().out == "Outside of notebooks.\n"


def test_a_miss_names_what_can_be_asked(ask):
    with pytest.raises(RecordingNotFound) as caught:
        ask(question="How tall is the Eiffel Tower?")
    assert "Questions with a written answer here: “What is the best French cheese?”" in str(
        caught.value
    )
    assert "Free to choose: temperature" in str(caught.value)
    assert str(caught.value).count("“") > 2, "two lines of questions"
    parcel = "My parcel is three days late. What can I do?"
    pirate = {"role": "system", "content": "Be a pirate."}
    with pytest.raises(RecordingNotFound) as caught:
        ask(
            "04_system_prompts_and_temperature",
            messages=[pirate, {"role": "user", "content": parcel}],
        )
    assert "these system prompts: “Answer in one short sentence.”" in str(caught.value)
    with pytest.raises(RecordingNotFound) as caught:
        ask(path=EMBEDDINGS, model="mistral-embed", input="A text of my own.")
    assert "make own-texts" in str(caught.value)
    assert f"{len(vectors.names()):,} texts" in str(caught.value)


def test_a_list_of_no_texts_is_a_miss(ask):
    with pytest.raises(RecordingNotFound, match="texts have a stored vector"):
        ask(path=EMBEDDINGS, model="mistral-embed", input=[])


@pytest.mark.slow
def test_a_menu_of_a_lesson_loads_no_tokenizer(tmp_path):
    """Two or three seconds that a miss must not take."""
    code = """
import sys
from helpers.offline.fallback import Offline
body = {"model": "mistral-small-latest", "messages": [{"role": "user", "content": "Own?"}]}
request = {"method": "POST", "path": "/v1/chat/completions", "body": body}
offline = Offline("02_first_call")
assert offline.answer(request) is None and len(offline.menu(request)) == 3
body["foo"] = 1
assert offline.answer(request)["status"] == 422
assert not {"mistral_common", "sklearn", "scipy", "tokenizers"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


@pytest.mark.slow
def test_threads_get_answers_of_their_own(offline):
    player = player_of("04_system_prompts_and_temperature")
    question = {"role": "user", "content": "Name one French cheese. Only the name."}
    body = {"model": "mistral-small-latest", "messages": [question], "temperature": 1.4}
    request = {"method": "POST", "path": CHAT, "body": body}
    texts = {"method": "POST", "path": EMBEDDINGS}
    texts["body"] = {"model": "mistral-embed", "input": ["The bank raised its rates."]}
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda one: send(player, one, KEY), [request, texts] * 100))
    assert set(found) == {200}
