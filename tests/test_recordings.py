"""The recordings are what they say: right in form, honest about their origin, made by the script."""

import datetime
import json
import re
import shlex
from pathlib import Path

import nbformat
import numpy as np
import pytest
from mistralai.client import models as sdk

from helpers import record
from helpers.offline import answers, models, recording, tokens, vectors
from helpers.replay.matching import key_of
from helpers.replay.recorder import is_kept
from helpers.replay.recordings import Recordings
from helpers.replay.wire import unpack
from helpers.reply import Reply
from tests.model_ids import problem

ROOT = Path(__file__).parent.parent
PATHS = sorted((ROOT / "data" / "recordings").glob("*.json"))
ITEMS = [
    pytest.param(item, id=f"{path.stem}-{number}")
    for path in PATHS
    for number, item in enumerate(json.loads(path.read_text("utf-8"))["recordings"], 1)
]


def answered(path):
    """The stand-ins for good answers at this path, as test parameters."""
    return [
        param
        for param in ITEMS
        for item in param.values
        if (item["origin"], item["request"]["path"]) == ("stand-in", path)
        and item["response"]["status"] == 200
    ]


CHATS, EMBEDDINGS = answered("/v1/chat/completions"), answered("/v1/embeddings")
FORMS = {
    ("GET", "/v1/models"): sdk.ModelList,
    ("POST", "/v1/chat/completions"): sdk.ChatCompletionResponse,
    ("POST", "/v1/files"): sdk.CreateFileResponse,
    ("POST", "/v1/embeddings"): sdk.EmbeddingResponse,
}


def test_every_lesson_has_its_file_and_no_other():
    lessons = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
    assert [path.stem for path in PATHS] == lessons


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_the_file_loads_and_is_written_as_the_recorder_writes(path, tmp_path):
    recordings = Recordings.load(path)
    assert len(recordings) > 0
    again = Recordings(tmp_path / path.name)
    for item in recordings:
        again.add(item)
    assert again.path.read_text("utf-8") == path.read_text("utf-8")


@pytest.mark.parametrize("item", ITEMS)
def test_the_sdk_accepts_it(item):
    request, response = item["request"], item["response"]
    place = request["method"], request["path"].split("?")[0]
    if response["status"] != 200:
        assert response["status"] in (400, 401, 403, 404, 422, 429, 500, 503)
    elif "events" in response:
        *events, last = response["events"]
        assert last["data"] == "[DONE]" or response["cut"]
        for event in events:
            sdk.CompletionChunk.model_validate(event["data"])
    elif "/fine_tuning/" in place[1]:  # which the SDK no longer knows
        assert {"id", "object", "model", "status", "fine_tuned_model"} <= set(response["body"])
    else:
        FORMS[place].model_validate(unpack(response["body"]))


@pytest.mark.parametrize("item", ITEMS)
def test_it_says_where_and_when_it_is_from(item):
    assert item["origin"] in ("stand-in", "api.mistral.ai")
    assert datetime.date.fromisoformat(item["recorded"]) >= datetime.date(2026, 11, 22)


@pytest.mark.parametrize("item", ITEMS)
def test_it_keeps_only_headers_that_matter(item):
    assert set(item["request"]) <= {"method", "path", "body", "key"}
    assert item["request"].get("key", "other") in ("other", "none")
    for name in item["response"]["headers"]:
        assert is_kept(name) and "cookie" not in name


@pytest.mark.parametrize("item", ITEMS)
def test_it_names_models_that_live(item):
    body = item["response"].get("body")
    if item["response"]["status"] == 400 and body.get("type") == "invalid_model":
        name = item["request"]["body"]["model"]
        assert name in body["message"]
        return
    asked = item["request"]["body"] or {}
    names = [asked["model"]] if "model" in asked else []
    if body and body.get("object") == "list" and item["request"]["path"] == "/v1/models":
        names += [card["id"] for card in body["data"]]
    assert [fault for name in names if (fault := problem(name))] == []


@pytest.mark.parametrize("item", CHATS)
def test_the_tokens_of_a_stand_in_are_counted(item):
    """By the rules that match recorded traffic, and in the sum and the header that follow."""
    usage, replies = item_usage(item)
    assert usage["prompt_tokens"] == tokens.count_prompt(item["request"]["body"])
    assert usage["completion_tokens"] == sum(
        tokens.count_completion(reply.text, reply.thinking, reply.tool_calls, reply.finish_reason)
        for reply in replies
    )
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    if "body" in item["response"]:
        cost = item["response"]["headers"]["x-ratelimit-tokens-query-cost"]
        assert cost == str(usage["total_tokens"])
    else:
        assert not any("ratelimit" in name for name in item["response"]["headers"])


def item_usage(item):
    """The usage of a recorded answer, and a `Reply` for each of its choices."""
    if "events" in item["response"]:
        chunks = [event["data"] for event in item["response"]["events"][:-1]]
        return chunks[-1]["usage"], [Reply.from_chunks(chunks)]
    answer = item["response"]["body"]
    return answer["usage"], [Reply.from_json({**answer, "choices": [c]}) for c in answer["choices"]]


@pytest.mark.parametrize("item", EMBEDDINGS)
def test_stand_in_vectors_are_like_those_of_the_api(item):
    """1024 values that are exactly float16, of unit length to 4e-4; tokens counted, no other usage."""
    assert "all-MiniLM-L6-v2" in item["note"]
    answer = unpack(item["response"]["body"])
    texts = item["request"]["body"]["input"]
    texts = [texts] if isinstance(texts, str) else texts
    vectors = np.array([row["embedding"] for row in answer["data"]])
    assert vectors.shape == (len(texts), 1024)
    assert np.array_equal(vectors.astype(np.float16), vectors)
    assert np.abs(np.linalg.norm(vectors, axis=1) - 1).max() < 4e-4
    assert [row["index"] for row in answer["data"]] == list(range(len(texts)))
    usage = answer["usage"]
    assert usage["prompt_tokens"] == usage["total_tokens"] == tokens.count_embedding(texts)
    assert item["response"]["headers"]["x-ratelimit-tokens-query-cost"] == str(
        usage["total_tokens"]
    )


def test_the_map_to_1024_dimensions_keeps_every_angle():
    turn = vectors.turn()
    assert turn.shape == (1024, 384)
    assert np.array_equal(turn.T @ turn, np.eye(384))
    (text,) = {"Simmer the soup on low heat for an hour."}
    (vector,) = vectors.vectors([text]).astype(float)
    assert np.abs(turn @ (turn.T @ vector) - vector).max() < 1e-4


@pytest.mark.parametrize(
    ("messages", "model", "recorded"),
    [  # prompt_tokens of the real API, from public recorded traffic
        (["Count from 1 to 3"], "mistral-small-latest", 22),
        (["What is the capital of France?"], "mistral-small-latest", 22),
        (["What is 12 * 12? Answer with just the number."], "mistral-small-latest", 31),
        (["hello"], "mistral-large-latest", 4),
    ],
)
def test_the_counting_agrees_with_the_real_api(messages, model, recorded):
    body = {"model": model, "messages": [{"role": "user", "content": text} for text in messages]}
    assert tokens.count_prompt(body) == recorded


@pytest.mark.parametrize(
    "text, completion_tokens", [("The capital of France is **Paris**.", 9), ("1, 2, 3", 8)]
)
def test_the_counting_of_answers_agrees_with_the_real_api(text, completion_tokens):
    assert tokens.count_completion(text) == completion_tokens


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_the_stand_ins_come_from_the_script(path, tmp_path, monkeypatch):
    """Recording the stand-ins again gives the same file: none was written by hand."""
    if any(item["origin"] != "stand-in" for item in Recordings.load(path)):
        pytest.skip("recorded from the API")
    monkeypatch.setattr(record, "RECORDINGS", tmp_path)
    record.record(path.stem, recording.KEY, stand_ins=True)
    assert (tmp_path / path.name).read_text("utf-8") == path.read_text("utf-8")


def test_a_question_without_a_written_answer_fails():
    with pytest.raises(LookupError, match="No answer is written for 'What\\?'"):
        answers.find([], {"messages": [{"role": "user", "content": "What?"}]})


def test_the_models_of_the_stand_in_are_those_of_the_table():
    from helpers.costs.models import find_model

    for model in models.listed():
        for name in (model["name"], *model["aliases"]):
            assert problem(name) is None
            assert find_model(name)["id"] == model["name"]


def test_the_curl_command_asks_what_is_recorded():
    book = nbformat.read(ROOT / "notebooks" / "02_first_call.ipynb", as_version=4)
    source = next(cell.source for cell in book.cells if cell.id == "curl")
    words = shlex.split(re.search(r"```bash\n(.*?)```", source, re.DOTALL)[1].replace("\\\n", " "))
    assert words[:2] == ["curl", "https://api.mistral.ai/v1/chat/completions"]
    assert words[2:6:2] == ["-H", "-H"]
    assert words[3] == "Authorization: Bearer $MISTRAL_API_KEY"
    request = {"method": "POST", "path": "/v1/chat/completions", "body": json.loads(words[7])}
    recordings = Recordings.load(ROOT / "data" / "recordings" / "02_first_call.json")
    assert key_of(request) in {key_of(item["request"]) for item in recordings}
