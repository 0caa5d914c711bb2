"""What a check found: the problems by line, and their counts."""

from __future__ import annotations

import collections
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import pandas as pd


class Problem(NamedTuple):
    """One problem of one line. `line` counts from 1; in `detail` and `excerpt` secrets are hidden."""

    line: int
    reason: str
    detail: str
    excerpt: str


@dataclasses.dataclass
class Report:
    """What `check` found in a file.

    lines: all lines. kinds: how many of them are of each format (chat, classifier, text).
    problems: all of them, by line; a line can have several. notes: what concerns the whole file.
    """

    path: Path
    lines: int
    kinds: collections.Counter[str]
    problems: list[Problem]
    notes: list[str]

    @property
    def ok(self) -> bool:
        """Whether every line is good, and there is one, and all are of one format."""
        return self.good == self.lines > 0 and len(self.kinds) == 1

    @property
    def rejected(self) -> int:
        """How many lines have a problem."""
        return len({problem.line for problem in self.problems})

    @property
    def good(self) -> int:
        """How many lines have none."""
        return self.lines - self.rejected

    @property
    def counts(self) -> dict[str, int]:
        """How many problems there are of each reason, the most frequent first."""
        found = collections.Counter(problem.reason for problem in self.problems)
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))

    def table(self) -> pd.DataFrame:
        """The problems, one row each, with the columns line, reason, detail and excerpt."""
        import pandas as pd

        return pd.DataFrame(self.problems, columns=list(Problem._fields))

    def __repr__(self) -> str:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(self.kinds.items()))
        rows = [
            f"{self.path.name}: {self.good:,} of {self.lines:,} lines are good ({kinds or 'none'})"
        ]
        rows += [f"{count:10,}  {reason}" for reason, count in self.counts.items()]
        return "\n".join(rows + [f"note: {note}" for note in self.notes])
