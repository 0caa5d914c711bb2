"""`Offline` answers what is not recorded: as the API would refuse it, from written answers, or with vectors.

It reports once per cell who answered; where it has no answer, it lists what can be asked.
"""

from __future__ import annotations

import functools
import sys
import textwrap
import threading
from collections.abc import Callable, Iterable
from typing import Any

from ..reply import Json
from . import answers, bodies, models, vectors
from .answers import NotWritten, Question
from .api import PAST, Answered, Api, respond

WIDTH, SHORT = 130, 48
FREE = (
    "Free to choose: temperature, top_p, random_seed, n, stop, max_tokens, stream and chat model."
)
# The API takes them; a written answer is the same with and without.
WITHOUT_EFFECT = """
    presence_penalty frequency_penalty repetition_penalty min_tokens top_k
    prediction guardrails safe_prompt prompt_cache_key service_tier metadata
"""
# Who answered, by `Answered.by`, where it is no written answer.
NOT_WRITTEN = {
    "models": "the models as this course knows them",
    "vectors": "the stored vectors of these texts (all-MiniLM-L6-v2's)",
    "computed": "vectors computed here by all-MiniLM-L6-v2 in place of mistral-embed",
    "counted": "counted here, by the rules of helpers.count_tokens",
    "batch": "a stand-in for the Batch API, whose jobs are done at the second look",
    "past": f"answered {PAST}",
}
_lock = threading.Lock()
_reported: dict[str, Any] = {}


class Offline:
    """A `replay.player.Fallback`: the API on this machine, for one lesson.

    lesson: whose written answers come first; those of the others follow. report: is called with a kind
    and the line that names who answered.
    """

    def __init__(self, lesson: str, report: Callable[[str, str], None] | None = None) -> None:
        self.lesson, self.report = lesson, report_once if report is None else report

    @functools.cached_property
    def api(self) -> Api:
        known = answers.lessons()
        own = [self.lesson] if self.lesson in known else []
        return Api([*own, *(name for name in known if name not in own)], own_texts=True)

    def answer(self, request: Json) -> Json | None:
        """The response to a request, or None where nobody here knows one."""
        try:
            response, answered = respond(self.api, request, bodies.Call.now())
        except LookupError:
            return None
        if answered is None:
            self.report("refused", "Not recorded: refused here, as the API refuses it.")
        else:
            self.report(answered.by, source_line(answered, request))
        return response

    def menu(self, request: Json) -> list[str]:
        """At most four lines for the error of a miss: what can be asked here."""
        path = request["path"].partition("?")[0]
        if path == "/v1/embeddings":
            return _embeddings_menu()
        if path == "/v1/chat/completions":
            return self._chat_menu(request["body"])
        return []

    def _chat_menu(self, body: Json) -> list[str]:
        known = self.lesson in answers.lessons()
        entries = (answers.script(self.lesson).entries if known else []) or self.api.entries
        try:
            question = Question.of(body)
        except NotWritten as error:
            return [str(error), *_asks(entries)]
        same = [entry for entry in entries if question.asks_as(entry)]
        if same and not any(map(question.is_steered_as, same)):
            return [*_written_for(question, same), FREE]
        if question.results and any(question.asks_but_for_results_as(one) for one in entries):
            return ["Answers to this are written here for other results of its tools.", FREE]
        steered = [entry for entry in entries if "ask" in entry and question.is_steered_as(entry)]
        lines = _asks(steered or entries)
        systems = dict.fromkeys(entry["system"] for entry in entries if "system" in entry)
        if systems and question.system not in (None, *systems):
            lines = _asks(steered or entries, most=1)
            lines += _fit("System prompts with written answers:", systems)
        for entry in entries:
            if "classifier" in entry:
                lines.append(
                    f"Any message, after a system prompt that begins “{entry['classifier']}”."
                )
            if "example" in entry:
                lines.append(f"Answered here for any two numbers: “{entry['example']}”.")
        return [*lines[:3], FREE]


def source_line(answered: Answered, request: Json) -> str:
    """Who answered a request that is not recorded."""
    if answered.by in NOT_WRITTEN:
        return f"Not recorded: {NOT_WRITTEN[answered.by]}."
    body, entry = request["body"], answered.entry or {}
    if "candidates" in entry:
        temperature = body.get("temperature")
        if temperature is None:
            temperature = (models.serving(body["model"]) or {}).get("temperature", 0)
        line = "Not recorded: drawn from the course's written answers, here at temperature"
        line += f" {temperature}"
        line += f" and top_p {body['top_p']}" if body.get("top_p") is not None else ""
    elif "classifier" in entry:
        line = "Not recorded: labelled by a count of words that stands in for the model"
    elif "pattern" in entry:
        line = "Not recorded: multiplied here, not by a model"
    else:
        line = "Not recorded: the course's written answer, not a model's"
        line += ", and the same at any temperature" if body.get("temperature") is not None else ""
    idle = [name for name in WITHOUT_EFFECT.split() if body.get(name) is not None]
    return line + (f"; {', '.join(idle)} without effect." if idle else ".")


def report_once(kind: str, line: str) -> None:
    """Print a line once per kind in a notebook's cell; outside of notebooks, once per process."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    cell = shell.execution_count if shell else "process"
    with _lock:
        if _reported.get(kind) == cell:
            return
        _reported[kind] = cell
    print(line)


def _embeddings_menu() -> list[str]:
    lines = [
        f"{len(vectors.names()):,} texts have a stored vector, all that the lessons embed: in any order and "
        "number, from mistral-embed, as floats."
    ]
    if not vectors.can_compute():
        lines.append(
            'For texts of your own, run "make own-texts" once (about 100 MB): the small model that made '
            "these vectors then computes yours, here."
        )
    return lines


def _written_for(question: Question, same: list[Json]) -> list[str]:
    """Under which system prompts a known question has an answer, or what else it needs."""
    prompted = [entry for entry in same if "sources" not in entry]
    any_prompt = [{**entry, "system": question.system} for entry in prompted]
    if sum(map(question.is_steered_as, any_prompt)) > 1:
        prompts = [entry.get("system", "none") for entry in prompted]
        return _fit("Answers to this are written here for these system prompts:", prompts)
    fitting = [entry for entry in same if question.format in entry.get("formats", ["text"])]
    needed = min(map(question.needs, fitting or same), key=len)
    return [f"An answer to this is written here with {needed}."]


def _asks(entries: Iterable[Json], most: int = 2) -> list[str]:
    asks = dict.fromkeys(entry["ask"] for entry in entries if "ask" in entry)
    return _fit("Questions with a written answer here:", asks, most) if asks else []


def _fit(title: str, texts: Iterable[str], most: int = 1) -> list[str]:
    """As many texts, shortened, as fit into `most` lines."""
    quoted = [f"“{textwrap.shorten(text, SHORT, placeholder='…')}”" for text in texts]
    lines, shown = [title], 0
    for text in quoted:
        if shown and len(lines[-1]) + len(text) > WIDTH:
            if len(lines) == most:
                break
            lines[-1] += ","
            lines.append(text)
        else:
            lines[-1] += f"{',' * bool(shown)} {text}"
        shown += 1
    rest = len(quoted) - shown
    lines[-1] += f", and {rest} more." if rest else "."
    return lines
