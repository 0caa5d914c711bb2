"""The recordings are right in form, honest about where they are from, and counted as the API counts."""

import datetime
import functools
import json
import re
import shlex

import nbformat
import numpy as np
import pytest
from mistralai.client import models as sdk

from helpers.offline import tokens
from helpers.replay.matching import key_of
from helpers.replay.recorder import is_kept
from helpers.replay.recordings import Recordings
from helpers.replay.wire import unpack
from helpers.reply import Reply, ReplyBuilder
from tests.lessons.calls import LESSONS
from tests.model_ids import problem
from tests.tools.record import NOTEBOOKS, RECORDINGS

ERRORS = (400, 401, 403, 404, 422, 429, 500, 503)
FORMS = {
    ("GET", "/v1/models"): sdk.ModelList,
    ("POST", "/v1/chat/completions"): sdk.ChatCompletionResponse,
    ("POST", "/v1/files"): sdk.CreateFileResponse,
    ("POST", "/v1/embeddings"): sdk.EmbeddingResponse,
    ("POST", "/v1/batch/jobs"): sdk.BatchJob,
    ("POST", "/v1/responses/input_tokens"): sdk.CountResponseInputTokensResponse,
}


@functools.cache
def items():
    """{"02_first_call, recording 3": the recording}, of all lessons."""
    return {
        f"{path.stem}, recording {number}": item
        for path in sorted(RECORDINGS.glob("*.json"))
        for number, item in enumerate(json.loads(path.read_text("utf-8"))["recordings"], 1)
    }


def stand_ins(path):
    """The stand-ins for good answers at this path."""
    found = {
        name: item
        for name, item in items().items()
        if (item["origin"], item["request"]["path"]) == ("stand-in", path)
        and item["response"]["status"] == 200
    }
    assert found
    return found


def test_every_lesson_has_its_file_of_recordings_and_no_other_exists():
    assert sorted(path.stem for path in RECORDINGS.glob("*.json")) == LESSONS


def test_each_file_is_written_as_the_recorder_writes(tmp_path):
    problems = []
    for path in sorted(RECORDINGS.glob("*.json")):
        stored = list(Recordings.load(path))
        last = key_of(stored[-1]["request"])
        again = Recordings(
            tmp_path / path.name, [i for i in stored if key_of(i["request"]) != last]
        )
        for item in stored:
            if key_of(item["request"]) == last:
                # Writes the whole file.
                again.add(item)
        if again.path.read_text("utf-8") != path.read_text("utf-8"):
            problems.append(path.name)
    assert problems == []


def test_the_sdk_accepts_each_answer():
    problems = []
    for name, item in items().items():
        try:
            read_as_the_sdk(item["request"], item["response"])
        except (AssertionError, ValueError) as error:
            problems.append(f"{name}: {error}")
    assert problems == []


def read_as_the_sdk(request, response):
    place = request["method"], request["path"].split("?")[0]
    if response["status"] != 200:
        assert response["status"] in ERRORS
    elif "events" in response:
        *events, last = response["events"]
        assert last.get("data") == "[DONE]" or response["cut"]
        for event in events:
            sdk.CompletionChunk.model_validate(event["data"])
    elif "/fine_tuning/" in place[1]:
        # The SDK no longer knows the service.
        assert {"id", "object", "model", "status", "fine_tuned_model"} <= set(response["body"])
    elif place[1].startswith("/v1/batch/jobs/"):
        sdk.BatchJob.model_validate(response["body"])
    else:
        FORMS[place].model_validate(unpack(response["body"]))


def test_each_recording_has_an_origin_and_a_date():
    began = datetime.date(2026, 11, 22)
    problems = [
        name
        for name, item in items().items()
        if item["origin"] not in ("stand-in", "api.mistral.ai")
        or datetime.date.fromisoformat(item["recorded"]) < began
    ]
    assert problems == []


def test_recordings_keep_only_headers_that_matter():
    problems = []
    for name, item in items().items():
        request, headers = item["request"], item["response"]["headers"]
        if (
            set(request) - {"method", "path", "body", "key"}
            or request.get("key", "other") not in ("other", "none")
            or any(not is_kept(header) or "cookie" in header for header in headers)
        ):
            problems.append(name)
    assert problems == []


def test_recordings_name_models_that_live():
    problems = []
    for name, item in items().items():
        asked, response = item["request"]["body"] or {}, item["response"]
        body = response.get("body")
        if response["status"] == 400 and body.get("type") == "invalid_model":
            # The lesson asks for a model that is no more, and shows the error.
            if asked["model"] not in body["message"]:
                problems.append(f"{name}: {body['message']}")
            continue
        models = [asked["model"]] if "model" in asked else []
        if body and body.get("object") == "list" and item["request"]["path"] == "/v1/models":
            models += [card["id"] for card in body["data"]]
        problems += [f"{name}: {found}" for model in models if (found := problem(model))]
    assert problems == []


def test_tokens_of_chat_stand_ins_are_counted():
    """By the rules that match recorded traffic, and in the sum and the header that follow."""
    problems = []
    for name, item in stand_ins("/v1/chat/completions").items():
        usage, replies = usage_and_replies(item["response"])
        prompt = tokens.count_prompt(item["request"]["body"])
        completion = sum(
            tokens.count_completion(r.text, r.thinking, r.tool_calls, r.finish_reason)
            for r in replies
        )
        found = [usage[f"{kind}_tokens"] for kind in ("prompt", "completion", "total")]
        if found != [prompt, completion, prompt + completion]:
            problems.append(f"{name}: {found}, counted {prompt} and {completion}")
        headers = item["response"]["headers"]
        cost = headers.get("x-ratelimit-tokens-query-cost")
        # An answer has it; a stream has no header on limits.
        wanted = str(prompt + completion) if "body" in item["response"] else None
        if cost != wanted or (wanted is None and "ratelimit" in "".join(headers)):
            problems.append(f"{name}: the header says {cost}")
    assert problems == []


def usage_and_replies(response):
    """The usage of a recorded answer, and a `Reply` for each of its choices."""
    if "events" in response:
        chunks = [event["data"] for event in response["events"][:-1]]
        built = ReplyBuilder()
        for chunk in chunks:
            built.add(chunk)
        return chunks[-1]["usage"], [built.reply()]
    answer = response["body"]
    return answer["usage"], [Reply.from_json({**answer, "choices": [c]}) for c in answer["choices"]]


def test_vectors_of_stand_ins_are_like_those_of_the_api():
    """1024 values that are exactly float16, of unit length to 4e-4; tokens counted, no other usage."""
    problems = []
    for name, item in stand_ins("/v1/embeddings").items():
        answer = unpack(item["response"]["body"])
        texts = item["request"]["body"]["input"]
        texts = [texts] if isinstance(texts, str) else texts
        vectors = np.array([row["embedding"] for row in answer["data"]])
        used = tokens.count_embedding(texts)
        cost = item["response"]["headers"]["x-ratelimit-tokens-query-cost"]
        right = {
            "note": "all-MiniLM-L6-v2" in item["note"],
            "shape": vectors.shape == (len(texts), 1024),
            "float16": np.array_equal(vectors.astype(np.float16), vectors),
            "length": np.abs(np.linalg.norm(vectors, axis=1) - 1).max() < 4e-4,
            "order": [row["index"] for row in answer["data"]] == list(range(len(texts))),
            "prompt_tokens": answer["usage"]["prompt_tokens"] == used,
            "total_tokens": answer["usage"]["total_tokens"] == used,
            "header": cost == str(used),
        }
        problems += [f"{name}: {what}" for what, holds in right.items() if not holds]
    assert problems == []


@pytest.mark.parametrize(
    ("text", "model", "recorded"),
    [
        # prompt_tokens of the real API, from public recorded traffic.
        ("Count from 1 to 3", "mistral-small-latest", 22),
        ("What is the capital of France?", "mistral-small-latest", 22),
        ("What is 12 * 12? Answer with just the number.", "mistral-small-latest", 31),
        ("hello", "mistral-large-latest", 4),
    ],
)
def test_counted_prompts_agree_with_the_real_api(text, model, recorded):
    body = {"model": model, "messages": [{"role": "user", "content": text}]}
    assert tokens.count_prompt(body) == recorded


@pytest.mark.parametrize(
    ("text", "recorded"), [("The capital of France is **Paris**.", 9), ("1, 2, 3", 8)]
)
def test_counted_answers_agree_with_the_real_api(text, recorded):
    assert tokens.count_completion(text) == recorded


def test_the_curl_command_of_lesson_02_asks_what_is_recorded():
    book = nbformat.read(NOTEBOOKS / "02_first_call.ipynb", as_version=4)
    source = next(cell.source for cell in book.cells if cell.id == "curl")
    words = shlex.split(re.search(r"```bash\n(.*?)```", source, re.DOTALL)[1].replace("\\\n", " "))
    assert words[:2] == ["curl", "https://api.mistral.ai/v1/chat/completions"]
    assert words[2:6:2] == ["-H", "-H"]
    assert words[3] == "Authorization: Bearer $MISTRAL_API_KEY"
    request = {"method": "POST", "path": "/v1/chat/completions", "body": json.loads(words[7])}
    recordings = Recordings.load(RECORDINGS / "02_first_call.json")
    assert key_of(request) in {key_of(item["request"]) for item in recordings}
