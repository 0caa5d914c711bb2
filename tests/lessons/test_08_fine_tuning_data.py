"""Lesson 08, edited as its text invites."""

import importlib.resources
import json
import re
from pathlib import Path
from statistics import NormalDist

import nbformat
import pytest
from exercises.lesson_08 import LINES, REASONS
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


OWN = ("own", "own-sharegpt", "own-alpaca", "own-all")


def test_lines_that_no_converter_can_read_are_named(data, tmp_path):
    own = tmp_path / "mine.jsonl"
    ask, answer = {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}
    lines = [
        {"instruction": "Answer.", "output": "Yes."},
        {"conversations": [ask, answer]},
        {"conversations": [{"from": "human", "value": "a"}, {"from": "bard", "value": "b"}]},
        {"chosen": "Yes.", "rejected": "No."},
        {"prompt": [ask], "chosen": [answer], "rejected": [answer]},
        {"instruction": 5},
        ["conversations"],
        7,
    ]
    finetuning.write(lines, own)
    shown = data.run(*OWN, own=('own = folder / "others.jsonl"', f"own = {str(own)!r}"))
    assert data.last_error is None, shown
    assert "[2, 3, 4, 5, 6, 7, 8]" in shown and "1 of 1 lines are good" in shown


def test_a_broken_line_of_another_format_is_to_be_corrected(data, tmp_path):
    own = tmp_path / "mine.jsonl"
    own.write_text('{"instruction": "a", "output": "b"}\n{broken\n', "utf-8")
    data.run(*OWN, own=('own = folder / "others.jsonl"', f"own = {str(own)!r}"))
    assert re.search("Line 2 .*: correct or delete that line", str(data.last_error))


def test_the_limit_for_near_duplicates_is_followed(data):
    for near, found in ((0.5, 12), (0.95, 0)):
        shown = data.run("near", near=("near = 0.7", f"near = {near}"))
        assert data.last_error is None, shown
        planted = int(re.search(rf"near={near}: (\d+) of 12", shown)[1])
        assert planted >= found if near == 0.5 else planted <= 3
    data.run("near", near=("near = 0.7", "near = 0.3"))
    assert "give 0.5 to 1" in str(data.last_error)


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
        sizes=('"trained": 0.70', '"trained": 0.55'),
    )
    assert data.last_error is None, shown
    names = data.names
    learned = sum(learns for _, learns in names["pieces"](names["good"][11]))
    assert f" {learned} carry loss and are blue" in described[1]
    assert names["verdict"] in ("worse", "not distinguishable")
    assert "0.55 and 0.55" in described[2] and names["finding"] == "No size has 80% that"
    assert (names["sizes"]["excludes 0"] < 0.2).all(), "where there is no difference to find"
    assert names["steps"] == -(-names["train_tokens"] * 6 // 4096)
    assert f"{names['train_tokens'] * 6:,} tokens" in shown


def test_own_verdicts_in_place_of_the_cell_run_to_the_end(data, monkeypatch):
    described = []
    monkeypatch.setattr(helpers, "show", lambda figure, words, table: described.append(words))
    data.names.pop("size", None), data.names.pop("rates", None)
    shown = data.run(
        *("split", "tokens-plot", "verdicts", "paired", "paired-all", "sizes", "sizes-plot"),
        verdicts="prompt_good = [True, False] * 12\ntrained_good = [True] * 20 + [False] * 4",
    )
    assert data.last_error is None, shown
    assert f"{10 / 24 - 2 / 24:+.2f}" in shown
    assert described[-1].startswith("Simulated: ")


def test_sizes_count_how_often_the_interval_excludes_0(data):
    data.run("tokens-plot", "paired", "sizes")
    assert data.last_error is None
    # By the normal rule: the variance of one step is 0.55 * 0.45 + 0.7 * 0.3.
    for count, row in data.names["sizes"].iterrows():
        deviation = (0.4575 / count) ** 0.5
        power = 1 - NormalDist(0.15, deviation).cdf(1.96 * deviation)
        assert abs(row["excludes 0"] - power) < 0.12
        assert abs(row["mean width"] / (2 * 1.96 * deviation) - 1) < 0.1


@pytest.mark.parametrize("cell", ["verdicts", "sizes"])
def test_rates_in_percent_are_refused(data, cell):
    data.run("split", "tokens-plot", "paired", cell, **{cell: ('"trained": 0.70', '"trained": 70')})
    assert "p > 1" in str(data.last_error)


def test_the_same_answer_for_all_wins_or_nearly_ties(data):
    """With seed 1 it is furthest behind, of the seeds 0 to 19."""
    shown = data.run("tokens-plot", "split", "metric", split=("seed=7", "seed=1"))
    found = dict(re.findall(r"^([a-z ]+): (0\.\d+)$", shown, re.MULTILINE))
    assert float(found["same for all"]) > float(found["nearest"]) - 0.04


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
    with Path("sharegpt.jsonl").open("a", encoding="utf-8") as file:
        file.write("\n \n")
    chat = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
    finetuning.write([chat, {"messages": chat["messages"][:1]}], "train.jsonl")
    exec(data.cells[name], {})
    if name == "validator":
        assert re.findall(r"^line \d+", capsys.readouterr().out, re.MULTILINE) == ["line 2"]
    else:
        report = finetuning.check("chat.jsonl")
        assert (report.lines, dict(report.counts)) == (2, {"duplicate": 1})


def test_a_file_that_is_not_there_is_not_mistaken_for_the_example(
    data, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    snippet = data.cells["validator"]
    exec(snippet.replace("train.jsonl", "trian.jsonl"), {})
    assert "trian.jsonl isn't there. An example:" in capsys.readouterr().out
    finetuning.write([{"messages": [{"role": "bard"}, {"role": "user"}]}], "mine.jsonl")
    exec(snippet.replace("train.jsonl", "mine.jsonl"), {})
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2, "the first problem only"
    assert lines[0] == "mine.jsonl:" and lines[1].startswith("line 1: ValidationError: ")


def test_mistrals_validator_passes_what_the_lesson_says(data, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    ask, answer = {"role": "user", "content": "a"}, {"role": "assistant", "content": ""}
    unlearned = {"role": "assistant", "content": "b", "weight": 0}
    finetuning.write([{"messages": [ask, last]} for last in (answer, unlearned)], "train.jsonl")
    exec(data.cells["validator"], {})
    assert capsys.readouterr().out == "train.jsonl:\n"
    assert finetuning.check("train.jsonl").good == 0


def test_notes_on_an_own_file_are_shown(data, tmp_path):
    own = tmp_path / "mine.json"
    own.write_text(json.dumps([{"messages": []}] * 2, indent=1), "utf-8")
    shown = data.run("own", own=('own = folder / "others.jsonl"', f"own = {str(own)!r}"))
    assert data.last_error is None, shown
    notes = finetuning.check(own).notes
    assert notes and all(note in shown for note in notes)


def test_own_lines_keep_their_own_system_prompt(data):
    data.run("own-alpaca")
    alpaca, preference = data.names["from_alpaca"], data.names["from_preference"]
    for convert, line in (
        (alpaca, {"instruction": "a", "output": "b"}),
        (preference, {"prompt": "a", "chosen": "b", "rejected": "c"}),
    ):
        roles = [message["role"] for message in convert(line)["messages"]]
        assert roles == ["user", "assistant"]
        first = convert(line | {"system": "Be brief."})["messages"][0]
        assert first == {"role": "system", "content": "Be brief."}


def test_rows_swapped_back_stay_so_when_the_cell_runs_again(data):
    data.run("drop-swap")
    once = data.names["kept"]
    data.run("drop-swap")
    assert data.names["kept"].equals(once)


def test_no_good_line_is_reported_in_a_sentence(data):
    empty = data.names["folder"] / "none.jsonl"
    empty.write_text("", "utf-8")
    data.run("tokens", tokens=('"good.jsonl"', '"none.jsonl"'))
    assert str(data.last_error).startswith("No line is good.")


def test_a_text_that_is_only_partly_misread_stays_whole(data):
    data.run("fix")
    assert data.names["mend"]("gÃ¼ltig") == "gültig"
    assert data.names["mend"]("gÃ¼ltig, 日本, é") == "gÃ¼ltig, 日本, é"


def test_each_part_is_searched_for_leaks(data):
    asked = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    data.names["parts"] = {name: [{"messages": asked}] for name in ("train", "validation", "test")}
    shown = data.run("leak")
    assert data.last_error is None, shown
    assert shown.count("0 of 1 lines are good") == 2


def test_shares_are_compared_as_verdicts_are(data):
    data.run("paired")
    assert data.names["compare"]([0.4] * 40, [0.9] * 40) == pytest.approx((0.5, 0.5, 0.5))


def test_the_sharegpt_snippet_keeps_a_system_prompt_and_refuses_what_it_does_not_know(
    data, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    ask = {"from": "human", "value": "a"}
    line = {"system": "Be short.", "conversations": [ask, {"from": "gpt", "value": "b"}]}
    finetuning.write([line], "sharegpt.jsonl")
    exec(data.cells["own-sharegpt"], {})
    roles = [message["role"] for message in finetuning.read("chat.jsonl")[0]["messages"]]
    assert roles == ["system", "user", "assistant"]
    before = Path("chat.jsonl").read_bytes()
    other = {"conversations": [ask, {"from": "bard", "value": "b"}]}
    finetuning.write([line, other], "sharegpt.jsonl")
    with pytest.raises(ValueError, match=r"line 2: .*bard"):
        exec(data.cells["own-sharegpt"], {})
    Path("sharegpt.jsonl").write_text(json.dumps([line]), "utf-8")
    with pytest.raises(ValueError, match=r"line 1: .*list"):
        exec(data.cells["own-sharegpt"], {})
    assert Path("chat.jsonl").read_bytes() == before, "no half file"


def test_the_lines_to_predict_are_what_check_reports(tmp_path):
    turns = {"hi": {"role": "user", "content": "Hi"}, "bye": {"role": "assistant", "content": "B"}}
    file: list[str] = []
    for line in LINES:
        text, _, again = line.partition(", which is the ")
        for name, turn in turns.items():
            text = re.sub(rf"\b{name}\b", json.dumps(turn), text)
        if again:
            text = file[{"first line once more": 0, "line before once more": -1}[again]]
        file.append(text)
    path = tmp_path / "data.jsonl"
    path.write_text("\n".join(file), "utf-8")
    found = {problem.line: problem.reason for problem in finetuning.check(path).problems}
    assert tuple(map(found.get, range(1, 6))) == REASONS


def test_no_system_prompt_leaves_out_its_message():
    with in_notebooks():
        lesson = Lesson(NAME)
        edit = re.search(r"SYSTEM = .*", lesson.cells["convert"])[0]
        order = list(lesson.cells)
        to_run = [n for n in order[: order.index("split") + 1] if n not in (*OWN, "loss-plot")]
        shown = lesson.run(*to_run, convert=(edit, 'SYSTEM = ""'))
        assert lesson.last_error is None, shown
        assert len(lesson.names["good"]) == 329
        assert lesson.names["good"][0]["messages"][0]["role"] == "user"
        assert "65 Do children have to wear a helmet with you? | Hello, yes" in shown


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
