"""Takes lesson 13's picture of its page, in Chromium: `python -m tests.deploy.picture`."""

import json
import tempfile
from pathlib import Path

from helpers.offline.answers import questions
from helpers.offline.server import Server
from tests.deploy.browser import open_page
from tests.deploy.server import APP, running

OUT = APP / "picture.png"
ANSWERED = (
    "document.getElementById('status').textContent === 'The answer is complete.' "
    "&& !document.getElementById('suggestions').hidden"
)


def take():
    """The PNG of the page after the first question that it offers."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Server(lessons=["13_deploy"], pace=0) as api,
        running(folder, api.url, CHAT_SUGGESTIONS=json.dumps(questions("13_deploy"))) as chat,
        open_page(Path(folder, "profile")) as page,
    ):
        size = {"width": 720, "height": 780, "deviceScaleFactor": 1, "mobile": False}
        page.send("Emulation.setDeviceMetricsOverride", **size)
        page.open(chat.url)
        page.wait("!document.getElementById('suggestions').hidden")
        page.click("document.querySelector('#suggestions button')")
        page.wait(ANSWERED)
        return page.picture()


if __name__ == "__main__":
    OUT.write_bytes(take())
    print(f"{OUT.name}: {OUT.stat().st_size:,} bytes")
