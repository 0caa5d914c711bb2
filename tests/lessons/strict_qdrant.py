"""A small imitation of a Qdrant server on 127.0.0.1, as strict as Qdrant Cloud's documentation says it is.

It refuses filters on fields without an index (strict mode, which Qdrant Cloud switches on for new
collections) and requests of more than 32 MiB. Behind it stands the client's own engine in memory. No
server is at hand here: this shows what the lesson sends, not what a server makes of it.
"""

import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from qdrant_client import QdrantClient, models

LARGEST = 32 * 1024 * 1024


class Refused(Exception):
    """A 400, with its message."""


class StrictQdrant:
    """What the server knows: its engine, the fields with an index, the sizes of requests in bytes."""

    def __init__(self):
        self.engine = QdrantClient(":memory:")
        self.indexes, self.sizes = {}, []
        self.lock = threading.Lock()

    def collections(self):
        return [found.name for found in self.engine.get_collections().collections]

    def answer(self, method, parts, body):
        """The `result` of a request."""
        match method, parts:
            case "GET", ["collections"]:
                return {"collections": [{"name": name} for name in self.collections()]}
            case "GET", ["aliases"]:
                return self.engine.get_aliases().model_dump(mode="json")
            case "POST", ["collections", "aliases"]:
                actions = models.ChangeAliasesOperation(**body).actions
                return self.engine.update_collection_aliases(actions)
            case "GET", ["collections", name]:
                return self.engine.get_collection(name).model_dump(mode="json")
            case "PUT", ["collections", name]:
                self.indexes[name] = set()
                vectors = models.CreateCollection(**body).vectors
                return self.engine.create_collection(name, vectors_config=vectors)
            case "DELETE", ["collections", name]:
                return self.engine.delete_collection(name)
            case "PUT", ["collections", name, "index"]:
                self.indexes[name].add(body["field_name"])
                asked = models.CreateFieldIndex(**body)
                self.engine.create_payload_index(name, asked.field_name, asked.field_schema)
            case "PUT", ["collections", name, "points"]:
                self.engine.upsert(name, models.PointsList(**body).points)
            case "POST", ["collections", name, "points", "delete"]:
                self.check(name, body)
                self.engine.delete(name, models.FilterSelector(**body).filter)
            case "POST", ["collections", name, "points", "count"]:
                return self.engine.count(name).model_dump(mode="json")
            case "POST", ["collections", name, "points", "query"]:
                self.check(name, body)
                return self.query(name, models.QueryRequest(**body))
            case _:
                raise AssertionError(f"the imitation has no {method} {parts}")
        return {"operation_id": 0, "status": "completed"}

    def query(self, name, asked):
        found = self.engine.query_points(
            name,
            query=asked.query,
            prefetch=asked.prefetch,
            using=asked.using,
            query_filter=asked.filter,
            limit=asked.limit,
        )
        return found.model_dump(mode="json")

    def check(self, name, body):
        """Raise `Refused` for a filter on a field that has no index."""
        names = {
            alias.alias_name: alias.collection_name for alias in self.engine.get_aliases().aliases
        }
        for field in fields(body):
            if field not in self.indexes[names.get(name, name)]:
                raise Refused(f'Bad request: Index required but not found for "{field}"')


def fields(body):
    """The fields that a request filters or ranks by."""
    if isinstance(body, dict):
        if "match" in body or "range" in body:
            yield body["key"]
        if body.get("using"):
            yield body["using"]
        for part in body.values():
            yield from fields(part)
    elif isinstance(body, list) and body and isinstance(body[0], dict):
        for part in body:
            yield from fields(part)


@contextlib.contextmanager
def serving():
    """A server for the time of a with block: (its address, the `StrictQdrant`)."""
    qdrant = StrictQdrant()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def respond(self):
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
            qdrant.sizes.append(len(raw))
            parts = self.path.partition("?")[0].strip("/").split("/")
            try:
                if len(raw) > LARGEST:
                    sizes = f"({len(raw)} bytes) is larger than allowed (limit: {LARGEST} bytes)"
                    raise Refused(f"Payload error: JSON payload {sizes}.")
                with qdrant.lock:
                    result = qdrant.answer(self.command, parts, json.loads(raw) if raw else {})
                status, answer = 200, {"result": result, "status": "ok", "time": 0.0}
            except Refused as refused:
                status, answer = 400, {"status": {"error": str(refused)}, "time": 0.0}
            except ValueError as error:
                status, answer = 400, {"status": {"error": f"Wrong input: {error}"}, "time": 0.0}
            sent = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_PUT = do_POST = do_DELETE = respond

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", qdrant
    finally:
        server.shutdown()
        server.server_close()
        qdrant.engine.close()
