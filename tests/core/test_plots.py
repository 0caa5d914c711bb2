"""Figures in the course's style are large enough, and come with words and numbers."""

import itertools

import matplotlib
import matplotlib.pyplot as plt
import pandas as pd
import pytest
from matplotlib import colors

import helpers

STYLE = matplotlib.rc_params_from_file(helpers.STYLE, use_default_template=False)


def test_text_is_large_enough_for_a_projector():
    height = STYLE["figure.figsize"][1] * 72  # points
    for name in ("font.size", "legend.fontsize", "axes.labelsize", "axes.titlesize"):
        assert STYLE[name] / height > 1 / 27, f"{name}: at most 27 lines would fit on the figure"


def test_lines_differ_by_marker_and_not_by_colour_alone():
    cycle = list(STYLE["axes.prop_cycle"])
    assert len({entry["marker"] for entry in cycle}) == len(cycle) >= 5


@pytest.mark.parametrize("a, b", [*itertools.combinations([*STYLE["axes.prop_cycle"]][:3], 2)])
def test_the_first_colours_differ_for_those_who_see_no_red_or_green(a, b):
    """Seen with red and green as one (a plain model of the common colour blindness)."""

    def seen(entry):
        red, green, blue = colors.to_rgb(entry["color"])
        return (red + green) / 2, blue

    assert max(abs(x - y) for x, y in zip(seen(a), seen(b), strict=True)) > 0.1


def test_show_gives_picture_words_and_numbers(monkeypatch):
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
    assert not plt.get_fignums(), "closed, so that Jupyter does not show it again"
