"""Run the chat server: `python serve.py`, with MISTRAL_API_KEY in the environment."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from types import FrameType

import uvicorn
from app import create_app, write_log
from settings import Settings
from starlette.applications import Starlette


class Server(uvicorn.Server):
    """Stops in three steps: it takes nothing new, lets streams end, and then ends the rest."""

    def __init__(self, app: Starlette, settings: Settings) -> None:
        self.app, self.grace = app, settings.grace_seconds
        super().__init__(
            uvicorn.Config(
                app,
                host=settings.host,
                port=settings.port,
                # Its lines hold addresses. The app writes its own.
                access_log=False,
                log_config=None,
                server_header=False,
                # The app reads X-Forwarded-For itself, and counts the proxies.
                proxy_headers=False,
                # Longer than the proxy in front keeps its connections, which is often a minute.
                timeout_keep_alive=75,
                timeout_graceful_shutdown=round(self.grace) + 5,
            )
        )

    async def startup(self, sockets=None) -> None:
        self.loop = asyncio.get_running_loop()
        await super().startup(sockets)
        if self.started:
            port = self.servers[0].sockets[0].getsockname()[1]
            write_log("started", port=port)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.loop.call_soon_threadsafe(self._stop)
        super().handle_exit(sig, frame)

    def _stop(self) -> None:
        streams = self.app.state.streams
        if not streams.stopping:
            streams.stopping = True
            write_log("stopping", streams=len(streams.open))
            self.loop.call_later(self.grace, streams.end)


def main() -> None:
    # Standard output is what a container's platform collects.
    logging.basicConfig(stream=sys.stdout, format="%(message)s", level=logging.INFO)
    for name in ("httpx", "uvicorn"):
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        settings = Settings.read(os.environ)
    except (ValueError, OSError) as error:
        sys.exit(str(error))
    Server(create_app(settings), settings).run()


if __name__ == "__main__":
    main()
