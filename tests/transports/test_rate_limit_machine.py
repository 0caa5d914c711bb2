"""A RateLimit beside a strict model of it: asking, answering, failing and leaving, in any order that comes up."""

import math

import httpx
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from helpers.transports import FakeClock, RateLimit

URL = "https://api.mistral.ai/v1/chat/completions"
REQUESTS, TOKENS = 4, 1000


class Asked:
    """One request: `due` is when it looks again, `ended` when its answer began, or it failed."""

    def __init__(self, flow, size, most, model):
        self.flow, self.model = flow, model
        self.due, self.sent, self.ended = 0.0, None, math.inf
        self.cost = math.ceil(size / 4) + most  # the estimate, until an answer has come


class Machine(RuleBasedStateMachine):
    learns = False  # whether the limits come from headers

    def __init__(self):
        super().__init__()
        self.clock = FakeClock()
        own = {} if self.learns else {"requests_per_minute": REQUESTS, "tokens_per_minute": TOKENS}
        self.limiter = RateLimit(httpx.MockTransport(lambda _: None), clock=self.clock, **own)
        self.waiting, self.under_way, self.ended = [], [], []
        self.known = set() if self.learns else {"a", "b"}

    def look(self, asked, result=None):
        """Let a request go on with this result, until it waits or is sent."""
        step = (
            asked.flow.throw(result) if isinstance(result, Exception) else asked.flow.send(result)
        )
        if isinstance(step, httpx.Request):
            asked.sent = self.clock.time
            self.waiting.remove(asked)
            self.under_way.append(asked)
            self.check_limits(asked.model)
        else:
            assert 0 < step <= 60
            asked.due = self.clock.time + step

    def check_limits(self, model):
        """They hold also where the server counts a request as early or as late as it can."""
        counted = [a for a in self.under_way + self.ended if a.model == model]
        counted = [a for a in counted if a.ended > self.clock.time - 60]
        if model in self.known:
            assert len(counted) <= REQUESTS
            assert sum(a.cost for a in counted) <= TOKENS
        else:
            assert sum(a.model == model for a in self.under_way) == 1

    @rule(model=st.sampled_from("aab"), most=st.integers(1, TOKENS - 100))
    def ask(self, model, most):
        body = {"model": model, "messages": [], "max_tokens": most}
        request = httpx.Request("POST", URL, json=body)
        asked = Asked(self.limiter.flow(request), len(request.content), most, model)
        self.waiting.append(asked)
        self.look(asked)

    @precondition(lambda self: self.waiting)
    @rule(seconds=st.floats(0, 70))
    def later(self, seconds):
        """Whoever is due by then looks again, each in its moment."""
        # Until the first answer, they look many times a second.
        known = self.known >= {asked.model for asked in self.waiting}
        end = self.clock.time + (seconds if known else seconds / 20)
        while self.waiting and (first := min(self.waiting, key=lambda a: a.due)).due <= end:
            self.clock.time = max(self.clock.time, first.due)
            self.look(first)
        self.clock.time = end

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), status=st.sampled_from([200, 200, 200, 429, 500, None]))
    def answer(self, data, status):
        """One of the requests under way gets its answer, or ends in a broken connection."""
        asked = self.under_way.pop(data.draw(st.integers(0, len(self.under_way) - 1)))
        asked.ended = self.clock.time
        self.ended.append(asked)
        if status is None:
            with pytest.raises(httpx.ReadError):
                self.look(asked, httpx.ReadError("gone"))
            return
        headers = {}
        if status == 200:
            asked.cost = data.draw(st.integers(1, asked.cost), label="cost")
            headers["x-ratelimit-tokens-query-cost"] = str(asked.cost)
            headers["x-ratelimit-limit-req-minute"] = str(REQUESTS)
            headers["x-ratelimit-limit-tokens-minute"] = str(TOKENS)
            self.known.add(asked.model)
        else:
            asked.cost = 0
        with pytest.raises(StopIteration) as end:
            self.look(asked, httpx.Response(status, headers=headers))
        assert end.value.value.extensions["held_back"] <= asked.sent

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def leave(self, data):
        """Nobody waits any longer for one of the requests."""
        asked = self.waiting.pop(data.draw(st.integers(0, len(self.waiting) - 1)))
        asked.flow.close()

    def teardown(self):
        """All that still wait are sent, if those before them get their answers."""
        for _ in range(10 + len(self.waiting)):
            for asked in [*self.under_way]:
                self.under_way.remove(asked)
                asked.ended = self.clock.time
                self.ended.append(asked)
                self.known.add(asked.model)
                headers = {"x-ratelimit-limit-req-minute": str(REQUESTS)}
                headers["x-ratelimit-limit-tokens-minute"] = str(TOKENS)
                with pytest.raises(StopIteration):
                    self.look(asked, httpx.Response(200, headers=headers))
            if not self.waiting:
                return
            for _ in range(20):
                self.later(4.0)
        raise AssertionError(f"{len(self.waiting)} requests are never sent")


class Learning(Machine):
    learns = True


options = settings(max_examples=50, stateful_step_count=30, deadline=None)
TestLimitsMachine, TestLearningMachine = Machine.TestCase, Learning.TestCase
TestLimitsMachine.settings = TestLearningMachine.settings = options
TestLimitsMachine.pytestmark = TestLearningMachine.pytestmark = [pytest.mark.slow]
