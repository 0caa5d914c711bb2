"""Figures that everybody can read: one style, and each with a description and its numbers."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

STYLE = str(Path(__file__).parent / "course.mplstyle")  # for plt.style.use


def show(figure: Figure, description: str, table: pd.DataFrame | None = None) -> None:
    """Show a matplotlib figure, what it shows in words, and its numbers as a table.

    description: the kind of figure, its axes and what to see in it, in one to three sentences. It is
    also the picture's alternative text, which a screen reader speaks.

    The figure is closed afterwards, so that Jupyter does not show it twice.
    """
    import matplotlib.pyplot as plt
    from IPython.display import Image, Markdown, display

    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    plt.close(figure)
    display(Image(picture.getvalue(), alt=description))  # type: ignore[no-untyped-call]
    display(Markdown(f"*In words:* {description}"))  # type: ignore[no-untyped-call]
    if table is not None:
        display(table)  # type: ignore[no-untyped-call]
