"""Answers that are not recorded come at a stream's pace, which the search for them doesn't lengthen."""

from types import SimpleNamespace

import httpx
import pytest

from helpers.replay import player
from helpers.replay.player import Player
from helpers.replay.recordings import Recordings

ASK = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}


class Written:
    """Answers everything with as many tokens as it may, after a while: a stream takes 0.1 s a token."""

    def __init__(self, search):
        self.search = search

    def answer(self, request):
        self.search()
        usage = {"completion_tokens": request["body"].get("max_tokens", 4)}
        response = {"status": 200, "headers": {}}
        if not request["body"].get("stream"):
            return {**response, "body": {"usage": usage}}
        at = usage["completion_tokens"] / 10
        return {
            **response,
            "events": [
                {"at": 0.1, "data": {}},
                {"at": at, "data": {"usage": usage}},
                {"at": at, "data": "[DONE]"},
            ],
        }

    def menu(self, request):
        return []


@pytest.fixture
def seconds(tmp_path, monkeypatch):
    """How long answers take by a made-up clock, one request after the other, from one player."""
    clock = [0.0]

    def sleep(seconds):
        clock[0] += seconds

    monkeypatch.setattr(player, "time", SimpleNamespace(monotonic=lambda: clock[0], sleep=sleep))

    def measure(*bodies, pace=1, takes=0.0):
        source = Player(Recordings(tmp_path / "lesson.json"), pace, Written(lambda: sleep(takes)))
        found = []
        for body in bodies:
            began = clock[0]
            request = httpx.Request("POST", "https://api.mistral.ai/v1/chat/completions", json=body)
            source.answer(httpx, request).read()
            found.append(round(clock[0] - began, 3))
        return found

    return measure


def test_a_whole_answer_takes_as_long_as_the_stream_before_it(seconds):
    stream, other = {**ASK, "stream": True}, {**ASK, "temperature": 0}
    assert seconds(ASK, stream, ASK, other, {**ASK, "max_tokens": 2}) == [0, 0.4, 0.4, 0.4, 0.2]


def test_nothing_is_held_back_without_a_pace(seconds):
    assert seconds({**ASK, "stream": True}, ASK, pace=0) == [0, 0]


def test_the_search_for_an_answer_is_a_part_of_its_pace(seconds):
    assert seconds({**ASK, "stream": True}, takes=0.3) == [0.4]
