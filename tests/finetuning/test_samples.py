"""read and write."""

import pytest

from helpers import finetuning
from tests.finetuning.examples import good, save, talk


def test_what_is_written_is_read(tmp_path):
    samples = [talk("a", "b", system="s"), talk("ç", "d")]
    assert finetuning.write(samples, tmp_path / "data.jsonl") == 2
    assert finetuning.read(tmp_path / "data.jsonl") == samples


def test_read_names_the_bad_line(tmp_path):
    with pytest.raises(ValueError, match=r"Line 2 .*correct or delete that line"):
        finetuning.read(save(tmp_path / "data.jsonl", good(), b"{"))


def test_write_names_the_bad_sample_and_leaves_no_half_file(tmp_path):
    for wrong in (float("nan"), "\ud800", {1}):
        with pytest.raises(ValueError, match="Sample 2"):
            finetuning.write([good(), {"text": wrong}], tmp_path / "data.jsonl")
    assert not list(tmp_path.iterdir())
