"""Lesson 13's page in Chromium, in front of its server, in front of the course's offline API."""

import json
import os
import re
from pathlib import Path

import pytest

from helpers.offline.answers import questions
from helpers.offline.server import Server
from tests.deploy.browser import find_browser, open_page
from tests.deploy.server import KEY, running, until

pytestmark = [
    pytest.mark.slow,
    # CI sets the variable, so that these tests fail there instead of being left out.
    pytest.mark.skipif(
        find_browser() is None and "BROWSER_TESTS" not in os.environ,
        reason="no Chromium here: install chromium",
    ),
]

STORY = "Tell me a short story about a ferry."
ANSWER = "document.querySelector('#log article.assistant:last-child div')"
STATUS = "document.getElementById('status').textContent"
BUTTONS = "[...document.querySelectorAll('#suggestions button')]"
OFFERED = "!document.getElementById('suggestions').hidden"
COMPLETE = f"{STATUS} === 'The answer is complete.'"


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One server and one browser for all tests: each takes seconds to start."""
    folder = tmp_path_factory.mktemp("chat")
    offered = json.dumps(questions("13_deploy"))
    with (
        Server(lessons=["13_deploy"], key=KEY) as api,
        running(folder, api.url, CHAT_SUGGESTIONS=offered) as chat,
        open_page(folder / "profile") as page,
    ):
        chat.api = api
        yield chat, page


@pytest.fixture
def server(shared):
    shared[0].api.pace = 0.3
    return shared[0]


@pytest.fixture
def page(server, shared):
    """The page as at a first visit."""
    page = shared[1]
    page.send("Emulation.clearDeviceMetricsOverride")
    page.open(server.url)
    page.run("sessionStorage.clear()")
    page.open("about:blank")
    page.events.clear()
    page.open(server.url)
    page.wait(OFFERED)
    return page


def say(page, text):
    page.run("document.getElementById('question').focus()")
    page.type(text)
    page.press("Enter")


def test_a_question_is_typed_and_the_answer_is_seen_as_it_comes(page, server):
    say(page, STORY)
    page.wait(f"{ANSWER} && {ANSWER}.textContent.length > 20")
    early = page.run(f"{ANSWER}.textContent")
    assert page.run("document.getElementById('log').getAttribute('aria-busy')") == "true"
    page.wait(COMPLETE)
    whole = page.run(f"{ANSWER}.textContent")
    assert whole.startswith(early) and len(early) < len(whole)
    assert whole.startswith("The ferry between") and whole.endswith("not moved.")
    assert page.run("document.activeElement.id") == "question", "ready for the next question"


def test_stop_ends_the_answer_and_the_call_behind_it(page, server):
    # So slow that it can't be over before it is stopped.
    server.api.pace, before = 5, len(server.ends)
    say(page, STORY)
    page.wait(f"{ANSWER} && {ANSWER}.textContent")
    page.click("document.getElementById('stop')")
    page.wait(f"{STATUS} === 'Stopped.'")
    until(lambda: len(server.ends) > before)
    assert server.ends[before:] == ["left"]
    assert len(page.run(f"{ANSWER}.textContent")) < 700, "what had come stays"
    server.api.pace = 0
    page.click("document.getElementById('new')")
    say(page, "What is a container?")
    page.wait(COMPLETE)


def test_a_reload_keeps_the_conversation_and_a_new_one_forgets_it(page, server):
    say(page, "What is a reverse proxy?")
    page.wait(COMPLETE)
    before = page.run("document.getElementById('log').innerText")
    page.reload()
    assert page.run("document.getElementById('log').innerText") == before
    say(page, "Name two.")
    page.wait(f"{COMPLETE} && document.querySelectorAll('article').length === 4")
    assert page.run(f"{ANSWER}.textContent") == "nginx and Caddy."
    page.click("document.getElementById('new')")
    page.reload()
    assert page.run("document.querySelectorAll('article').length") == 0


def test_a_conversation_too_long_for_the_server_loses_its_oldest_turns(page):
    """Its characters would be few enough; its bytes are not."""
    page.run(
        """sessionStorage.setItem("conversation", JSON.stringify(["user", "assistant"].map(
            (role) => ({ role, content: "🚲".repeat(2900) }))))"""
    )
    page.reload()
    say(page, "What is a container?")
    page.wait(f"{STATUS} && {STATUS} !== 'The answer is being written.'")
    assert page.run(STATUS) == "The answer is complete."


def test_markdown_is_shown_and_a_hostile_answer_does_nothing(page, server):
    say(page, "What is a reverse proxy?")
    page.wait(COMPLETE)
    names = f"[...{ANSWER}.querySelectorAll('*')].map(e => e.tagName)"
    assert page.run(names) == ["P", "STRONG", "UL", "LI", "LI", "LI", "CODE", "P"]
    page.click("document.getElementById('new')")
    say(page, "Show me a hostile answer.")
    page.wait(COMPLETE)
    assert set(page.run(names)) <= {"P", "PRE", "CODE"}, "no script, no picture, no link"
    text = page.run(f"{ANSWER}.textContent")
    assert "<script>document.title" in text and "https://evil.example/collect" in text
    assert page.run("document.title") == "Chat"
    assert page.named("Page.javascriptDialogOpening") == []
    urls = [part["request"]["url"] for part in page.named("Network.requestWillBeSent")]
    assert urls and all(url.startswith(server.url) for url in urls), urls


def test_even_a_page_with_a_hole_loads_and_runs_nothing(page, server):
    """The policy is the second lock: HTML put in by a mistake is dead."""
    page.run(
        """document.getElementById('log').innerHTML =
        `<img src="https://evil.example/x" onerror="document.title='taken over'">`;
        const made = document.createElement('script');
        made.textContent = "document.title = 'taken over'";
        document.body.append(made);"""
    )
    page.run("fetch('https://evil.example/').catch(() => 'blocked')")
    page.wait("true")
    blocked = [part["blockedReason"] for part in page.named("Network.loadingFailed")]
    assert page.run("document.title") == "Chat"
    assert blocked and set(blocked) == {"csp"}


def test_the_key_is_nowhere_in_page_network_console_or_log(page, server):
    say(page, "What is a reverse proxy?")
    page.wait(COMPLETE)
    say(page, "A question that nobody has an answer for")
    page.wait(f"/again later/.test({STATUS})")
    # The browser keeps the bodies of the page that it shows.
    before = len(page.named("Network.responseReceived"))
    page.reload()
    bodies = []
    for part in page.named("Network.responseReceived")[before:]:
        if part["response"]["url"].startswith(server.url) and part["type"] != "Fetch":
            bodies.append(page.send("Network.getResponseBody", requestId=part["requestId"])["body"])
    seen = json.dumps(page.events) + "".join(bodies)
    seen += page.run("document.documentElement.outerHTML + JSON.stringify(sessionStorage)")
    assert "textContent" in seen and "/chat" in seen, "page, script and requests were looked at"
    for secret in (KEY, KEY[:10], "Bearer", "api.mistral.ai", "evil.example"):
        assert secret not in seen
    assert KEY not in "".join(server.output)
    errors = [part["entry"]["text"] for part in page.named("Log.entryAdded")]
    assert [text for text in errors if "502" not in text and "404" not in text] == []


def test_a_problem_is_told_in_words_and_the_question_comes_back(page, server):
    say(page, "A question that nobody has an answer for")
    page.wait(f"/again later/.test({STATUS})")
    shown = page.run(STATUS)
    assert any(line["id"][:8] in shown for line in server.lines if line["event"] == "chat")
    value = page.run("document.getElementById('question').value")
    assert value == "A question that nobody has an answer for"


def test_it_can_be_read_on_a_phone_and_by_a_screen_reader(page, server):
    page.send(
        "Emulation.setDeviceMetricsOverride",
        width=320,
        height=560,
        deviceScaleFactor=1,
        mobile=True,
    )
    say(page, "Show me a hostile answer.")
    page.wait(f"{COMPLETE} && {OFFERED}")
    assert page.run("document.documentElement.scrollWidth") <= 320
    problems = []
    for selector in ("#send", "#stop", "#new", "#question", "#suggestions button"):
        box = page.run(f"document.querySelector('{selector}').getBoundingClientRect().toJSON()")
        if box["height"] < 44 or box["left"] < 0 or box["right"] > 320 or box["bottom"] > 560:
            problems.append((selector, box))
    assert problems == []
    tree = page.send("Accessibility.getFullAXTree")["nodes"]
    found = {
        (node["role"]["value"], node.get("name", {}).get("value", "").split("\n")[0])
        for node in tree
        if not node["ignored"]
    }
    assert {
        ("log", "Conversation"),
        ("textbox", "Your question"),
        ("button", "Send"),
        ("button", "Stop"),
        ("button", "New conversation"),
        ("region", "Questions to try"),
        ("button", STORY),
        ("heading", "Chat"),
        ("heading", "Answer"),
    } <= found
    assert any(role == "status" for role, _ in found)


def texts(page):
    return page.run(f"{BUTTONS}.map(button => button.textContent)")


def press(page, text):
    page.click(f"{BUTTONS}.find(button => button.textContent === '{text}')")


def test_offline_the_page_offers_what_can_be_answered_now(page):
    first = [one for one, *more in questions("13_deploy") if not more]
    assert texts(page) == first
    press(page, "What is a reverse proxy?")
    page.wait(f"{COMPLETE} && {OFFERED}")
    assert texts(page) == ["Name two.", *first], "what follows comes first"
    press(page, "Name two.")
    page.wait(f"{COMPLETE} && document.querySelectorAll('article').length === 4 && {OFFERED}")
    assert page.run(f"{ANSWER}.textContent") == "nginx and Caddy."
    assert texts(page) == first
    press(page, "What is a container?")
    page.wait(f"{COMPLETE} && document.querySelectorAll('article').length === 2 && {OFFERED}")
    assert page.run(f"{ANSWER}.textContent").startswith("A container is a process"), "begun anew"
    assert page.run("document.activeElement.id") == "question"


def test_each_question_that_is_offered_has_an_answer(page, server):
    server.api.pace = 0
    for text in texts(page):
        press(page, text)
        page.wait(f"{COMPLETE} && {OFFERED} && document.querySelectorAll('article').length === 2")
        assert page.run("document.querySelector('article.user p').textContent") == text


def test_without_suggestions_the_page_offers_none(page, server, tmp_path):
    with running(tmp_path, server.api.url) as live:
        page.open(live.url)
        page.run("fetch('suggestions')")
        assert page.run(f"{BUTTONS}.length") == 0
        assert not page.run(OFFERED)


def test_the_page_has_no_way_to_put_html_in():
    script = Path(__file__).parents[2] / "notebooks" / "13_deploy" / "page" / "chat.js"
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", script.read_text()
    )
