"""A real receiver of webhooks: an HTTP server in a thread, which verifies signatures with the reference library."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from standardwebhooks.webhooks import Webhook


class Receiver(http.server.ThreadingHTTPServer):
    """Answers with the statuses in `moods`, then 204. `secret` verifies; `messages` are those that came."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.moods: list[int] = []
        self.messages: list[tuple[dict[str, str], Any]] = []
        self.secret = ""
        self.unsigned = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook?x=1"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            message = Webhook(self.server.secret).verify(body, headers)
        except Exception:
            self.server.unsigned += 1
            self.send_response(401)
            self.end_headers()
            return
        self.server.messages.append((headers, message))
        status = self.server.moods.pop(0) if self.server.moods else 204
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing on the test's output."""


@contextmanager
def receiving() -> Iterator[Receiver]:
    server = Receiver()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
