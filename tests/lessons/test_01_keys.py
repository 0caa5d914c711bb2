"""Lesson 01, edited as its text invites."""

import helpers


def test_any_other_key_is_refused(lesson):
    keys = lesson("01_keys")
    keys.run_to("check")
    for edit in ('check_key("")', 'check_key("  ")'):
        assert "empty" in keys.run("check-wrong", check_wrong=edit)
    for edit in ('check_key("x" * 32)', 'check_key("a b")'):
        assert "refused" in keys.run("check-wrong", check_wrong=edit)
    assert "valid" in keys.run(
        "check-wrong", check_wrong="check_key(KEY_HEADER['Authorization'][7:])"
    )


def test_another_address_or_field_is_refused_as_the_api_refuses_it(lesson):
    keys = lesson("01_keys")
    keys.run_to("environment")
    shown = keys.run("first-call", first_call=("/v1/models", "/v1/model"))
    assert "404" in str(keys.last_error)
    assert "Not recorded: refused here" in shown


def test_an_address_that_the_course_has_no_answer_for_is_not_refused(lesson):
    keys = lesson("01_keys")
    keys.run_to("environment")
    keys.run("first-call", first_call=("/v1/models", "/v1/conversations"))
    assert isinstance(keys.last_error, helpers.RecordingNotFound)


def test_a_missing_key_ends_in_one_sentence(lesson, monkeypatch):
    keys = lesson("01_keys")
    keys.run_to("first-200")
    monkeypatch.setenv("MISTRAL_API_KEY", "")
    keys.run("missing-handled")
    assert isinstance(keys.last_error, SystemExit)
    assert str(keys.last_error).startswith("Set MISTRAL_API_KEY to your key.")


def test_the_scan_survives_any_file(lesson, tmp_path):
    keys = lesson("01_keys")
    keys.run_to("scan")
    find_keys = keys.names["find_keys"]
    for number, content in enumerate(
        (b"", b"\xff\xfe\x00", bytes(range(256)), "é".encode("latin-1"))
    ):
        (file := tmp_path / str(number)).write_bytes(content)
        assert find_keys(file, "own-key-of-mine") == []
        file.write_bytes(content + b" Bearer " + b"Ab3" * 12)
        assert find_keys(file, "own-key-of-mine") == ["…3Ab3"]


def test_the_scan_without_an_own_key_reports_none(lesson, tmp_path):
    keys = lesson("01_keys")
    keys.run_to("scan")
    (file := tmp_path / "notes.txt").write_text("Buy milk.")
    assert keys.names["find_keys"](file, "") == []


def test_a_machine_without_git_is_told_so(lesson, monkeypatch, tmp_path):
    keys = lesson("01_keys")
    keys.run("start")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "git is not installed" in keys.run("gitignore")
    assert keys.last_error is None


def test_a_path_outside_the_repository_gets_the_words_of_git(lesson, tmp_path):
    keys = lesson("01_keys")
    keys.run("start")
    shown = keys.run("gitignore", gitignore=('"../.env"', repr(str(tmp_path / ".env"))))
    assert "fatal: " in shown
    assert keys.last_error is None


def test_the_scan_passes_over_folders(lesson):
    keys = lesson("01_keys")
    keys.run_to("check")
    assert "01_keys.ipynb" in keys.run("scan", scan=('glob("*.py")', 'glob("*")'))
    assert keys.last_error is None
