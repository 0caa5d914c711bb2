"""A whole answer takes as long as its stream, where both are recorded; others come at once."""

from helpers.replay.recordings import Recordings

ASK = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}
EVENTS = [{"at": 0.3, "data": {}}, {"at": 0.6, "data": "[DONE]"}]


def item(asked, **response):
    request = {"method": "POST", "path": "/v1/chat/completions", "body": asked}
    answer = {"status": 200, "headers": {}, **response}
    return {"origin": "x", "recorded": "2026-11-24", "request": request, "response": answer}


def test_a_whole_answer_takes_as_long_as_its_stream(tmp_path):
    other = {**ASK, "temperature": 0}
    recordings = Recordings(
        tmp_path / "lesson.json",
        [item(ASK, body={}), item({**ASK, "stream": True}, events=EVENTS), item(other, body={})],
    )
    found = [recordings.find(item(body)["request"]).pieces for body in (ASK, other)]
    assert found == [[(0.6, b"{}")], [(0, b"{}")]]
