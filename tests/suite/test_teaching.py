"""TEACHING.md is true: its commands and files exist, and its table follows from the recordings."""

import json
import math
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
TEXT = (ROOT / "TEACHING.md").read_text("utf-8")
LEARNERS, REQUESTS, TOKENS = 30, 100, 100_000
MARK = "<!-- pacing: tests/suite/test_teaching.py -->"


def used_by(path):
    """(requests, tokens) of a lesson's recorded calls that the API would count."""
    requests = tokens = 0
    for item in json.loads(path.read_text("utf-8"))["recordings"]:
        response = item["response"]
        if response["status"] != 200 or item["request"]["method"] != "POST":
            continue
        ends = [event["data"] for event in response.get("events", [])]
        bodies = [response.get("body") or {}, *(end for end in ends if isinstance(end, dict))]
        usages = [body["usage"] for body in bodies if body.get("usage")]
        requests += 1
        tokens += usages[-1]["total_tokens"] if usages else 0
    return requests, tokens


def pacing():
    """The table of TEACHING.md."""
    lines = [
        f"| lesson | requests | tokens | {LEARNERS} learners need at least |",
        "|---|---|---|---|",
    ]
    for path in sorted((ROOT / "data" / "recordings").glob("*.json")):
        requests, tokens = used_by(path)
        minutes = math.ceil(max(requests / REQUESTS, tokens / TOKENS) * LEARNERS)
        if requests:
            lines.append(f"| {path.stem[:2]} | {requests} | {tokens:,} | {minutes} min |")
    return "\n".join(lines)


def test_the_table_of_pacing_follows_from_the_recordings():
    table = TEXT.partition(MARK)[2].strip().partition("\n\n")[0]
    assert table == pacing(), f"should be:\n{pacing()}"


def test_the_files_that_it_names_exist():
    linked = re.findall(r"\]\(([^)#]+)", TEXT)
    assert linked
    assert [link for link in linked if not (ROOT / link).exists()] == []


def test_the_sections_that_the_hour_uses_are_in_their_lesson():
    text = (ROOT / "notebooks" / "02_first_call.ipynb").read_text("utf-8")
    hour = TEXT.partition("| minute | what |")[2].partition("**Half a day")[0]
    quoted = re.findall(r"\"([A-Z][^\"]+)\"", hour)
    assert len(quoted) >= 5
    assert [title for title in quoted if f"## {title}" not in text] == []


def test_the_minutes_of_the_agendas_add_up():
    problems = []
    for name in ("Half a day", "A day"):
        agenda = TEXT.partition(f"**{name}")[2].partition("\n\n")[0]
        stated = int(re.search(r"(\d+) minutes", agenda)[1])
        parts = [int(part) for part in re.findall(r"\((\d+)\)", agenda)]
        problems += [name] if sum(parts) != stated or len(parts) < 5 else []
        for lesson, minutes in re.findall(r"\b(\d\d) \((\d+)\)", agenda):
            problems += [lesson] if int(minutes) != minutes_of(lesson) else []
    assert problems == []
    # The two groups of the afternoon have the same time.
    assert max(minutes_of("08"), minutes_of("11")) <= 95


def minutes_of(lesson):
    """The minutes in the first cell of a lesson."""
    (path,) = (ROOT / "notebooks").glob(f"{lesson}_*.ipynb")
    return int(re.search(r"\*\*(\d+) minutes", path.read_text("utf-8"))[1])
