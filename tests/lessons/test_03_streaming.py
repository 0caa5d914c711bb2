"""Lesson 03, edited as its text invites."""

from types import SimpleNamespace

import pytest

import helpers


def test_other_stories_and_the_same_without_streaming(lesson):
    streaming = lesson("03_streaming")
    streaming.run_to("wire")
    for subject in ("a clockmaker", "a night train"):
        shown = streaming.run(
            "times-measure", "times-whole", times_measure=("a lighthouse", subject)
        )
        assert streaming.last_error is None, shown
        assert "first piece after" in shown and "characters at once" in shown


def test_the_figure_is_that_of_the_story(lesson, monkeypatch):
    shown, cells = [], ["times-measure", "times-whole", "times-read", "times-plot"]
    monkeypatch.setattr(helpers, "show", lambda figure, words, table: shown.append((words, table)))
    streaming = lesson("03_streaming")
    streaming.run("start")
    lengths = {}
    for subject in ("a lighthouse", "a clockmaker", "a night train", "a lighthouse"):
        streaming.run(*cells, times_measure=("a lighthouse", subject))
        assert streaming.last_error is None
        lengths[subject] = length = len(streaming.names["whole"].text)
        words, table = shown[-1]
        assert f"to {length} characters" in words
        assert table["characters"].iloc[-1] == length
        assert table["seconds"].is_monotonic_increasing
    assert len(set(lengths.values())) == 3
    assert shown[0][0] == shown[-1][0], "recorded times stay the same"


@pytest.mark.parametrize(
    "edit",
    [
        ("helpers.stream(STORY)", "helpers.stream(STORY, max_tokens=12)"),
        ("Tell me a short story about a lighthouse.", "Tell me a short story about a lighthouse"),
        ("Tell me a short story about a lighthouse.", "Name a fruit. One word"),
        ("Tell me a short story about a lighthouse.", "One idea for a rainy day in Lyon?"),
    ],
)
def test_recorded_times_are_only_those_of_the_measured_answer(lesson, edit):
    streaming = lesson("03_streaming")
    streaming.run("start", "times-measure", "times-read", times_measure=edit)
    assert streaming.last_error is None
    measured, pieces = streaming.names["measured"], streaming.names["pieces"]
    assert pieces["characters"].iloc[-1] == sum(length for _, length in measured)
    recorded = "Lyon" in edit[1]
    # At a pace of 0, nothing takes as long as the recorded first piece.
    assert (pieces["seconds"].iloc[0] == 0.4) == recorded


def test_the_title_names_the_stand_in_and_tells_short_times_apart(lesson, monkeypatch):
    titles = []
    monkeypatch.setattr(
        helpers,
        "show",
        lambda figure, words, table: titles.append(figure.axes[0].get_title(loc="left")),
    )
    streaming = lesson("03_streaming")
    streaming.run("start", "times-measure", "times-read")
    for times in ([0.4, 0.47, 0.52], [0.4, 0.47, 3.32]):
        streaming.names["pieces"] = streaming.names["pieces"][:3].assign(
            seconds=times, characters=[0, 4, 9]
        )
        streaming.run("times-plot")
        assert streaming.last_error is None
    assert all("stand-in" in title for title in titles)
    assert "0.47 s" in titles[0] and "0.52 s" in titles[0]
    assert "0.5 s" in titles[1] and "3.3 s" in titles[1]


def test_counting_further_is_answered_wherever_the_lesson_counts(lesson):
    streaming, problems = lesson("03_streaming"), []
    streaming.run("start", "helper")
    for cell in ("wire", "helper", "sdk", "lines-sse"):
        shown = streaming.run(cell, **{cell.replace("-", "_"): ("1 to 5", "1 to 10")})
        if streaming.last_error:
            problems.append((cell, shown))
    assert problems == []


def test_the_table_of_the_figure_has_each_time_once_and_ends_with_the_text(lesson, monkeypatch):
    tables = []
    monkeypatch.setattr(helpers, "show", lambda figure, words, table: tables.append(table))
    streaming = lesson("03_streaming")
    streaming.run("start", "times-measure", "times-read", "times-plot")
    assert streaming.last_error is None
    assert tables[0].index.is_unique
    assert tables[0]["characters"].iloc[-1] == streaming.names["pieces"]["characters"].iloc[-1]


def test_thinking_may_end_without_a_mixed_delta(lesson):
    """As in most recorded streams."""
    streaming = lesson("03_streaming")
    streaming.run("start", "thinking")
    thought = [{"type": "thinking", "thinking": [{"type": "text", "text": "Twelve."}]}]
    chunks = [{"choices": [{"delta": {"content": part}}]} for part in (thought, "14", "4")]
    streaming.names["solved"] = SimpleNamespace(reply=SimpleNamespace(raw=chunks))
    shown = streaming.run("thinking-contents", "thinking-naive")
    assert streaming.last_error is None, shown
    assert "Twelve." in shown and "144" in shown


def test_an_own_cut_is_told_apart_from_a_complete_stream(lesson):
    streaming = lesson("03_streaming")
    streaming.run_to("served")
    raw, serving = streaming.names["raw"], streaming.names["serving"]
    whole = "".join(helpers.stream("?", client=serving(raw)))
    problems = []
    for end in [*range(1, len(raw), 17), len(raw) - 1]:
        try:
            text = "".join(helpers.stream("?", client=serving(raw[:end])))
            if text != whole:
                problems.append((end, text))
        except helpers.StreamCut as cut:
            if not whole.startswith(cut.reply.text):
                problems.append((end, cut.reply.text))
    assert problems == []


def test_cells_run_in_another_order(lesson):
    streaming = lesson("03_streaming")
    streaming.run_to("chat")
    for cells in (("thinking", "thinking-contents"), ("cancel", "cancel-reply"), ("tools",)):
        streaming.run(*cells)
        assert streaming.last_error is None, cells
    streaming.run("thinking-contents", "thinking-naive")
    assert streaming.last_error is None
