"""Which models this API serves: those of GET /v1/models, and the other living ones of `data/models.csv`."""

from __future__ import annotations

import functools
import tomllib

from ..costs.models import find_model
from ..data import DATA
from ..reply import Json

STAND_INS = DATA / "stand_ins"
# The retired name that is no error: the API answers with another model, and names it (recorded three
# times, 2026-06 and 2026-08).
REDIRECTED = {"pixtral-12b": "ministral-14b-latest"}


@functools.cache
def listed() -> list[Json]:
    """The models that GET /v1/models lists, as in `data/stand_ins/models.toml`."""
    models: list[Json] = tomllib.loads((STAND_INS / "models.toml").read_text("utf-8"))["model"]
    return models


def serving(name: str) -> Json | None:
    """The living model that goes by this name, with the fields of `models.toml`, or None."""
    for model in listed():
        if name in (model["name"], *model["aliases"]):
            return model
    row = find_model(name)
    if row is None or row["stage"] == "retired":
        return None
    if row["id"] != name:
        return serving(row["id"])
    chats = row["kind"] == "generalist" or row["id"].startswith(("codestral-2", "voxtral-small"))
    return {
        "name": row["id"],
        "aliases": row["aliases"].split(),
        "context": int(row["context_tokens"] or 0) or None,
        "temperature": 0.3,
        "capabilities": ["completion_chat", "reasoning"] if chats else [],
    }


def template(model: Json) -> str:
    """The version of a model's chat template, such as "v15 tekken"; "" where it isn't known."""
    row = find_model(model["name"])
    return row["tokenizer"] if row else ""
