"""Lesson 02, edited as its text invites: every edit ends in an answer, a refusal or a short miss."""

import helpers


def test_other_parameters_get_the_written_answer(lesson):
    first = lesson("02_first_call")
    first.run_to("httpx")
    for more in ("temperature=0", "max_tokens=5", 'model="mistral-large-latest"', "random_seed=3"):
        shown = first.run("helpers", helpers=f"{HELPERS[:-1]}, {more})\nprint(reply.text)")
        assert first.last_error is None, more
        assert "Not recorded: the course's written answer" in shown
        assert "There is no" in shown


HELPERS = 'reply = helpers.chat("What is the best French cheese?")'


def test_a_misspelt_field_and_an_unknown_model_are_refused(lesson):
    first = lesson("02_first_call")
    first.run_to("httpx")
    for more, status, words in (
        ("max_token=5", 422, "body.max_token: Extra inputs are not permitted"),
        ("temperature=7", 422, "less than or equal to"),
        ('model="mistral-smal"', 400, "Invalid model: mistral-smal"),
    ):
        first.run("helpers", helpers=f"{HELPERS[:-1]}, {more})")
        assert isinstance(first.last_error, helpers.APIError), more
        assert (first.last_error.status, words in first.last_error.message) == (status, True), more


def test_an_own_question_gets_a_menu_of_at_most_seven_lines(lesson):
    first = lesson("02_first_call")
    first.run_to("httpx")
    first.run("helpers", helpers='helpers.chat("Which planet is the largest?")')
    message = str(first.last_error)
    assert isinstance(first.last_error, helpers.RecordingNotFound)
    assert len(message.splitlines()) <= 7
    assert "What is the best French cheese?" in message


def test_the_conversation_can_be_run_again_from_its_first_turn(lesson):
    first = lesson("02_first_call")
    first.run_to("turns-cost")
    again = first.run("turns-first", "turns-second", "turns-third", "turns-cost")
    assert first.last_error is None
    assert again.count("tokens in") == 3
    assert len(first.names["conversation"]) == 5


def test_the_sum_names_the_model_whose_prices_it_uses(lesson):
    first = lesson("02_first_call")
    first.run_to("cost")
    large = ("mistral-small-2603", "mistral-large-2512")
    assert "at the prices of Mistral Small 4:" in first.run("cost-sum")
    assert "at the prices of Mistral Large 3:" in first.run("cost", "cost-sum", cost=large)


def test_a_name_that_another_model_answers_shows_that_model(lesson):
    first = lesson("02_first_call")
    first.run_to("history-import")
    shown = first.run("history-model", history_model=("mistral-tiny", "pixtral-12b"))
    assert "ministral-14b-latest" in shown


def test_the_smallest_limit_that_gives_stop_counts_the_token_that_ends_the_answer(lesson):
    first = lesson("02_first_call")
    first.run_to("turns-alone")
    assert "length 49" in first.run("max", max=("max_tokens=12", "max_tokens=49"))
    short = first.names["brief"].text
    assert "stop 50" in first.run("max", max=("max_tokens=12", "max_tokens=50"))
    assert first.names["brief"].text == short
