"""from_pairs, read and write."""

import pandas as pd
import pytest

from helpers import finetuning
from tests.finetuning.examples import good, save, talk


def test_pairs_in_every_form_become_messages(tmp_path):
    wanted = [talk("a", "b", system="s"), talk("c", "d", system="s")]
    pairs = [("a", " b"), ("c", "d")]
    assert finetuning.from_pairs(pairs, system="s") == wanted
    table = pd.DataFrame(pairs, columns=["prompt", "completion"]).assign(date="today")
    assert finetuning.from_pairs(table, system="s") == wanted
    assert finetuning.from_pairs(table.to_dict("records"), system="s") == wanted
    assert finetuning.write(wanted, tmp_path / "data.jsonl") == 2
    assert finetuning.read(tmp_path / "data.jsonl") == wanted
    assert finetuning.check(tmp_path / "data.jsonl").ok


def test_what_are_no_pairs_is_refused_by_number():
    for wrong in (("a", ""), ("a",), ("a", None), ("a", float("nan")), ("a", "b", "c"), "ab"):
        with pytest.raises(ValueError, match="Pair 2"):
            finetuning.from_pairs([("a", "b"), wrong])
    with pytest.raises(KeyError, match="completion"):
        finetuning.from_pairs([{"prompt": "a", "answer": "b"}])


def test_read_names_the_bad_line(tmp_path):
    with pytest.raises(ValueError, match=r"Line 2 .*clean"):
        finetuning.read(save(tmp_path / "data.jsonl", good(), b"{"))


def test_write_names_the_bad_sample_and_leaves_no_half_file(tmp_path):
    for wrong in (float("nan"), "\ud800", {1}):
        with pytest.raises(ValueError, match="Sample 2"):
            finetuning.write([good(), {"text": wrong}], tmp_path / "data.jsonl")
    assert not list(tmp_path.iterdir())
