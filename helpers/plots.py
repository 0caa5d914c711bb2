"""Accessible figures: one style, each with a description and its numbers."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# For plt.style.use.
STYLE = str(Path(__file__).parent / "course.mplstyle")
# Bars can be distinguished without colour.
HATCHES = ("", "//", "..", "xx", "oo")


def show(figure: Figure, description: str, table: pd.DataFrame | None = None) -> None:
    """Show a matplotlib figure, a description of it, and its numbers as a table.

    description: the kind of figure, its axes and what it shows, in one to three sentences of plain
    text. It is also the image's alt text, for screen readers.

    The figure is closed afterwards, so that Jupyter does not show it twice.
    """
    import matplotlib.pyplot as plt
    from IPython.display import Image, Markdown, display

    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    plt.close(figure)
    display(Image(picture.getvalue(), alt=description))  # type: ignore[no-untyped-call]
    display(Markdown(f"*In words:* {plain(description)}"))  # type: ignore[no-untyped-call]
    if table is not None:
        display(table)  # type: ignore[no-untyped-call]


def plain(text: str) -> str:
    """Escape a text so that Markdown shows it verbatim: no HTML, no links, no mathematics."""
    return re.sub(r"([\\`*_\[\]<>&$#|~])", r"\\\1", " ".join(text.split()))


def grouped_bars(axes: Axes, table: pd.DataFrame, labels: str | None = "{:.2f}") -> None:
    """Draw a group of bars for each row of a table, with one bar per column.

    Bars differ in colour and hatch. Row names label the ticks, column names the legend.
    labels: the format of the number above each bar, or None for no numbers.
    """
    width = 0.8 / len(table.columns)
    for number, (name, values) in enumerate(table.items()):
        offset = (number - (len(table.columns) - 1) / 2) * width
        places = [place + offset for place in range(len(table))]
        bars = axes.bar(
            places,
            values,
            width * 0.95,
            hatch=HATCHES[number % len(HATCHES)],
            edgecolor="white",
            label=str(name),
        )
        if labels is not None:
            axes.bar_label(bars, labels=[labels.format(value) for value in values], padding=2)
    axes.set_xticks(range(len(table)), [str(name) for name in table.index])
    axes.legend()
