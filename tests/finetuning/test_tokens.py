"""sample_tokens, with mistral-common's tokenizer v13 as the oracle."""

import importlib.resources
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mistral_common.protocol.instruct.messages import FinetuningMessage
from mistral_common.protocol.instruct.request import ChatCompletionRequest
from mistral_common.protocol.instruct.validator import ValidationMode
from mistral_common.tokens.tokenizers.base import SpecialTokens
from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

from helpers import finetuning
from tests.finetuning.examples import talk, tool, user, with_tool


@pytest.fixture(scope="module")
def oracle(tmp_path_factory):
    """mistral-common carries Tekken as v3 only; v13 has the same vocabulary and another template."""
    path = importlib.resources.files("mistral_common") / "data" / "tekken_240911.json"
    content = json.loads(path.read_text("utf-8"))
    content["config"]["version"] = "v13"
    content["special_tokens"] = [
        {"rank": rank, "token_str": token, "is_control": True}
        for rank, token in enumerate(SpecialTokens)
    ]
    path = tmp_path_factory.mktemp("tekken") / "tekken.json"
    path.write_text(json.dumps(content))
    tokenizer = MistralTokenizer.from_file(path, ValidationMode.finetuning)

    def count(sample):
        request = ChatCompletionRequest[FinetuningMessage].model_validate(sample)
        return len(tokenizer.encode_chat_completion(request).tokens)

    return count


@pytest.mark.slow
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.text(min_size=1, max_size=80), min_size=2, max_size=6), st.text(max_size=40))
def test_tokens_are_those_of_mistral_common(oracle, turns, system):
    turns = turns[: len(turns) // 2 * 2]
    for sample in (
        talk(*turns, system=system),
        talk(*([{"type": "text", "text": t}] for t in turns), system=system),
        talk(*turns, system=[{"type": "text", "text": system or "s"}]),
    ):
        assert finetuning.sample_tokens(sample) == oracle(sample)


@pytest.mark.slow
def test_tokens_of_tools_are_those_of_mistral_common(oracle):
    sample = {**with_tool(), "tools": [tool()]}
    assert finetuning.sample_tokens(sample) == oracle(sample)


def test_tokens_of_other_kinds_are_counted():
    assert finetuning.sample_tokens({"text": "hello"}) == 2
    assert finetuning.sample_tokens({"messages": [user], "labels": {"a": "b"}}) == 4
    image = {"type": "image_url", "image_url": "https://x/y.png"}
    assert finetuning.sample_tokens(talk([image, {"type": "text", "text": "a"}], "b")) == 6
    for wrong in ({}, {"messages": 5}, {"messages": [{"role": "user"}, 5]}, {"text": 5}):
        with pytest.raises(ValueError, match=r"good sample|fault"):
            finetuning.sample_tokens(wrong)
