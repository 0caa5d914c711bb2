"""Batch jobs and their files: a stand-in, as far as lesson 12 uses them.

Jobs, their states and the lines of results have the form of the OpenAPI description of 2026-08 and of one
recorded job (2026-08-19, inline, two requests). Invented: that a job runs at the first look and is done at
the second, and the order of its results. A failed line was never recorded; langchain4j's client (2026)
expects an `error` in it, so it has one here. A result's body is that of a live answer; in the recorded one,
some fields more were null.

Left out: to list, cancel and delete jobs, the other endpoints, expiry, and other kinds of files.
"""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from ..replay.wire import form_parts, unpack
from ..reply import Json
from . import bodies, refusals
from .bodies import Call

ENDPOINTS = ("/v1/chat/completions", "/v1/embeddings")
# Inline requests are for fewer than this; files take more.
MOST_INLINE = 10_000
STATES = ("QUEUED", "RUNNING", "SUCCESS")
# Answers a request as the live API does (`api.Answered`), or raises `refusals.Refused`.
Answer = Callable[[Json, Call], Any]


class Batches:
    """The files and jobs of one account. answer: what the live API answers to a request."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.files: dict[str, str] = {}
        self._jobs: dict[str, tuple[Json, list[Json]]] = {}
        self._looks: dict[str, int] = {}

    def respond(
        self, method: str, parts: Sequence[str], request: Json, call: Call, content: bytes
    ) -> Json | str:
        """The body of an answer, or the text of a file.

        Raises `refusals.Refused`, and LookupError for what is left out here.
        """
        match method, *parts:
            case "POST", "files":
                return self._upload(call, _uploaded(content))
            case "GET", "files", name, "content" if name in self.files:
                return self.files[name]
            case "POST", "batch", "jobs":
                return self._create(request["body"] or {}, call)
            case "GET", "batch", "jobs", name if name in self._jobs:
                return self._look(name, call)
        raise LookupError(f"{method} {'/'.join(parts)} is not known here.")

    def _upload(self, call: Call, text: str, kind: str = "batch_request") -> Json:
        # The same content is the same file.
        name = str(uuid.uuid5(uuid.NAMESPACE_URL, text))
        self.files[name] = text
        return bodies.batch_file(call, name, text, kind)

    def _create(self, body: Json, call: Call) -> Json:
        inline, files = body.get("requests"), body.get("input_files")
        if body.get("endpoint") not in ENDPOINTS or bool(inline) == bool(files):
            raise LookupError(
                "A batch here has one of the endpoints chat completions and embeddings, and either "
                "`requests` or `input_files`."
            )
        if inline and len(inline) >= MOST_INLINE:
            raise LookupError(f"Inline batches are for fewer than {MOST_INLINE:,} requests.")
        lines: list[Json] = inline or [
            json.loads(line)
            for name in files or ()
            for line in self.files[name].splitlines()
            if line.strip()
        ]
        job = bodies.batch_job(call, body, len(lines))
        self._jobs[job["id"]], self._looks[job["id"]] = (job, lines), 0
        return job

    def _look(self, name: str, call: Call) -> Json:
        """The job; with each look it is a state further."""
        self._looks[name] = min(self._looks[name] + 1, len(STATES) - 1)
        job, lines = self._jobs[name]
        job["status"] = STATES[self._looks[name]]
        job["started_at"] = job["started_at"] or call.created
        if job["status"] == "SUCCESS" and not job["completed_at"]:
            self._finish(job, lines, call)
        return job

    def _finish(self, job: Json, lines: list[Json], call: Call) -> None:
        results = [self._result(job, line, number) for number, line in enumerate(lines)]
        random.Random(job["id"]).shuffle(results)
        failed = [result for result in results if result["error"]]
        job["completed_at"] = call.created
        job["completed_requests"] = len(results)
        job["succeeded_requests"] = len(results) - len(failed)
        job["failed_requests"] = len(failed)
        if not job["input_files"]:
            job["outputs"] = results
            return
        good = [result for result in results if result not in failed]
        for field, kind, part in (
            ("output_file", "batch_result", good),
            ("error_file", "batch_error", failed),
        ):
            if part:
                text = "".join(json.dumps(result, ensure_ascii=False) + "\n" for result in part)
                job[field] = self._upload(call, text, kind)["id"]

    def _result(self, job: Json, line: Json, number: int) -> Json:
        request = {
            "method": "POST",
            "path": job["endpoint"],
            "body": {"model": job["model"], **line.get("body", {})},
        }
        call = Call.numbered(f"{job['id']} {number}", job["created_at"])
        result: Json = {"id": f"batch-{call.id[:32]}", "custom_id": line.get("custom_id")}
        try:
            body = unpack(self._answer(request, call).body)
        except refusals.Refused as refused:
            return {**result, "response": None, "error": refused.body}
        return {**result, "response": {"status_code": 200, "body": body}, "error": None}


def _uploaded(content: bytes) -> str:
    """The text of the file in a multipart body. Raises LookupError without one."""
    boundary = content.partition(b"\r\n")[0]
    for fields, inside in form_parts(content, boundary) if boundary else ():
        if fields.get_filename() is not None:
            return inside.decode()
    raise LookupError("The content of a file that is not recorded is not known here.")
