"""A Budget beside a strict model of it, in all orders of opening, ending and refusing that come up."""

import json

import httpx
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from helpers.costs.budget import Budget, BudgetExceeded

URL = "https://api.mistral.ai/v1/chat/completions"
IN = 16 * 0.15 / 1e6  # the tokens of "hello" with mistral-small-latest, in US dollars
OUT = 0.6 / 1e6
LIMIT = 0.003
outcomes = st.sampled_from(["usage", "usage", "no usage", "left early", "cut"])


class Stream(httpx.SyncByteStream):
    def __init__(self, tokens, outcome):
        self.tokens, self.outcome = tokens, outcome

    def __iter__(self):
        yield b'data: {"choices": []}\n\n'
        if self.outcome == "cut":
            raise httpx.ReadError("cut")
        if self.outcome == "usage":
            usage = {"prompt_tokens": 16, "completion_tokens": self.tokens}
            yield f"data: {json.dumps({'choices': [], 'usage': usage})}\n\n".encode()
        yield b"data: [DONE]\n\n"


class Machine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.next = None
        self.budget = Budget(LIMIT, httpx.MockTransport(lambda request: self.next))
        self.client = httpx.Client(transport=self.budget)
        self.under_way = []
        self.spent = 0.0

    def teardown(self):
        for response, *_ in self.under_way:
            response.close()
        self.client.close()

    @property
    def held(self):
        return sum(estimate for _, estimate, _ in self.under_way)

    @rule(most=st.integers(1, 2000), share=st.floats(0, 1), outcome=outcomes)
    def ask(self, most, share, outcome):
        """A stream begins, if it fits beside all that is spent and held."""
        # A usage without output is not believed.
        estimate, tokens = IN + most * OUT, max(1, int(most * share))
        cost = IN + tokens * OUT if outcome == "usage" else estimate
        stream = Stream(tokens, outcome)
        self.next = httpx.Response(
            200, headers={"content-type": "text/event-stream"}, stream=stream
        )
        message = {"role": "user", "content": "hello"}
        body = {"model": "mistral-small-latest", "messages": [message], "max_tokens": most}
        request = self.client.build_request("POST", URL, json={**body, "stream": True})
        # Within rounding, either is right.
        room = LIMIT - self.spent - self.held - estimate
        try:
            response = self.client.send(request, stream=True)
        except BudgetExceeded as refused:
            assert room < 1e-12
            assert refused.estimate == pytest.approx(estimate)
            return
        assert room > -1e-12
        self.under_way.append((response, estimate, (outcome, cost)))

    @rule(status=st.sampled_from([400, 429, 500]), most=st.integers(1, 200))
    def be_refused(self, status, most):
        """An error costs nothing."""
        self.next = httpx.Response(status, json={"message": "no"})
        message = {"role": "user", "content": "hello"}
        body = {"model": "mistral-small-latest", "messages": [message], "max_tokens": most}
        try:
            assert self.client.post(URL, json=body).status_code == status
        except BudgetExceeded:
            assert LIMIT - self.spent - self.held - IN - most * OUT < 1e-12

    @precondition(lambda self: self.under_way)
    @rule(data=st.data())
    def end(self, data):
        """One of the streams under way ends, in its way."""
        place = data.draw(st.integers(0, len(self.under_way) - 1))
        response, _, (outcome, cost) = self.under_way.pop(place)
        if outcome == "left early":
            response.close()
        elif outcome == "cut":
            with pytest.raises(httpx.ReadError):
                response.read()
            # As `with client.stream(…)` does; until then, the estimate is held.
            response.close()
        else:
            response.read()
        self.spent += cost

    @invariant()
    def agree(self):
        assert self.budget.spent == pytest.approx(self.spent, abs=1e-12)
        assert self.budget.reserved == pytest.approx(self.held, abs=1e-12)
        assert self.budget.spent + self.budget.reserved <= LIMIT + 1e-12


TestBudgetMachine = Machine.TestCase
TestBudgetMachine.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestBudgetMachine.pytestmark = [pytest.mark.slow]
