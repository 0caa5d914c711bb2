"""What a check found: the problems in the order of their lines, and the counts."""

from __future__ import annotations

import collections
import dataclasses
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, overload

if TYPE_CHECKING:
    import pandas as pd


class Problem(NamedTuple):
    """One problem of one line, counted from 1. Excerpts have no secrets in them."""

    line: int
    reason: str
    detail: str
    excerpt: str


class Problems(Sequence[Problem]):
    """All problems, sorted by line. They are in a temporary file of SQLite's: any number fits."""

    def __init__(self) -> None:
        self._rows = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._rows.execute("PRAGMA synchronous = OFF")
        self._rows.execute("CREATE TABLE found (line INTEGER, reason, detail, excerpt)")

    def add(self, problems: Iterable[Problem]) -> None:
        self._rows.execute("BEGIN")
        self._rows.executemany("INSERT INTO found VALUES (?, ?, ?, ?)", problems)
        self._rows.execute("COMMIT")

    def sort(self) -> None:
        """Bring them into the order of lines; of one line, in the order in which they came."""
        self._rows.execute(
            "CREATE TABLE sorted AS SELECT * FROM found WHERE line > 0 ORDER BY line, rowid"
        )
        self._rows.execute("DROP TABLE found")

    def counts(self) -> dict[str, int]:
        """How many there are of each reason, the most frequent first."""
        rows = self._rows.execute(
            "SELECT reason, count(*) n FROM sorted GROUP BY 1 ORDER BY n DESC, 1"
        )
        return dict(rows.fetchall())

    def lines(self) -> int:
        """How many lines have a problem."""
        (number,) = self._rows.execute("SELECT count(DISTINCT line) FROM sorted").fetchone()
        return int(number)

    def __len__(self) -> int:
        (number,) = self._rows.execute("SELECT count(*) FROM sorted").fetchone()
        return int(number)

    def __iter__(self) -> Iterator[Problem]:
        return map(Problem._make, self._rows.execute("SELECT * FROM sorted ORDER BY rowid"))

    @overload
    def __getitem__(self, index: int) -> Problem: ...
    @overload
    def __getitem__(self, index: slice) -> list[Problem]: ...
    def __getitem__(self, index: int | slice) -> Problem | list[Problem]:
        numbers = range(1, len(self) + 1)[index]
        query = "SELECT * FROM sorted WHERE rowid = ?"
        if isinstance(numbers, int):
            return Problem._make(self._rows.execute(query, (numbers,)).fetchone())
        return [Problem._make(self._rows.execute(query, (n,)).fetchone()) for n in numbers]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    def __reduce__(self) -> tuple[Any, ...]:
        return _problems, (list(self),)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        rest = f", … {len(self) - 5:,} more" if len(self) > 5 else ""
        return "[" + ", ".join(map(repr, self[:5])) + rest + "]"


def _problems(rows: list[Problem]) -> Problems:
    """The same from a pickle, which can't hold a connection to SQLite."""
    problems = Problems()
    problems.add(rows)
    problems.sort()
    return problems


@dataclasses.dataclass
class Report:
    """What `check` found in a file.

    lines: all lines. good: those without a problem. blank: those with nothing but white space.
    kinds: how many lines are of each format (chat, classifier, text).
    problems: a `Problem` (line, reason, detail, excerpt) for each, by line; a line can have several.
    notes: what concerns the whole file.
    """

    path: Path
    lines: int
    good: int
    blank: int
    kinds: collections.Counter[str]
    problems: Problems
    notes: list[str]

    @property
    def ok(self) -> bool:
        """Whether every line is good, and there is one, and all are of one format."""
        return self.good == self.lines > 0 and len(self.kinds) == 1

    @property
    def rejected(self) -> int:
        """How many lines have a problem."""
        return self.lines - self.good

    @property
    def counts(self) -> dict[str, int]:
        """How many problems there are of each reason, the most frequent first."""
        return self.problems.counts()

    def table(self, limit: int = 1000) -> pd.DataFrame:
        """The first problems, one row each, with the columns line, reason, detail and excerpt."""
        import pandas as pd

        return pd.DataFrame(self.problems[:limit], columns=list(Problem._fields))

    def __repr__(self) -> str:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(self.kinds.items()))
        rows = [
            f"{self.path.name}: {self.good:,} of {self.lines:,} lines are good ({kinds or 'none'})"
        ]
        rows += [f"{count:10,}  {reason}" for reason, count in self.counts.items()]
        return "\n".join(rows + [f"note: {note}" for note in self.notes])
