"""A small keep-alive client: the standard library's, so that the load generator takes little from the servers."""

from __future__ import annotations

import http.client
import time
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import orjson

IDLE_MOST = 20.0
"""Reconnect after this many idle seconds, before the server (keep-alive 30) hangs up between two calls."""


class Unexpected(Exception):
    """A server answered otherwise than the measure needs."""


@dataclass
class Client:
    """One connection to a port of this machine. It can be sent to another process until its first call."""

    port: int
    headers: dict[str, str] = field(default_factory=dict)
    timeout: float = 900
    seconds: float = 0.0
    """How long the last call took, from its first byte out to its last byte in."""
    connection: http.client.HTTPConnection | None = None
    used: float = 0.0

    def call(
        self,
        method: str,
        path: str,
        body: bytes | BinaryIO | None = None,
        headers: dict[str, str] | None = None,
    ) -> http.client.HTTPResponse:
        """The answer, not yet read. Nothing is sent twice: a broken connection is the caller's to count."""
        if self.connection is None or time.monotonic() - self.used > IDLE_MOST:
            self.close()
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout)
        self.connection.request(method, path, body, {**self.headers, **(headers or {})})
        return self.connection.getresponse()

    def exchange(
        self, method: str, path: str, body: bytes | BinaryIO | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Status and body; the time is kept in `seconds`."""
        begun = time.perf_counter()
        try:
            answer = self.call(method, path, body, headers)
            content = answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        self.seconds = time.perf_counter() - begun
        self.used = time.monotonic()
        return answer.status, content

    def json(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """The parsed answer of a JSON call. Raises Unexpected outside 200, 201, 202 and 204."""
        sent = None if body is None else orjson.dumps(body)
        kind = {} if sent is None else {"Content-Type": "application/json"}
        status, content = self.exchange(method, path, sent, {**kind, **headers})
        if status not in (200, 201, 202, 204):
            raise Unexpected(f"{method} {path} answered {status}: {content[:300]!r}")
        return orjson.loads(content) if content else None

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None
