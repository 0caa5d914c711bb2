"""Nothing that is stored depends on today: prices and counts are those of a stated day."""

import json
import os
import re
import subprocess
import sys

import pytest

from helpers.costs import PRICE_DAY
from tests.model_ids import ROOT

CLOCK_AHEAD = ROOT / "tests" / "clock_ahead"
ASKS = re.compile(
    r"\b(?:datetime\.(?:now|utcnow|today)|date\.today"
    r"|time\.(?:time|time_ns|localtime|gmtime|ctime|strftime))\("
)
# The files that ask for the date or the time, and why no stored output depends on it.
ALLOWED = {
    # Printed where money is spent; a replay never prints it.
    "helpers/costs/prices.py": ["date.today("],
    # The day of a recording, which stands in the file.
    "helpers/replay/recorder.py": ["datetime.now("],
    # `created` of an answer of the offline API.
    "helpers/offline/bodies.py": ["time.time("],
    # Waiting, measured from one moment to the next.
    "helpers/transports/clock.py": ["time.time("],
}

SCRIPT = """
import json, httpx, helpers
from helpers.costs.meter import Call, summary
from helpers.costs.models import find_model
names = ["gemini-4-argon", "gemini-3.6-flash", "mistral-small-latest", "mistral-large-4"]
found = {name: str(helpers.price((1000, 1000), name)) for name in names}
aliases = ["mistral-small-latest", "mistral-medium-latest", "mistral-medium", "mistral-embed"]
found |= {f"tokens of {name}": str(helpers.count_tokens("hello", name)) for name in aliases}
call = Call(200, names[2], {"prompt_tokens": 1000, "completion_tokens": 1000}, "api.mistral.ai")
found["meter"] = summary([call], paid=True)
body = {"model": "mistral-small-latest", "messages": [{"role": "user", "content": "hello"}]}
request = httpx.Request("POST", "https://api.mistral.ai/v1/chat/completions", json=body)
found["budget"] = helpers.Budget(1).estimate(request)
print(json.dumps([__import__("datetime").date.today().isoformat(), found]))
"""


def run(path):
    env = {**os.environ, "PYTHONPATH": str(path)}
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=env)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_prices_counts_meter_and_budget_are_the_same_a_year_ahead(capsys):
    exec(SCRIPT, {})
    today, now = json.loads(capsys.readouterr().out)
    later, then = run(CLOCK_AHEAD)
    assert now == then
    assert int(later[:4]) > int(PRICE_DAY.isoformat()[:4]) and later >= today


def test_only_listed_files_of_helpers_ask_for_the_date():
    found = {}
    for path in ROOT.glob("helpers/**/*.py"):
        code = re.sub(r'"""[\s\S]*?"""|#.*', "", path.read_text("utf-8"))
        if asked := ASKS.findall(code):
            found[path.relative_to(ROOT).as_posix()] = asked
    assert found == ALLOWED
