"""A stand-in for the API that does what a question asks of it, and counts who is still connected."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading

CHUNK = {"object": "chat.completion.chunk", "model": "mistral-small-latest"}
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def chunk(text="", finish=None, usage=None):
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return json.dumps(CHUNK | {"choices": [choice]} | ({"usage": usage} if usage else {}))


class FakeApi:
    """Answers on 127.0.0.1, in a thread, while its `with` block runs.

    The last message says what to do: "pieces 5 0.01" sends five pieces and ends, "endless" never ends,
    "silent" sends nothing, "cut" and "error inside" break after a piece, "status 429" refuses.
    Anything else is sent back. open: streams that are being written. seen: all bodies. ended: how many
    streams were closed from the other side.
    """

    def __enter__(self):
        self.open, self.seen, self.keys, self.ended = 0, [], set(), 0
        self.most_open = 0
        self._loop = asyncio.new_event_loop()
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,))
        self._thread.start()
        started.wait()
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self, started):
        async def serve():
            self._stop = asyncio.Event()
            server = await asyncio.start_server(self._connected, "127.0.0.1", 0, backlog=1024)
            self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
            started.set()
            await self._stop.wait()
            server.close()
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self._loop.run_until_complete(serve())
        self._loop.close()

    async def _connected(self, reader, writer):
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                lines = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
                body = json.loads(await reader.readexactly(int(lines["content-length"])))
                self.seen.append(body)
                self.keys.add(lines.get("authorization"))
                self.open += 1
                self.most_open = max(self.most_open, self.open)
                try:
                    whole = await self._answer(reader, writer, body["messages"][-1]["content"])
                finally:
                    self.open -= 1
                if not whole:
                    break
        writer.close()

    async def _answer(self, reader, writer, task):
        kind, *rest = task.split()
        if kind == "status":
            text = json.dumps(
                {"message": "secret-detail-of-the-api", "raw_status_code": int(rest[0])}
            )
            extra = "retry-after: 7\r\n" if rest[0] == "429" else ""
            head = f"HTTP/1.1 {rest[0]} X\r\ncontent-type: application/json\r\n{extra}"
            writer.write(f"{head}content-length: {len(text)}\r\n\r\n{text}".encode())
            await writer.drain()
            return True
        if kind == "silent":
            return await self._until_closed(reader)
        writer.write(HEAD)
        if kind == "endless":
            watch = asyncio.ensure_future(self._until_closed(reader))
            while not watch.done():
                self._event(writer, chunk("word "))
                await asyncio.wait([watch], timeout=0.05)
            return False
        if kind == "pieces":
            texts, wait = [f"{n} " for n in range(int(rest[0]))], float(rest[1])
        else:
            texts, wait = [task], 0
        for text in texts:
            self._event(writer, chunk(text))
            await writer.drain()
            await asyncio.sleep(wait)
        if task == "cut":
            return False
        if task == "error inside":
            self._event(writer, '{"object": "error", "message": "secret-detail-of-the-api"}')
        else:
            usage = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
            self._event(writer, chunk("", "stop", usage))
            self._event(writer, "[DONE]")
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True

    def _event(self, writer, data):
        line = f"data: {data}\n\n".encode()
        writer.write(b"%x\r\n%s\r\n" % (len(line), line))

    async def _until_closed(self, reader):
        with contextlib.suppress(ConnectionError):
            await reader.read(1)
        self.ended += 1
        return False
