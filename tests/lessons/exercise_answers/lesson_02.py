"""Right and wrong answers to lesson 02's exercises."""

import helpers
from tests.lessons.solutions import Answers

BODY = {
    "model": "mistral-small-latest",
    "messages": [
        {"role": "user", "content": "Name three French cheeses, comma-separated, nothing else."}
    ],
    "max_tokens": 30,
}
PARTS = [{"type": "text", "text": BODY["messages"][0]["content"]}]
CHEESE = {"role": "user", "content": "What is the best French cheese?"}
ANSWER = {"role": "assistant", "content": "Roquefort, many say; others swear by Comté."}
FOLLOW_UP = {"role": "user", "content": "Which of the two melts better?"}


def summarize(answer):
    choice = answer["choices"][0]
    tokens = answer["usage"]["total_tokens"]
    return choice["message"]["content"], choice["finish_reason"] != "length", tokens


def in_pieces(answer):
    yield from summarize(answer)


def as_numbers(answer):
    text, complete, tokens = summarize(answer)
    return [text, int(complete), tokens]


def by_full_stop(answer):
    text, _, tokens = summarize(answer)
    return text, text.endswith("."), tokens


def always_complete(answer):
    return (*summarize(answer)[:1], True, summarize(answer)[2])


def reason(answer):
    return (*summarize(answer)[:1], answer["choices"][0]["finish_reason"], 0)


def output_only(answer):
    return (*summarize(answer)[:2], answer["usage"]["completion_tokens"])


def reply(tokens, reason):
    """A reply to a question of 22 tokens."""
    message = {"role": "assistant", "content": "There is no single best one."}
    usage = {"prompt_tokens": 22, "completion_tokens": tokens, "total_tokens": 22 + tokens}
    choice = {"index": 0, "message": message, "finish_reason": reason}
    return helpers.Reply.from_json({"model": "m", "choices": [choice], "usage": usage})


REPLIES = [reply(20, "length"), reply(40, "length"), reply(50, "stop")]
DOLLARS = 22 * 0.15 + 50 * 0.6

ANSWERS = {
    "body": Answers(
        right=[
            (BODY,),
            (dict(reversed(BODY.items())),),
            (BODY | {"messages": ({"content": PARTS, "role": "user"},)},),
        ],
        wrong=[
            (("body",), "a dict"),
            ((BODY | {"max_token": 30},), "no field 'max_token'"),
            ((BODY | {"temperature": 0},), "The API takes 'temperature', but"),
            ((BODY | {"messages": BODY["messages"][0]},), "a list"),
            ((BODY | {"messages": [CHEESE, CHEESE]},), "There are 2"),
            ((BODY | {"messages": ["Hello"]},), "This is 'Hello'"),
            ((BODY | {"messages": [CHEESE | {"role": "system"}]},), "not from 'system'"),
            (({k: v for k, v in BODY.items() if k != "max_tokens"},), "30 tokens is missing"),
            ((BODY | {"messages": [CHEESE]},), "word for word"),
            ((BODY | {"max_tokens": "30"},), "whole number"),
            ((BODY | {"max_tokens": 3},), "at 3 tokens"),
            ((BODY | {"model": "mistral-small"},), "'mistral-small'"),
        ],
    ),
    "read": Answers(
        right=[
            (summarize,),
            (lambda answer: list(summarize(answer)),),
            (in_pieces,),
            (as_numbers,),
        ],
        wrong=[
            ((by_full_stop,), "'stop' was called complete: False"),
            ((always_complete,), "'length' was called complete: True"),
            ((reason,), "True or False"),
            ((output_only,), "total_tokens of 25 was counted as 3"),
            ((lambda answer: answer["choices"][0]["message"]["content"],), "three things"),
            ((lambda answer: answer["choices"]["message"],), "TypeError"),
        ],
    ),
    "conversation": Answers(
        right=[([CHEESE, ANSWER, FOLLOW_UP],), ((CHEESE, ANSWER, FOLLOW_UP),)],
        wrong=[
            (([FOLLOW_UP],), "remembers nothing"),
            (([CHEESE, FOLLOW_UP],), "answer between your questions is missing"),
            (([CHEESE, "Comté.", FOLLOW_UP],), "Among these is 'Comté.'"),
            (([CHEESE, REPLIES[2], FOLLOW_UP],), "Among these is a Reply"),
            (([CHEESE, ANSWER | {"role": "user"}, FOLLOW_UP],), "in the middle is the model's"),
            (([CHEESE, CHEESE | {"role": "assistant"}, FOLLOW_UP],), "not the model's answer"),
            (([CHEESE, ANSWER, CHEESE],), "not 'Which of the two melts better?'"),
            (([FOLLOW_UP, ANSWER, FOLLOW_UP],), "not 'What is the best French cheese?'"),
            (([CHEESE, REPLIES[2].raw, FOLLOW_UP],), "with the keys model, choices, usage"),
            (([CHEESE, ANSWER | {"content": REPLIES[2]}, FOLLOW_UP],), "text is in `.text`"),
            ((None,), "This is None."),
        ],
    ),
    "limit": Answers(
        right=[(REPLIES, [60], DOLLARS), (tuple(REPLIES), 60, DOLLARS)],
        wrong=[
            (([reply.text for reply in REPLIES], [60], DOLLARS), "not just its text"),
            ((REPLIES[::-1], [60], DOLLARS), "The answer for 20 has 50 tokens."),
            (
                (REPLIES, [20, 40], DOLLARS),
                "The answer for 20 ended with the finish_reason 'length'",
            ),
            ((REPLIES, [], DOLLARS), "The answer for 60 ended with the finish_reason 'stop'"),
            ((REPLIES, [False, False, True], DOLLARS), "It holds False"),
            ((REPLIES, [REPLIES[2]], DOLLARS), "It holds a Reply"),
            ((REPLIES, [50], DOLLARS), "a limit that you didn't ask for"),
            ((REPLIES, [60], 33), "33 is rounded too much"),
            ((REPLIES, [60], DOLLARS / 1e6), "one call"),
            ((REPLIES, [60], 22 * 0.6 + 50 * 0.15), "swaps the prices"),
            ((REPLIES, [60], 22 * 0.15), "leaves out the answer"),
            ((REPLIES, [60], 72 * 0.15), "as input"),
            ((REPLIES, [60], 1.0), "don't cost 1.00"),
        ],
    ),
    "translate": Answers(
        right=[
            # The asynchronous way is also right.
            """check.translate(await today.chat.complete_async(
    model="ministral-8b-latest", messages=[{"role": "user", "content": "Hello"}]))""",
            # So is the version behind the alias.
            """check.translate(today.chat.complete(
    model="ministral-8b-2512", messages=[{"role": "user", "content": "Hello"}]))""",
        ],
        wrong=[
            (("Comté.",), "not its text"),
            ((None,), "ChatCompletionResponse"),
        ],
    ),
}
