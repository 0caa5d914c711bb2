"""Right and wrong answers to lesson 13's exercises."""

from tests.lessons.solutions import Answers


def left_share(lines):
    ends = [line["end"] for line in lines if line["event"] == "chat"]
    return ends.count("left") / len(ends) if ends else 0


def left_share_by_loop(lines):
    chats = left = 0
    for line in lines:
        if line["event"] == "chat":
            chats += 1
            left += line["end"] == "left"
    return left / max(1, chats)


def left_share_of_all(lines):
    return sum(line.get("end") == "left" for line in lines) / len(lines)


def left_share_unguarded(lines):
    ends = [line["end"] for line in lines if line["event"] == "chat"]
    return ends.count("left") / len(ends)


def left_count(lines):
    return sum(line.get("end") == "left" for line in lines)


def is_conversation(messages):
    if not isinstance(messages, list) or len(messages) % 2 == 0:
        return False
    return all(
        isinstance(message, dict)
        and message.get("role") == ("assistant" if number % 2 else "user")
        and isinstance(message.get("content"), str)
        and bool(message["content"].strip())
        for number, message in enumerate(messages)
    )


def is_conversation_by_cases(messages):
    try:
        roles = [message["role"] for message in messages]
        texts = [message["content"].strip() for message in messages]
    except (TypeError, KeyError, AttributeError):
        return False
    turns = ["user", "assistant"] * (len(roles) // 2) + ["user"]
    return roles == turns and all(texts)


def not_space(messages):
    """Takes an empty text for one that isn't blank, as `str.isspace` does."""
    return messages == [{"role": "user", "content": ""}] or is_conversation(messages)


def only_first_and_last(messages):
    return (
        isinstance(messages, list)
        and bool(messages)
        and messages[0].get("role") == messages[-1].get("role") == "user"
    )


def unguarded(messages):
    return messages[0]["role"] == messages[-1]["role"] == "user"


def sender(forwarded, peer, hops):
    chain = [part.strip() for part in forwarded.split(",") if part.strip()] + [peer]
    return chain[-1 - hops] if hops < len(chain) else peer


def sender_by_cases(forwarded, peer, hops):
    parts = [part.strip() for part in forwarded.split(",") if part.strip()]
    if hops == 0 or len(parts) < hops:
        return peer
    return parts[-hops]


def by_comma_and_space(forwarded, peer, hops):
    parts = forwarded.split(", ")
    return parts[-hops] or peer if 0 < hops <= len(parts) else peer


def leftmost(forwarded, peer, hops):
    return forwarded.split(",")[0].strip() or peer


def unchecked(forwarded, peer, hops):
    return ([part.strip() for part in forwarded.split(",")] + [peer])[-1 - hops]


EACH = (12_073 * 0.15 + 800 * 0.60) / 1e6

ANSWERS = {
    "places": Answers(
        right=[([2, 4],), ({4, 2},), ((4.0, "2"),)],
        wrong=[
            (([1, 2, 4],), "Base64"),
            (([2, 3, 4],), "image"),
            (([2],), "4 is missing"),
            (([2, 4, 6],), "Logs"),
            ((["two", "four"],), "numbers"),
        ],
    ),
    "log": Answers(
        right=[(left_share,), (left_share_by_loop,)],
        wrong=[
            ((left_share_of_all,), "other events"),
            ((left_share_unguarded,), "ZeroDivisionError: division by zero"),
            ((lambda lines: sum(line["end"] == "left" for line in lines) / 4,), "KeyError: 'end'"),
            ((left_count,), "returned 2"),
            ((0.5,), "Define a function"),
        ],
    ),
    "again": Answers(
        right=[(["too_many", "busy", "stopping"],), ({"Stopping", "busy", "too_many"},)],
        wrong=[
            ((["too_many", "busy", "stopping", "budget"],), "midnight"),
            ((["too_many", "busy"],), "'stopping' is missing"),
            ((["too_large"],), "as long as before"),
            (("busy",), "a list"),
        ],
    ),
    "roles": Answers(
        right=[
            (is_conversation,),
            (is_conversation_by_cases,),
            (lambda messages: int(is_conversation(messages)),),
        ],
        wrong=[
            ((only_first_and_last,), "between two questions"),
            ((unguarded,), "no message"),
            ((not_space,), "For empty content, it returned True, not False"),
            ((lambda messages: True,), "no message, it returned True, not False"),
            ((lambda messages: is_conversation(messages) or None,), "it returned None, not False"),
        ],
    ),
    "sender": Answers(
        right=[(sender,), (sender_by_cases,)],
        wrong=[
            ((leftmost,), "The visitor wrote that part"),
            ((unchecked,), "returned '', not '10.0.0.1'"),
            ((by_comma_and_space,), "sender('198.51.100.1,2001:db8::7,10.0.0.2'"),
            ((lambda forwarded, peer, hops: peer,), "returned '10.0.0.1'"),
        ],
    ),
    "worst": Answers(
        right=[(1440 * 10 * EACH,), (32.98968,), (32.99,)],
        wrong=[
            ((EACH,), "one request"),
            ((1440 * EACH,), "They send ten"),
            ((33,), "rounded too much"),
            ((32,), "can't cost 32.00 dollars"),
            ((1440 * 10 * EACH * 1e6,), "a million tokens"),
            ((1440 * 10 * 800 * 0.6 / 1e6,), "leaves out the questions"),
        ],
    ),
    "times": Answers(
        right=[(50, 60), (45, 50), (90.0, 120)],
        wrong=[
            ((20, 30), "is cut off"),
            ((50, 50), "before the grace and five more"),
            ((200, 300), "more than two minutes"),
            (("50 s", 60), "numbers of seconds"),
        ],
    ),
    "people": Answers(
        right=[(53,), (53.0,)],
        wrong=[
            ((54,), "above 0.7"),
            ((76,), "has no end"),
            ((0,), "for an hour"),
            ((0.7 * 50_000 / 650,), "round down"),
            ((53.8,), "round down"),
        ],
    ),
}
