"""What a lesson asks is recorded, comes from the written answers, and is what its last line adds up to."""

import httpx
import nbformat
import pytest

import helpers
from helpers.replay import seam
from helpers.replay.recordings import Recording, Recordings
from tests.lessons.calls import LESSONS
from tests.model_ids import ROWS
from tests.tools import record
from tests.tools.record import NOTEBOOKS, RECORDINGS

each = pytest.mark.parametrize("lesson", LESSONS)
pytestmark = pytest.mark.slow


def recorded_calls(calls):
    """The calls that are made also while a lesson is recorded."""
    return [call for call in calls if "replay-only" not in call.tags]


@each
def test_recording_the_calls_again_gives_the_stored_file(lesson, calls_of, tmp_path, monkeypatch):
    """So every stand-in comes from data/stand_ins, and none was written by hand."""
    path = RECORDINGS / f"{lesson}.json"
    if any(item["origin"] != "stand-in" for item in Recordings.load(path)):
        pytest.skip("recorded from the API")
    calls = recorded_calls(calls_of(lesson))
    monkeypatch.setattr(seam, "clock", seam.clock)
    monkeypatch.setenv("MISTRAL_RECORDINGS", str(tmp_path))
    monkeypatch.setenv("MISTRAL_API_KEY", record.KEY)
    exec(record.SETUP.format(lesson=lesson), {})
    helpers.start(lesson, mode="record")
    with httpx.Client() as client:
        for call in calls:
            client.send(call.to_httpx(record.KEY))
    # In any order: requests at the same time are recorded as their answers come.
    again = [
        sorted(item.text for item in items_of(found)) for found in (tmp_path / path.name, path)
    ]
    assert again[0] == again[1]


def items_of(path):
    return [Recording(item) for item in Recordings.load(path)]


@each
def test_every_recording_answers_a_call(lesson, calls_of):
    recordings = Recordings.load(RECORDINGS / f"{lesson}.json")
    found = [recordings.find(call.request) for call in recorded_calls(calls_of(lesson))]
    answered = {id(recording.item) for recording in found}
    assert [item["request"] for item in recordings if id(item) not in answered] == []


@each
def test_the_meter_line_is_the_sum_of_the_answers(lesson, calls_of):
    """Added up here from the usage in each answer and data/models.csv, not by the meter."""
    calls = calls_of(lesson)
    used = out = usd = eur = unknown = 0
    dates = set()
    for call in calls:
        model = (call.request["body"] or {}).get("model")
        bodies = [event["data"] for event in call.answer.get("events", [])]
        bodies = bodies or [call.answer.get("body")]
        usages = [body["usage"] for body in bodies if isinstance(body, dict) and body.get("usage")]
        unknown += model is not None and call.status == 200 and not usages
        for usage in usages[-1:]:
            (row,) = (r for r in ROWS if model in (r["id"], *r["aliases"].split()))
            dates.add(row["as_of"])
            into, of = usage["prompt_tokens"], usage["completion_tokens"]
            used, out = used + into, out + of
            usd += into * float(row["usd_per_million_input"]) / 1e6
            usd += of * float(row["usd_per_million_output"] or 0) / 1e6
            eur += into * float(row["eur_per_million_input"]) / 1e6
            eur += of * float(row["eur_per_million_output"] or 0) / 1e6
    line = f"{len(calls)} call{'s' * (len(calls) != 1)}, {used:,} tokens in, {out:,} out."
    if usd:
        digits = 4 if usd >= 0.01 else 6
        line += f" Live: ${usd:.{digits}f} or €{eur:.{digits}f}, at the prices of {min(dates)}."
    line += f" The price of {unknown} is not known." if unknown else ""
    last = nbformat.read(NOTEBOOKS / f"{lesson}.ipynb", as_version=4).cells[-1]
    assert last.source == "helpers.meter()"
    assert last.outputs[0].text == f"{line} This replay cost nothing.\n"
