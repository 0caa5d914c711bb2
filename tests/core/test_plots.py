"""Figures in the course's style are readable, and come with a description and numbers."""

import itertools
import re

import matplotlib
import matplotlib.pyplot as plt
import mistune
import pandas as pd
import pytest
from matplotlib import colors

import helpers
from helpers.plots import grouped_bars

STYLE = matplotlib.rc_params_from_file(helpers.STYLE, use_default_template=False)


def test_text_is_large_enough_for_a_projector():
    height = STYLE["figure.figsize"][1] * 72  # points
    for name in ("font.size", "legend.fontsize", "axes.labelsize", "axes.titlesize"):
        assert STYLE[name] / height > 1 / 27, f"{name}: at most 27 lines would fit on the figure"


def test_lines_differ_by_marker_as_well_as_by_colour():
    cycle = list(STYLE["axes.prop_cycle"])
    assert len({entry["marker"] for entry in cycle}) == len(cycle) >= 5


@pytest.mark.parametrize("a, b", [*itertools.combinations([*STYLE["axes.prop_cycle"]][:3], 2)])
def test_first_colours_differ_with_red_green_colour_blindness(a, b):
    """With red and green merged, a simple model of the common colour blindness."""

    def seen(entry):
        red, green, blue = colors.to_rgb(entry["color"])
        return (red + green) / 2, blue

    assert max(abs(x - y) for x, y in zip(seen(a), seen(b), strict=True)) > 0.1


def test_show_displays_image_description_and_numbers(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    figure, axes = plt.subplots()
    axes.plot([1, 2])
    table = pd.DataFrame({"x": [1, 2]})
    helpers.show(figure, "A line that rises.", table)
    picture, words, numbers = shown
    assert picture.data.startswith(b"\x89PNG")
    assert picture.alt == "A line that rises."
    assert "A line that rises." in words.data
    assert numbers is table
    assert figure.number not in plt.get_fignums(), "closed, so that Jupyter does not show it again"


HOSTILE = (
    "a <img src=x onerror=alert(1)> & [link](https://example.com) costs $1 to $2, `x_1`\n# *b*"
)


def test_description_is_shown_as_plain_text(monkeypatch):
    """No HTML, link, heading or mathematics: CommonMark shows each escaped character as it is."""
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    figure, _ = plt.subplots()
    helpers.show(figure, HOSTILE)
    picture, words = shown
    assert picture.alt == HOSTILE
    html = mistune.html(words.data)
    assert html.startswith(
        "<p><em>In words:</em> a &lt;img src=x onerror=alert(1)&gt; &amp; [link]"
    )
    assert re.findall(r"<(\w+)", html) == ["p", "em"]
    assert len(re.findall(r"(?<!\\)\$", words.data)) == 0


def test_grouped_bars_draw_each_number_of_the_table():
    table = pd.DataFrame({"small": [0.5, 1.0], "large": [0.75, 0.25]}, index=["a", "b"])
    figure, axes = plt.subplots()
    grouped_bars(axes, table)
    bars = [bar for group in axes.containers for bar in group]
    assert [bar.get_height() for bar in bars] == [0.5, 1.0, 0.75, 0.25]
    assert len({bar.get_hatch() for bar in bars}) == 2, "distinct without colour"
    assert [text.get_text() for text in axes.texts] == ["0.50", "1.00", "0.75", "0.25"]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["a", "b"]
    edges = sorted((bar.get_x(), bar.get_x() + bar.get_width()) for bar in bars)
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(edges)), "side by side"
    plt.close(figure)
