"""Lesson 03, edited as its text invites."""

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
