"""Lesson 08, edited as its text invites."""

import importlib.resources
import json
import re
from pathlib import Path

import nbformat
import pytest
from mistral_common.protocol.instruct.messages import FinetuningMessage
from mistral_common.protocol.instruct.request import ChatCompletionRequest
from mistral_common.protocol.instruct.validator import ValidationMode
from mistral_common.tokens.tokenizers.base import SpecialTokens
from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

import helpers
from helpers import finetuning
from tests.lessons.cells import Lesson, in_notebooks

ROOT = Path(__file__).parents[2]
NAME = "08_fine_tuning_data"
pytestmark = pytest.mark.slow
PLOTS = ("tokens-plot", "loss-plot", "sizes-plot")


@pytest.fixture(scope="module")
def data():
    """The lesson with its data cleaned; each test runs what it needs anew."""
    with in_notebooks():
        opened = Lesson(NAME)
        shown = opened.run_to("resolve")
        assert opened.last_error is None, shown
        yield opened


def descriptions(book):
    """What the lesson's figures say of themselves."""
    return {
        cell.id: output.metadata["image/png"]["alt"]
        for cell in book.cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    }


def test_no_dollar_in_its_text_becomes_mathematics():
    book = nbformat.read(ROOT / "notebooks" / f"{NAME}.ipynb", as_version=4)
    problems = [
        cell.id
        for cell in book.cells
        if cell.cell_type == "markdown"
        and re.search(r"(?<!\\)\$", re.sub(r"```.*?```|`[^`]*`", "", cell.source, flags=re.DOTALL))
    ]
    assert problems == []


def test_the_archived_trainer_is_called_archived_and_a_living_one_is_configured():
    book = nbformat.read(ROOT / "notebooks" / f"{NAME}.ipynb", as_version=4)
    prose = "\n".join(cell.source for cell in book.cells if cell.cell_type == "markdown")
    assert re.search(r"mistral-finetune.*archived it on 2026-06-16", prose, re.DOTALL)
    config = (ROOT / "data" / "axolotl_ministral.yaml").read_text("utf-8")
    for line in (
        "tokenizer_use_mistral_common: true",
        "message_field_training: weight",
        "path: train.jsonl",
        "path: validation.jsonl",
    ):
        assert line in config
    assert int(re.search(r"^sequence_len: (\d+)$", config, re.MULTILINE)[1]) >= 4096


def test_an_own_file_is_named_line_by_line_and_converted(data, tmp_path):
    own = tmp_path / "mine.jsonl"
    turn = {"from": "human", "value": "Is it open?"}, {"from": "gpt", "value": "It is."}
    system = {"from": "system", "value": "Be short."}
    finetuning.write(
        [
            {"conversations": [system, *turn]},
            {"instruction": "Answer.", "output": "Yes."},
            {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]},
            {"something": "else"},
        ],
        own,
    )
    before = own.read_bytes()
    edit = ('own = folder / "others.jsonl"', f"own = {str(own)!r}")
    shown = data.run("own", "own-sharegpt", "own-alpaca", "own-all", own=edit)
    assert own.read_bytes() == before, "an own file is only read"
    assert data.last_error is None, shown
    assert "ShareGPT" in shown and "Alpaca" in shown and "neither messages nor text" in shown
    assert "3 of 3 lines are good" in shown
    first = finetuning.read(data.names["folder"] / "converted.jsonl")[0]["messages"]
    assert [message["role"] for message in first] == ["system", "user", "assistant"]


def test_the_limit_for_near_duplicates_is_followed(data):
    for near, found in ((0.5, 12), (0.95, 0)):
        shown = data.run("near", near=("near = 0.7", f"near = {near}"))
        assert data.last_error is None, shown
        planted = int(re.search(rf"near={near}: (\d+) of 12", shown)[1])
        assert planted >= found if near == 0.5 else planted <= 3


def test_private_data_of_own_sentences_is_hidden(data):
    shown = data.run("private", private='finetuning.hide_secrets("GB82 WEST 1234 5698 7654 32!")')
    assert "[IBAN]!" in shown
    for sentence, hidden in (
        ("order 0123456789", "order 0123456789"),
        ("call 0123456789", "call [phone]"),
    ):
        assert hidden in data.run("private", private=f"finetuning.hide_secrets({sentence!r})")


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    """Mistral's own template of Ministral 3, v13, over the vocabulary that mistral-common carries."""
    path = importlib.resources.files("mistral_common") / "data" / "tekken_240911.json"
    content = json.loads(path.read_text("utf-8"))
    content["config"]["version"] = "v13"
    content["special_tokens"] = [
        {"rank": rank, "token_str": token, "is_control": True}
        for rank, token in enumerate(SpecialTokens)
    ]
    path = tmp_path_factory.mktemp("tekken") / "tekken.json"
    path.write_text(json.dumps(content), "utf-8")
    return MistralTokenizer.from_file(path, ValidationMode.finetuning)


def test_pieces_are_the_tokens_of_mistral_common_and_answers_carry_loss(data, tokenizer):
    shown = data.run("tokens", "loss")
    assert data.last_error is None, shown
    base = tokenizer.instruct_tokenizer.tokenizer
    problems = []
    for sample in data.names["good"]:
        found = data.names["pieces"](sample)
        request = ChatCompletionRequest[FinetuningMessage].model_validate(sample)
        ids = tokenizer.encode_chat_completion(request).tokens
        special = {base.get_special_token(token.value): token.value for token in SpecialTokens}
        wanted = [special.get(token) or base.decode([token]) for token in ids]
        answers = [m["content"] for m in sample["messages"] if m["role"] == "assistant"]
        learned = "".join(text for text, learns in found if learns)
        whole = all("�" not in text for text, _ in found)
        if [text for text, _ in found] != wanted:
            problems.append((sample, "other tokens"))
        elif whole and learned != "".join(answer + "</s>" for answer in answers):
            problems.append((sample, learned))
    assert problems == []


def test_a_weight_of_0_takes_an_answer_out_of_the_loss(data):
    data.run("tokens", "loss")
    turns = [
        {"role": "user", "content": "Do you rent trailers?"},
        {"role": "assistant", "content": "No idea.", "weight": 0},
        {"role": "user", "content": "Could you look it up?"},
        {"role": "assistant", "content": "Yes, for children.", "weight": 1},
    ]
    learned = [t for t, learns in data.names["pieces"]({"messages": turns}) if learns]
    assert "".join(learned) == "Yes, for children.</s>"


def test_figures_follow_another_conversation_and_other_rates(data, monkeypatch):
    described = []
    monkeypatch.setattr(helpers, "show", lambda figure, words, table: described.append(words))
    order = list(data.cells)
    rest = [n for n in order[order.index("tokens") :] if not n.endswith("-yours") and n != "job"]
    shown = data.run(
        *rest,
        loss_one=("number = 4", "number = 11"),
        verdicts=('"trained": 0.70', '"trained": 0.30'),
        estimate=("epochs, tokens_per_step = 3,", "epochs, tokens_per_step = 6,"),
    )
    assert data.last_error is None, shown
    names = data.names
    learned = sum(learns for _, learns in names["pieces"](names["good"][11]))
    assert f" {learned} carry loss and are blue" in described[1]
    assert names["verdict"] in ("worse", "not distinguishable")
    assert "The true difference, -0.25, is dashed" in described[2]
    assert names["steps"] == -(-names["train_tokens"] * 6 // 4096)
    assert f"{names['train_tokens'] * 6:,} tokens" in shown


def test_own_verdicts_are_compared_with_a_right_interval(data):
    shown = data.run(
        "paired",
        "paired-all",
        paired_all=(
            "difference, low",
            "prompt_good, trained_good = [False] * 40, [True] * 30 + [False] * 10\ndifference, low",
        ),
    )
    assert data.last_error is None, shown
    names = data.names
    # The exact interval of a share of 30 in 40, by the normal rule, is 0.75 ± 0.13.
    assert names["difference"] == 0.75 and names["verdict"] == "better"
    assert abs(names["low"] - 0.616) < 0.03 and abs(names["high"] - 0.884) < 0.03


def test_stored_descriptions_agree_with_the_stored_tables():
    book = nbformat.read(ROOT / "notebooks" / f"{NAME}.ipynb", as_version=4)
    described = descriptions(book)
    assert tuple(described) == PLOTS
    words = r"The (\d+) tokens .* order\. (\d+) carry loss .* other (\d+) are grey"
    total, learned, read = map(int, re.search(words, described["loss-plot"]).groups())
    assert learned + read == total


def test_a_sample_without_a_learned_answer_is_described_as_such(data, monkeypatch):
    shown = []
    monkeypatch.setattr(
        helpers,
        "show",
        lambda figure, words, _: shown.append((figure.axes[0].get_title(loc="left"), words)),
    )
    data.run("tokens", "tokens-plot", "loss")
    edit = ("tokens = pieces", "good[number]['messages'][-1]['weight'] = 0\ntokens = pieces")
    data.run("loss-one", "loss-plot", loss_one=edit)
    assert data.last_error is None
    title, words = shown[-1]
    assert title.startswith("None of ") and " 0 carry loss" in words
    data.run("tokens", "tokens-plot", tokens=('"good.jsonl")', '"good.jsonl")[:1]'))
    assert data.last_error is None, "one good conversation is enough for the histogram"


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [([False], [True], "by so few"), ([0] * 20, [1] * 20, "is better")],
)
def test_few_verdicts_are_not_reported_as_a_finding(data, before, after, verdict):
    edit = ("difference, low", f"prompt_good, trained_good = {before}, {after}\ndifference, low")
    shown = data.run("paired", "paired-all", paired_all=edit)
    assert verdict in shown


@pytest.mark.parametrize("name", ["own-sharegpt", "validator"])
def test_a_snippet_takes_the_file_of_an_engineer(data, tmp_path, monkeypatch, capsys, name):
    monkeypatch.chdir(tmp_path)
    turns = [{"from": "human", "value": "Ouvert\u2028dimanche ?"}, {"from": "gpt", "value": "Non."}]
    finetuning.write([{"conversations": turns}] * 2, "sharegpt.jsonl")
    chat = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
    finetuning.write([chat, {"messages": chat["messages"][:1]}], "train.jsonl")
    exec(data.cells[name], {})
    if name == "validator":
        assert re.findall(r"^line \d+", capsys.readouterr().out, re.MULTILINE) == ["line 2"]
    else:
        report = finetuning.check("chat.jsonl")
        assert (report.lines, dict(report.counts)) == (2, {"duplicate": 1})


def test_another_system_prompt_and_context_change_every_count(data):
    order = list(data.cells)
    rest = order[order.index("convert") : order.index("leak") + 1]
    # Other tests run these with edits of their own, and nothing here reads what they find.
    own = ("near", "own", "own-sharegpt", "own-alpaca", "own-all")
    rest = [name for name in rest if not name.endswith("-yours") and name not in own]
    shown = data.run(
        *rest,
        convert=('SYSTEM = "You draft', 'SYSTEM = "Short. You draft'),
        check=("context=4096", "context=200"),
    )
    assert data.last_error is None, shown
    assert data.names["report"].counts["too long"] > 10
    assert all(s["messages"][0]["content"].startswith("Short.") for s in data.names["good"])
    assert f"{len(data.names['parts']['train'])} of {len(data.names['parts']['train'])}" in shown
