"""Lesson 06, edited as its text invites."""

import helpers


def test_other_mistakes_are_refused_as_the_api_refuses_them(lesson):
    errors = lesson("06_errors")
    errors.run_to("stay-table")
    for edit, status in (
        (('"max_completion_tokens": 50', '"seed": 50'), 422),
        (('"max_completion_tokens": 50', '"temperature": 7'), 422),
        (('"content": "Hi"}', '"content": "Hello"}'), 400),
        (('/chat/completion"', '/chats"'), 404),
    ):
        shown = errors.run("stay", "stay-show", "stay-table", stay=edit)
        assert errors.last_error is None, shown
        assert status in [answer.status_code for answer in errors.names["answers"].values()], edit


def test_every_fault_can_be_played_and_read(lesson):
    errors = lesson("06_errors")
    errors.run_to("stay-table")
    known = helpers.transports.load_faults().values()
    refused = [fault.name for fault in known if fault.status and fault.status >= 400]
    shown = errors.run(
        "all", all=(errors.cells["all"].source.partition("played")[0], f"names = {refused}\n")
    )
    assert errors.last_error is None, shown
    assert set(errors.names["played"]) == set(refused)


def test_the_rule_to_copy_counts_a_chat_as_the_helpers_do(lesson):
    errors = lesson("06_errors")
    errors.run_to("start")
    system = '"role": "system", "content": "Be brief."}, {'
    for edit in (
        None,
        ("Another.", "Und wie heißt er auf Deutsch?"),
        ("chat = [{", f"chat = [{{{system}"),
    ):
        shown = errors.run("count", **({"count": edit} if edit else {}))
        assert shown == f"{int(helpers.count_tokens(errors.names['chat']))} tokens\n", edit
