"""A Hugging Face Hub for tests: a real HTTP server with the few addresses that a look at a model takes."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SHA = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """Repositories by id, each with its files by name; `asked` keeps every path that was asked for."""

    def __init__(self) -> None:
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.asked: list[str] = []

    def info(self, name: str) -> bytes:
        siblings = []
        for path, data in self.repositories[name].items():
            entry: dict[str, object] = {
                "rfilename": path,
                "size": len(data),
                "blobId": hashlib.sha1(data, usedforsecurity=False).hexdigest(),
            }
            if path.endswith(".safetensors"):
                entry["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
            siblings.append(entry)
        return json.dumps({"id": name, "modelId": name, "sha": SHA, "siblings": siblings}).encode()


@contextmanager
def serving() -> Iterator[tuple[Hub, str]]:
    """The Hub and its address."""
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            hub.asked.append(self.path)
            path = self.path.partition("?")[0].removeprefix("/")
            kind = next((one for one in ("api/models/", "api/datasets/") if path.startswith(one)), "")
            if kind:
                name, _, revision = path.removeprefix(kind).partition("/revision/")
                if name not in hub.repositories:
                    return self.answer(404, b"{}", code="RepoNotFound")
                if revision not in ("", "main", SHA):
                    return self.answer(404, b"{}", code="RevisionNotFound")
                return self.answer(200, hub.info(name))
            name, _, rest = path.removeprefix("datasets/").partition("/resolve/")
            revision, _, file = rest.partition("/")
            data = hub.repositories.get(name, {}).get(file)
            if data is None or revision != SHA:
                return self.answer(404, b"", code="EntryNotFound")
            if wanted := self.headers.get("Range"):
                first, last = wanted.removeprefix("bytes=").split("-")
                return self.answer(206, data[int(first) : int(last) + 1])
            return self.answer(200, data)

        def answer(self, status: int, data: bytes, code: str = "") -> None:
            self.send_response(status)
            if code:
                self.send_header("X-Error-Code", code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.send_header("X-Repo-Commit", SHA)
            self.send_header("ETag", f'"{hashlib.sha1(data, usedforsecurity=False).hexdigest()}"')
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        def do_HEAD(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hub, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
