"""What can be set from outside: variables of the environment, and nothing else."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
from collections.abc import Mapping
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Settings:
    """Limits and addresses. Each but the first two is read from CHAT_ and its name in capitals.

    key, base_url: MISTRAL_API_KEY, or the file that MISTRAL_API_KEY_FILE names, and MISTRAL_BASE_URL.
    store: a file for SQLite, ":memory:", or "valkey://host:6379/0" for several processes.
    hosts: the names under which browsers reach the server, with commas between them.
    hops: how many proxies of your own stand in front. Each adds one address to X-Forwarded-For.
    suggestions: JSON: questions that the page offers as buttons, each in a list, after those it follows.
    usd_per_million_*: prices of the model, for the budget.
    """

    # Left out of repr, so that no traceback and no log line shows it.
    key: str = dataclasses.field(repr=False)
    base_url: str = "https://api.mistral.ai/v1"
    model: str = "mistral-small-latest"
    system: str = "You are a helpful assistant. Answer briefly, in Markdown."
    suggestions: str = "[]"
    host: str = "127.0.0.1"
    port: int = 8000
    hosts: str = "127.0.0.1,localhost"
    hops: int = 0
    store: str = "chat.sqlite3"
    # What one request may hold; bytes_in: its texts, as they are booked.
    body_bytes: int = 64_000
    messages: int = 20
    bytes_in: int = 12_000
    max_tokens: int = 800
    # What one user may ask, and what all of them may together.
    per_minute: int = 10
    streams: int = 100
    usd_per_day: float = 5.0
    usd_per_million_input: float = 0.15
    usd_per_million_output: float = 0.6
    # Seconds: to connect, between two pieces, for a whole answer, and for streams when the server stops.
    connect_seconds: float = 5.0
    piece_seconds: float = 30.0
    answer_seconds: float = 120.0
    grace_seconds: float = 20.0

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Settings:
        """The settings that an environment holds. Raises ValueError for a missing key or a bad number."""
        given: dict[str, str | int | float] = {"key": _key(environment)}
        if url := environment.get("MISTRAL_BASE_URL"):
            given["base_url"] = url.rstrip("/")
        for field in dataclasses.fields(cls)[2:]:
            name = f"CHAT_{field.name.upper()}"
            if text := environment.get(name):
                given[field.name] = _read(name, text, type(field.default))
        settings = cls(**given)
        _check_suggestions(settings.suggestions)
        return settings

    @property
    def host_names(self) -> list[str]:
        """The names in `hosts`, in lower case, as `urlsplit` gives that of a request."""
        return [name.strip().lower() for name in self.hosts.split(",")]

    def most_micros(self, bytes_in: int) -> int:
        """The most that a question of so many bytes can cost, in millionths of a dollar."""
        return self.micros(bytes_in, self.max_tokens)

    def micros(self, tokens_in: int, tokens_out: int) -> int:
        """What these tokens cost, in millionths of a dollar, rounded up."""
        price = tokens_in * self.usd_per_million_input + tokens_out * self.usd_per_million_output
        return -int(-price // 1)


def _read(name: str, text: str, kind: type) -> str | int | float:
    if kind is str:
        return text
    with contextlib.suppress(ValueError):
        if (number := kind(text)) >= 0 and math.isfinite(number):
            return number
    raise ValueError(
        f"{name} is {text!r}; it must be a {'whole ' * (kind is int)}number, 0 or more."
    )


def _check_suggestions(text: str) -> None:
    with contextlib.suppress(ValueError, TypeError):
        lists = json.loads(text)
        if isinstance(lists, list) and all(
            part and isinstance(part, list) and all(isinstance(question, str) for question in part)
            for part in lists
        ):
            return
    raise ValueError(
        f"CHAT_SUGGESTIONS is {text[:50]!r}; it must be JSON, a list of lists of questions."
    )


def _key(environment: Mapping[str, str]) -> str:
    file = environment.get("MISTRAL_API_KEY_FILE")
    key = Path(file).read_text("utf-8") if file else environment.get("MISTRAL_API_KEY", "")
    if not key.strip():
        raise ValueError(
            "Set MISTRAL_API_KEY, or MISTRAL_API_KEY_FILE to a file that holds the key."
        )
    return key.strip()
