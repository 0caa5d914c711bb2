"""Every error that the API has been seen to send is parsed, explained and classified."""

import httpx
import pytest

import helpers

VALIDATION = '[{"type":"extra_forbidden","loc":["body","%s"],"msg":"Extra inputs are not permitted","input":1}]'
HTML = '<!DOCTYPE html><html lang="en"><head><title>mistral.ai | 520: unknown error</title></head></html>'


def error(message, kind, code, status="null"):
    code = "null" if code is None else f'"{code}"'
    return (
        f'{{"object":"error","message":"{message}","type":"{kind}",'
        f'"param":null,"code":{code},"raw_status_code":{status}}}'
    )


# status, body, code, words of the message, words of the hint, retryable
SEEN = [
    (400, error("Invalid model: mistral-tiny", "invalid_model", 1500), "1500", "mistral-tiny", "2025-03-30", 0),
    (400, error("Invalid model: mistral-x", "invalid_model", 1500), "1500", "mistral-x", "No model has this", 0),
    (400, error("Invalid model: codestral-2405", "invalid_model", 1500), "1500", "codestral",
     "Its successor: codestral-2508 (Codestral).", 0),
    (400, error("Invalid model: codestral-2508", "invalid_model", 1500), "1500", "codestral", "exists", 0),
    (400, error("Unexpected role 'user' after role 'tool'", "invalid_request_message_order", 3230), "3230",
     "after role", "in this order", 0),
    (400, error("Expected last role User", "invalid_request_error", None), None, "last role", "in this order", 0),
    (400, error("Prompt contains 9 tokens, too large for model with 8 maximum context length",
                "invalid_request_invalid_args", 3051), "3051", "too large", "shorten", 0),
    (400, error("Prompt contains 9 tokens and max_tokens is 8, too large for model with 8 maximum context length",
                "invalid_request_invalid_args", 3051), "3051", "too large", "lower max_tokens", 0),
    (400, error("Too many inputs in request, split into more batches.", "invalid_request_prompt", 3210), "3210",
     "Too many inputs", "fewer", 0),
    (400, error("Too many tokens in batch. Max is 16384 got 17555", "invalid_request_error", None), None,
     "16384", "fewer", 0),
    (400, error("Logprobs are not enabled", "invalid_request_invalid_args", 3051), "3051", "Logprobs", "value", 0),
    (401, '{"detail":"Invalid API Key"}\n', None, "Invalid API Key", "MISTRAL_API_KEY", 0),
    (401, '{"detail":"Unauthorized"}', None, "Unauthorized", "MISTRAL_API_KEY", 0),
    (401, '{\n  "message":"Unauthorized",\n  "request_id":"1"\n}', None, "Unauthorized", "MISTRAL_API_KEY", 0),
    (403, error("This model is not available in your subscription tier", "tier_not_allowed", 1910), "1910",
     "subscription tier", "plan", 0),
    (403, '{"type":"labs_not_enabled","code":"1913"}', "1913", "labs_not_enabled", "administrator", 0),
    (404, '{"message":"no Route matched with those values","request_id":"1"}', None, "no Route", "path", 0),
    (404, '{"message":"Model devstral-medium-latest is deprecated."}', None, "is deprecated", "retired", 0),
    (400, error("top_p must be 1 when using greedy sampling.", "invalid_request_invalid_args", 3051), "3051",
     "greedy", "leave top_p out", 0),
    (404, '{"detail":"Not Found"}', None, "Not Found", "path", 0),
    (405, '{"detail":"Method Not Allowed"}', None, "Not Allowed", "GET", 0),
    (413, "", None, "an empty answer", "512 MB", 0),
    (422, f'{{"detail":{VALIDATION % "seed"}}}', None, "body.seed: Extra inputs", "random_seed", 0),
    (422, f'{{"detail":{VALIDATION % "max_completion_tokens"}}}', None, "Extra", "is max_tokens", 0),
    (422, f'{{"object":"error","message":{{"detail":{VALIDATION % "stream_options"}}},"code":null}}', None,
     "body.stream_options", "spelling", 0),
    (422, f'{{"object":"Error","detail":{VALIDATION % "tools"},"message":{VALIDATION % "tools"},"code":3001}}',
     "3001", "body.tools", "spelling", 0),
    (422, '{"detail":"Model not available for this type of fine-tuning (completion)."}', None, "fine-tuning",
     "message says which", 0),
    (422, '{"detail":[{"type":"string_type","loc":["body","messages",0,"user","content","str"],"msg":"Input"}]}',
     None, "body.messages.0.user.content.str: Input", "wrong type", 0),
    (429, error("Rate limit exceeded", "rate_limited", 1300), "1300", "Rate limit", "growing pauses", 1),
    (429, '{"message":"Requests rate limit exceeded"}', None, "Requests rate", "growing pauses", 1),
    (429, error("Service tier capacity exceeded for this model.", "service_tier_capacity_exceeded", 3505), "3505",
     "capacity", "busy for everybody", 1),
    (500, error("Service unavailable.", "internal_server_error", 1000), "1000", "Service", "shorten", 1),
    (502, "", None, "an empty answer (Bad Gateway)", "gateway", 1),
    (503, error("Internal server error", "unreachable_backend", 1100), "1100", "Internal", "overloaded", 1),
    (504, "", None, "an empty answer (Gateway Timeout)", "too long", 1),
    (504, "<html><body>timeout</body></html>", None, "not a valid API response: <html>", "too long", 1),
    (520, HTML, None, "a web page: mistral.ai | 520: unknown error", "retry", 1),
    (422, '{"detail":[{"msg":"odd","loc":"body"},{"msg":"odder","loc":5}]}', None, "5: odder", "wrong", 0),
    (418, "[]", None, "not a valid API response: []", "no further details", 0),
    (200, HTML, None, "a web page", "proxy", 0),
    (200, "{}", None, "not a valid API response: {}", "proxy", 0),
]  # fmt: skip

ASK = {
    "chat": lambda client: helpers.chat("Hello", client=client),
    "stream": lambda client: list(helpers.stream("Hello", client=client)),
    "embed": lambda client: helpers.embed("Hello", client=client),
}


def client(status, body, headers=None):
    headers = {"content-type": "application/json"} | (headers or {})
    answer = lambda _: httpx.Response(status, headers=headers, content=body.encode())  # noqa: E731
    return httpx.Client(base_url="https://api.mistral.ai/v1", transport=httpx.MockTransport(answer))


@pytest.mark.parametrize("ask", ASK)
@pytest.mark.parametrize(
    ("status", "body", "code", "words", "hint", "retryable"),
    SEEN,
    ids=[f"{number}-{row[0]}" for number, row in enumerate(SEEN)],
)
def test_every_error_seen_is_parsed_and_explained(ask, status, body, code, words, hint, retryable):
    with pytest.raises(helpers.APIError) as caught:
        ASK[ask](client(status, body))
    error = caught.value
    assert (error.status, error.code, error.retryable) == (status, code, bool(retryable))
    assert words in error.message
    assert hint in error.hint
    assert str(error).startswith(str(status))
    assert error.message in str(error)
    assert str(error).endswith(f"Hint: {error.hint}")
    assert repr(error).startswith(f"APIError(status={status}, code={code!r}")


def model_error(ask, name):
    with pytest.raises(helpers.APIError) as caught:
        ASK[ask](client(400, error(f"Invalid model: {name}", "invalid_model", 1500)))
    return caught.value


def test_hint_about_a_retired_model_names_a_successor_only_where_one_lives():
    assert model_error("chat", "glm-5-2").hint == (
        "glm-5-2 (Z.ai GLM 5.2) was retired on 2026-10-31."
    )


def test_hint_tells_embedding_models_from_chat_models():
    for ask, name, other in (
        ("chat", "mistral-embed", "no chat model"),
        ("stream", "codestral-embed", "no chat model"),
        ("embed", "mistral-small-latest", "no embedding model"),
    ):
        assert other in model_error(ask, name).hint
    assert "access" in model_error("embed", "mistral-embed").hint
    assert "access" in model_error("chat", "mistral-small-latest").hint


def test_text_that_the_body_repeats_is_shown_once():
    body = f'{{"detail":{VALIDATION % "tools"},"message":{VALIDATION % "tools"}}}'
    with pytest.raises(helpers.APIError) as caught:
        helpers.chat("Hello", client=client(422, body))
    assert caught.value.message == "body.tools: Extra inputs are not permitted"


def test_limit_of_zero_is_not_retryable():
    body = error("Rate limit exceeded", "rate_limited", 1300)
    with pytest.raises(helpers.APIError) as caught:
        helpers.chat("Hello", client=client(429, body, {"x-ratelimit-limit-req-minute": "0"}))
    assert caught.value.retryable is False
    assert "another model" in caught.value.hint
    with pytest.raises(helpers.APIError) as caught:
        helpers.chat("Hello", client=client(503, "", {"x-ratelimit-limit-req-minute": "0"}))
    assert caught.value.retryable is True, "only of a 429 is it the reason"


def test_api_error_is_an_httpx_error_with_its_response():
    with pytest.raises(httpx.HTTPStatusError) as caught:
        helpers.chat("Hello", client=client(401, "{}", {"mistral-correlation-id": "7"}))
    assert caught.value.response.headers["mistral-correlation-id"] == "7"
    assert caught.value.request.method == "POST"


@pytest.mark.parametrize("before", range(160, 210, 10))
def test_key_that_a_page_repeats_is_not_shown_even_in_part(monkeypatch, before):
    key = "Zq3vN8sK1xT5bW7yR2mC9dF4gH6jL0pA"
    monkeypatch.setenv("MISTRAL_API_KEY", key)
    with pytest.raises(helpers.APIError) as caught:
        helpers.chat("Hello", client=client(502, "-" * before + key))
    assert key[:3] not in str(caught.value)
