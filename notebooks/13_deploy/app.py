"""The chat server: a page, one route that streams, and two by which a platform looks after it."""

from __future__ import annotations

import contextlib
import json
import logging
import math
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import httpx
from incoming import check_origin, read_messages, size_of, user_of
from settings import Settings
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from store import SqliteStore, ValkeyStore, open_store, today
from upstream import Answer, Problem, ask, new_client

log = logging.getLogger("chat")
PAGE = Path(__file__).parent / "page"
FILES = {"/": "index.html", "/chat.js": "chat.js", "/chat.css": "chat.css"}
TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
# Only this server's own files and route: no other script, no picture, no frame, no form.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


class Streams:
    """The answers that are being written now."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.open: set[anyio.CancelScope] = set()
        self.stopping = False

    @contextlib.contextmanager
    def enter(self, seconds: float):
        """Take a place, and end what runs in the block after so many seconds."""
        if self.stopping:
            raise Problem("stopping", wait=5)
        if len(self.open) >= self.most:
            raise Problem("busy", "all places taken", wait=2)
        with anyio.CancelScope(deadline=anyio.current_time() + seconds) as scope:
            self.open.add(scope)
            try:
                yield
            finally:
                self.open.discard(scope)
        if scope.cancelled_caught:
            raise Problem("stopping" if self.stopping else "slow", "time is up")

    def end(self) -> None:
        """End all that are still open. Each sends its browser the reason."""
        for scope in self.open:
            scope.cancel()


class ChatResponse:
    """Streams an answer to a browser, and gives it up the moment the browser has gone."""

    def __init__(self, app: Starlette, request_id: str, user: str, messages: list[Any]) -> None:
        self.state, self.settings, self.user = app.state, app.state.settings, user
        self.line: dict[str, Any] = {"id": request_id, "user": user}
        self.body = {
            "model": self.settings.model,
            "messages": [{"role": "system", "content": self.settings.system}, *messages],
            "max_tokens": self.settings.max_tokens,
            "stream": True,
        }
        self.started = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.line["end"] = "left"
        began = time.perf_counter()
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(_cancel_when_gone, receive, group.cancel_scope)
                await self._answer(send, began)
                group.cancel_scope.cancel()
        finally:
            self.line["ms"] = round(1000 * (time.perf_counter() - began))
            write_log("chat", **self.line)

    async def _answer(self, send: Send, began: float) -> None:
        try:
            with self.state.streams.enter(self.settings.answer_seconds):
                await self._stream(send, began)
            return
        except Problem as caught:
            problem = caught
        except Exception as error:
            log.exception("unexpected")
            problem = Problem("internal", type(error).__name__)
        self.line |= {"end": problem.code, "detail": problem.detail}
        if self.started:
            await self._event(send, "error", error_of(problem, self.line["id"]))
            await send({"type": "http.response.body"})
        else:
            response = problem_response(problem, self.line["id"])
            await response({"type": "http"}, _nothing, send)

    async def _stream(self, send: Send, began: float) -> None:
        day, reserved = await self._admit()
        answer = Answer()
        try:
            async with ask(self.state.client, self.body, answer) as pieces:
                async for piece in pieces:
                    if not self.started:
                        self.line["first_ms"] = round(1000 * (time.perf_counter() - began))
                        await self._begin(send)
                    await self._event(send, "piece", {"text": piece})
        except Problem as problem:
            if problem.free:
                await self.state.store.settle(day, reserved, 0)
            raise
        self.line |= {"tokens_in": answer.tokens_in, "tokens_out": answer.tokens_out}
        self.line["api_id"] = answer.correlation_id
        if answer.tokens_in is not None and answer.tokens_out is not None:
            used = self.settings.micros(answer.tokens_in, answer.tokens_out)
            await self.state.store.settle(day, reserved, used)
        if not self.started:
            await self._begin(send)
        await self._event(send, "end", {"finish_reason": answer.finish})
        await send({"type": "http.response.body"})
        self.line["end"] = answer.finish

    async def _admit(self) -> tuple[str, int]:
        """Count the question, and book the most that it can cost. Raises Problem."""
        if wait := await self.state.store.admit(self.user):
            raise Problem("too_many", wait=wait)
        self.line["bytes_in"] = size = size_of(self.body["messages"])
        reserved = self.settings.most_micros(size)
        if not await self.state.store.reserve(reserved):
            raise Problem("budget", wait=3600)
        return today(), reserved

    async def _begin(self, send: Send) -> None:
        self.started = True
        headers = {
            "content-type": "text/event-stream; charset=utf-8",
            # Some proxies collect an answer before they pass it on. This asks them not to.
            "x-accel-buffering": "no",
        }
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": 200, "headers": raw})

    async def _event(self, send: Send, kind: str, data: dict[str, Any]) -> None:
        text = f"event: {kind}\ndata: {json.dumps(data)}\n\n"
        await send({"type": "http.response.body", "body": text.encode(), "more_body": True})


async def _cancel_when_gone(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


async def _nothing() -> Message:
    return {"type": "http.disconnect"}


def error_of(problem: Problem, request_id: str) -> dict[str, Any]:
    return {"code": problem.code, "message": problem.message, "id": request_id}


def problem_response(problem: Problem, request_id: str) -> Response:
    wait = {"retry-after": str(math.ceil(problem.wait))} if problem.wait else {}
    return JSONResponse({"error": error_of(problem, request_id)}, problem.status, wait)


def write_log(event: str, **fields: Any) -> None:
    """One line of JSON. It never holds a text of a user or of the model."""
    log.info(json.dumps({"time": round(time.time(), 3), "event": event, **fields}))


class Envelope:
    """Gives each request an id, and each answer the headers that keep a browser safe."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope.setdefault("state", {})["id"] = request_id = uuid.uuid4().hex
        own = HEADERS | {"x-request-id": request_id}

        async def send_more(message: Message) -> None:
            if message["type"] == "http.response.start":
                raw = [(name.encode(), value.encode()) for name, value in own.items()]
                message = {**message, "headers": [*message.get("headers", []), *raw]}
            await send(message)

        await self.app(scope, receive, send_more)


async def chat(request: Request) -> Any:
    settings, request_id = request.app.state.settings, request.scope["state"]["id"]
    try:
        check_origin(request, settings)
        messages = await read_messages(request, settings)
    except Problem as problem:
        write_log("refused", id=request_id, end=problem.code, detail=problem.detail)
        return problem_response(problem, request_id)
    return ChatResponse(request.app, request_id, user_of(request, settings), messages)


async def health(request: Request) -> Response:
    """The process lives. A platform restarts it when this fails."""
    return JSONResponse({"ok": True})


async def ready(request: Request) -> Response:
    """It can take questions. A platform sends none while this fails. It asks no model: that would cost."""
    state = request.app.state
    try:
        await state.store.ping()
    except Exception as error:
        return JSONResponse({"ok": False, "store": type(error).__name__}, 503)
    return JSONResponse({"ok": not state.streams.stopping}, 503 if state.streams.stopping else 200)


async def suggestions(request: Request) -> Response:
    """The questions that the page offers."""
    return Response(request.app.state.settings.suggestions, media_type="application/json")


async def page(request: Request) -> Response:
    path = PAGE / FILES[request.url.path]
    return Response(path.read_bytes(), media_type=TYPES[path.suffix])


def create_app(
    settings: Settings,
    store: SqliteStore | ValkeyStore | None = None,
    client: httpx.AsyncClient | None = None,
) -> Starlette:
    """The application. A test may bring its own store and client."""

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await app.state.client.aclose()
        await app.state.store.close()

    app = Starlette(
        routes=[
            *(Route(path, page) for path in FILES),
            Route("/chat", chat, methods=["POST"]),
            Route("/suggestions", suggestions),
            Route("/health", health),
            Route("/ready", ready),
        ],
        middleware=[Middleware(Envelope)],
        lifespan=lifespan,
    )
    app.state.settings = settings
    app.state.streams = Streams(settings.streams)
    app.state.store = store or open_store(settings.store, settings.per_minute, settings.usd_per_day)
    app.state.client = client or new_client(settings)
    return app
