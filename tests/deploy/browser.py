"""Chromium without a window, driven over its DevTools protocol."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import shutil
import subprocess

import websocket

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def find_browser():
    """The path of Chromium or Chrome, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Page:
    """A page. events: all that the browser reported so far: requests, responses, console, dialogs."""

    def __init__(self, address):
        # A browser that answers nothing for so long has died.
        self.socket = websocket.create_connection(address, suppress_origin=True, timeout=120)
        self.numbers, self.events = itertools.count(1), []
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.send(f"{domain}.enable")

    def send(self, method, **parameters):
        """Send a command and return its result. Events that come in between are kept."""
        number = next(self.numbers)
        self.socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.socket.recv())
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]
            self.events.append(message)

    def run(self, script):
        """The value of a JavaScript expression, awaited."""
        done = self.send(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def wait(self, condition, seconds=60):
        """Wait until an expression is true. Raises AssertionError after so many seconds."""
        done = self.run(
            "new Promise(done => { const end = Date.now() + " + f"{1000 * seconds}; "
            f"const look = () => {{ if ({condition}) done(true); "
            "else if (Date.now() > end) done(false); else setTimeout(look, 20); }; look(); })"
        )
        status = "document.getElementById('status')?.textContent"
        assert done, f"not so after {seconds} s: {condition}; the page says {self.run(status)!r}"

    def open(self, url):
        self.send("Page.navigate", url=url)
        self.wait(f"document.readyState === 'complete' && location.href.startsWith('{url}')")

    def reload(self):
        self.run("window.old = true")
        self.send("Page.reload")
        self.wait("!window.old && document.readyState === 'complete'")

    def type(self, text):
        """Type into what has the focus."""
        self.send("Input.insertText", text=text)

    def press(self, key):
        for kind in ("keyDown", "keyUp"):
            code = {"windowsVirtualKeyCode": 13, "text": "\r"} if key == "Enter" else {}
            self.send("Input.dispatchKeyEvent", type=kind, key=key, code=key, **code)

    def click(self, selector):
        """Click into the middle of an element, where a finger would."""
        box = self.run(
            f"(({selector}).scrollIntoView(), ({selector}).getBoundingClientRect().toJSON())"
        )
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def picture(self):
        """The PNG of what is seen."""
        return base64.b64decode(self.send("Page.captureScreenshot")["data"])

    def named(self, method):
        """The parameters of all events of a kind."""
        return [event["params"] for event in self.events if event.get("method") == method]


@contextlib.contextmanager
def open_page(profile):
    """A page of a new browser, with this folder for its profile."""
    command = [
        find_browser(),
        "--headless=new",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--remote-debugging-port=0",
        f"--user-data-dir={profile}",
        "about:blank",
    ]
    if hasattr(os, "getuid") and os.getuid() == 0:
        # Chromium's own sandbox refuses to run as root, as CI does.
        command.insert(1, "--no-sandbox")
    browser = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    try:
        lines = iter(browser.stderr.readline, "")
        line = next(line for line in lines if "DevTools listening on" in line)
        # Nothing reads it from now on; a full pipe would stop the browser.
        browser.stderr.close()
        port = line.split("127.0.0.1:")[1].split("/")[0]
        import httpx

        pages = httpx.get(f"http://127.0.0.1:{port}/json").json()
        yield Page(next(p["webSocketDebuggerUrl"] for p in pages if p["type"] == "page"))
    finally:
        browser.terminate()
        browser.wait(60)
