"""What nbval leaves out of its comparison: stripped notebooks, and what differs between two pictures."""

import base64
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PICTURES = ROOT / ".failed_pictures"


def mending(path):
    return f"To run it and store what it prints: make lesson L={path.stem[:2]}"


class StoredInOrder(pytest.Item):
    """Fails for a notebook that was stripped, or stored after its cells ran in another order."""

    def runtest(self):
        cells = [cell for cell in self.parent.nb.cells if cell.cell_type == "code"]
        counts = [cell.execution_count for cell in cells]
        if not any(counts):
            raise StoredWrong("was stored without outputs")
        if counts != list(range(1, len(counts) + 1)):
            raise StoredWrong("was not run from top to bottom before it was stored")

    def repr_failure(self, excinfo, style=None):
        if isinstance(excinfo.value, StoredWrong):
            return f"{self.path.name} {excinfo.value}.\n{mending(self.path)}"
        return super().repr_failure(excinfo, style)

    def reportinfo(self):
        return self.path, 0, f"{self.path.name}: stored in order"


class StoredWrong(Exception):
    """What is wrong with a notebook's file."""


def add_checks(items):
    """Let nbval compare pictures, and begin each notebook with `StoredInOrder`.

    With one version of matplotlib a figure gives the same bytes on every run.
    """
    books = {}
    for item in [*items]:
        if hasattr(book := item.parent, "skip_compare") and book not in books:
            books[book] = True
            book.skip_compare = tuple(kind for kind in book.skip_compare if kind != "image/png")
            check = StoredInOrder.from_parent(book, name="stored in order")
            items.insert(items.index(item), check)


def explain(item, report):
    """Add to a failed cell's report how to store the new output, and where to see both pictures."""
    lines = [mending(item.path)]
    outputs = (item.cell.outputs, item.test_outputs or [])
    for number, pair in enumerate(zip(*map(pictures, outputs), strict=False), 1):
        if pair[0] != pair[1]:
            lines.append("The pictures differ:")
            lines += [
                f"  {name}: {save(item, f'{number}-{name}', picture).relative_to(ROOT)}"
                for name, picture in zip(("stored", "new"), pair, strict=True)
            ]
    report.sections.append(("If the new output is right", "\n".join(lines)))


def pictures(outputs):
    data = [output.get("data", {}) for output in outputs]
    return [base64.b64decode(kinds["image/png"]) for kinds in data if "image/png" in kinds]


def save(item, name, picture):
    PICTURES.mkdir(exist_ok=True)
    path = PICTURES / f"{item.path.stem}-{item.cell.id}-{name}.png"
    path.write_bytes(picture)
    return path
