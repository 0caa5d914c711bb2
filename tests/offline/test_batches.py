"""The stand-in for batch jobs and files: the documented wire, results in disorder, errors line by line."""

import json

import httpx
import pytest

from helpers.offline.server import Server

AUTH = {"authorization": "Bearer any"}
GOOD = {"messages": [{"role": "user", "content": "What is 12 * 12? Just the number."}]}
BAD = {**GOOD, "temperature": 3}
# As recorded on 2026-08-19, in the order of the OpenAPI description.
FIELDS = [
    *["id", "object", "input_files", "metadata", "endpoint", "model", "agent_id", "output_file"],
    *["error_file", "errors", "outputs", "status", "created_at", "started_at", "completed_at"],
    *["total_requests", "completed_requests", "succeeded_requests", "failed_requests"],
]


@pytest.fixture(scope="module")
def client():
    with (
        Server(1, lessons=["12_many_calls"]) as server,
        httpx.Client(base_url=server.url, headers=AUTH, timeout=600) as found,
    ):
        yield found


def create(client, **body):
    job = {"endpoint": "/v1/chat/completions", "model": "mistral-small-latest", **body}
    return client.post("/batch/jobs", json=job)


def product(number):
    return {"messages": [{"role": "user", "content": f"What is {number} * 3? Just the number."}]}


def finish(client, job):
    states = [job["status"]]
    while states[-1] in ("QUEUED", "RUNNING"):
        job = client.get(f"/batch/jobs/{job['id']}").json()
        states.append(job["status"])
    return job, states


def test_an_inline_job_has_the_documented_fields_states_and_results(client):
    requests = [{"custom_id": str(place), "body": product(place)} for place in range(40)]
    job = create(client, requests=requests).json()
    assert list(job) == FIELDS
    assert (job["object"], job["outputs"], job["total_requests"]) == ("batch", None, 40)
    job, states = finish(client, job)
    assert states == ["QUEUED", "RUNNING", "SUCCESS"]
    ids = [result["custom_id"] for result in job["outputs"]]
    assert ids != sorted(ids, key=int) == [str(place) for place in range(40)]
    for result in job["outputs"]:
        assert list(result) == ["id", "custom_id", "response", "error"]
        assert result["id"].startswith("batch-") and result["error"] is None
        body = result["response"]["body"]
        assert body["choices"][0]["message"]["content"] == str(int(result["custom_id"]) * 3)
        assert body["usage"]["prompt_tokens"] > 0
    again = client.get(f"/batch/jobs/{job['id']}", params={"inline": "true"}).json()
    assert again == job, "a finished job stays as it is"


def test_a_failed_line_fails_alone(client):
    requests = [{"custom_id": "a", "body": GOOD}, {"custom_id": "b", "body": BAD}]
    job, _ = finish(client, create(client, requests=requests).json())
    assert job["status"] == "SUCCESS"
    assert (job["succeeded_requests"], job["failed_requests"]) == (1, 1)
    found = {result["custom_id"]: result for result in job["outputs"]}
    assert found["a"]["error"] is None
    assert found["b"]["response"] is None
    assert found["b"]["error"]["detail"][0]["loc"] == ["body", "temperature"]


def test_a_file_goes_up_and_results_and_errors_come_down_in_files(client):
    rows = [{"custom_id": "ä", "body": GOOD}, {"custom_id": "b", "body": BAD}]
    text = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    part = {"file": ("requests.jsonl", text.encode(), "application/jsonl")}
    sent = client.post("/files", files=part, data={"purpose": "batch"}).json()
    assert (sent["purpose"], sent["sample_type"], sent["num_lines"]) == (
        "batch",
        "batch_request",
        2,
    )
    assert sent["bytes"] == len(text.encode())
    same = client.post("/files", files=part, data={"purpose": "batch"}).json()
    assert same["id"] == sent["id"], "the same content is the same file"
    job, _ = finish(client, create(client, input_files=[sent["id"]]).json())
    assert job["outputs"] is None
    for field, name in (("output_file", "ä"), ("error_file", "b")):
        content = client.get(f"/files/{job[field]}/content").text
        assert [json.loads(line)["custom_id"] for line in content.splitlines()] == [name]


def test_jobs_are_outside_the_limit_and_have_no_headers_of_it(client):
    """The server admits one request a minute."""
    requests = [{"custom_id": str(place), "body": GOOD} for place in range(5)]
    answer = create(client, requests=requests)
    job, _ = finish(client, answer.json())
    assert job["succeeded_requests"] == 5
    assert not [name for name in answer.headers if name.startswith("x-ratelimit")]


def test_a_job_embeds(client):
    requests = [{"custom_id": "1", "body": {"input": "The bank raised its rates."}}]
    job = create(client, endpoint="/v1/embeddings", model="mistral-embed", requests=requests)
    done, _ = finish(client, job.json())
    (result,) = done["outputs"]
    assert len(result["response"]["body"]["data"][0]["embedding"]) == 1024


@pytest.mark.parametrize(
    "body",
    [
        {"requests": [{"custom_id": "a", "body": GOOD}], "endpoint": "/v1/ocr"},
        {},
        {"requests": [{"custom_id": "a", "body": GOOD}], "input_files": ["x"]},
        {"input_files": ["no such file"]},
        {"requests": [{"custom_id": "a", "body": GOOD}] * 10_000},
    ],
)
def test_what_is_unknown_here_is_reported(client, body):
    assert create(client, **body).status_code == 501


@pytest.mark.parametrize("path", ["/batch/jobs/none", "/batch/jobs", "/files/none/content"])
def test_an_unknown_job_or_file_is_not_found_here(client, path):
    assert client.get(path).status_code == 501


def test_jobs_need_a_key(client):
    answer = client.post("/batch/jobs", json={}, headers={"authorization": ""})
    assert (answer.status_code, answer.json()) == (401, {"detail": "Invalid API Key"})
