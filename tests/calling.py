"""A small HTTP client for tests against a served instance: bearer token, JSON in and out."""

from __future__ import annotations

import http.client
from typing import Any
from urllib.parse import urlsplit

import orjson


class Caller:
    """One keep-alive connection of one user."""

    def __init__(self, url: str, token: str) -> None:
        self.connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Status and decoded body (None when there is none)."""
        payload = orjson.dumps(body) if body is not None else None
        self.connection.request(method, f"/api/v1/{path}", payload, {**self.headers, **headers})
        response = self.connection.getresponse()
        data = response.read()
        return response.status, orjson.loads(data) if data else None

    def close(self) -> None:
        self.connection.close()
