"""Lesson 06, edited as its text invites."""

import functools

import pytest
from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

import helpers

v3 = functools.cache(MistralTokenizer.v3)


@pytest.fixture(autouse=True)
def loaded_once(monkeypatch):
    """Cell, helpers and offline API load this tokenizer, each for itself."""
    monkeypatch.setattr(MistralTokenizer, "v3", v3)


def test_other_mistakes_are_refused_as_the_api_refuses_them(lesson):
    errors = lesson("06_errors")
    errors.run_to("stay-table")
    for edit, status in (
        (('"max_completion_tokens": 50', '"seed": 50'), 422),
        (('"max_completion_tokens": 50', '"temperature": 7'), 422),
        (('"content": "Hi"}', '"content": "Hello"}'), 400),
        (('"max_completion_tokens": 50', '"max_tokens": 300_000'), 400),
        (('/chat/completion"', '/chats"'), 404),
        (('/chat/completion"', '/models"'), 405),
    ):
        shown = errors.run("stay", "stay-show", "stay-table", stay=edit)
        assert errors.last_error is None, shown
        assert status in [answer.status_code for answer in errors.names["answers"].values()], edit
        assert "no further details" not in shown, edit


def test_a_mistake_that_is_corrected_is_no_error(lesson):
    errors = lesson("06_errors")
    errors.run_to("stay-table")
    right = [("max_completion_tokens", "max_tokens"), ('/chat/completion"', '/chat/completions"')]
    for edit in right:
        shown = errors.run("stay", "stay-show", "stay-table", stay=edit)
        assert errors.last_error is None, shown
        assert 200 in [answer.status_code for answer in errors.names["answers"].values()]
        assert "did not come from the API" not in shown


def test_another_order_of_roles_that_nobody_refuses_is_answered(lesson):
    """mistral-common, whose words the API uses, lets all of these pass; the API was not asked."""
    errors = lesson("06_errors")
    errors.run_to("stay-table")
    hi = '{"role": "assistant", "content": "Hi"}'
    for edit in (
        '{"role": "system", "content": "Be brief."}',
        '{"role": "system", "content": "Be brief."}, *HELLO',
        '{"role": "user", "content": "Hi"}',
        f"{hi}, *HELLO",
        hi.replace("}", ', "prefix": True}'),
    ):
        shown = errors.run("stay", "stay-show", "stay-table", stay=(hi, edit))
        assert errors.last_error is None, shown
        assert "the course's written answer" in shown
        assert errors.names["answers"]["the assistant speaks last"].status_code == 200, edit


def test_every_fault_can_be_played_and_read(lesson):
    errors = lesson("06_errors")
    errors.run_to("stay-table")
    known = helpers.transports.load_faults().values()
    refused = [fault.name for fault in known if fault.status]
    shown = errors.run(
        "all", all=(errors.cells["all"].partition("played")[0], f"names = {refused}\n")
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
        ('"user", "content": "Another."', '"tool", "content": "Another."'),
    ):
        shown = errors.run("count", **({"count": edit} if edit else {}))
        assert shown == f"{int(helpers.count_tokens(errors.names['chat']))} tokens\n", edit


def test_a_gateway_without_a_correlation_id_and_other_retired_models_are_shown(lesson):
    errors = lesson("06_errors")
    errors.run("start")
    for edit, shown in (
        (("/chat/completions", "/chat/completion"), "404"),
        (("open-mixtral-8x7b", "mistral-small-2402"), "Invalid model: mistral-small-2402"),
    ):
        assert shown in errors.run("first", first=edit)
        assert errors.last_error is None, edit


def test_faults_are_told_apart_where_no_answer_comes_and_those_with_a_status_are_read(lesson):
    errors = lesson("06_errors")
    errors.run_to("first")
    known = list(helpers.transports.load_faults())
    script = ('["no_connection", "timeout", "connection_reset", "cut"]', repr([*known, 429]))
    shown = errors.run("network", network=script)
    assert errors.last_error is None, shown
    for name in [*known, 429]:
        assert f"{name}: " in shown
    assert "capacity: APIError, 429 3505: Service tier capacity exceeded" in shown
    assert "cut: StreamCut, " in shown


def test_cells_can_be_run_again_in_any_order(lesson):
    errors = lesson("06_errors")
    errors.run_to("limits-first")
    shown = errors.run("network-copy", "first", "stay-show", "stay-table", "limits-first", "zero")
    assert errors.last_error is None, shown


def test_a_stream_shows_no_limits_and_other_answers_do(lesson):
    errors = lesson("06_errors")
    errors.run_to("first")
    shown = errors.run("limits", limits=('"model":', '"stream": True, "model":'))
    assert errors.last_error is None, shown
    assert "x-ratelimit" not in shown and "total_tokens" not in shown
    shown = errors.run("limits")
    assert "x-ratelimit-limit-req-minute: 100" in shown and "total_tokens: 25" in shown
