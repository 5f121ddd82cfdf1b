"""What goes wrong: an answer that is a problem, a run that did not succeed, a server that is not there."""

from __future__ import annotations

import json
from typing import Any


class Problem(Exception):
    """The server's problem document (RFC 9457): `status`, `title`, `detail`, and `errors` by field."""

    def __init__(self, status: int, document: dict[str, Any]) -> None:
        self.status = status
        self.title = str(document.get("title", ""))
        self.detail = str(document.get("detail", ""))
        self.errors: list[dict[str, Any]] = document.get("errors", [])
        fields = "; ".join(f"{one.get('field')}: {one.get('detail')}" for one in self.errors)
        super().__init__(f"{status} {self.title}: {self.detail}" + (f" ({fields})" if fields else ""))

    @classmethod
    def of(cls, status: int, body: bytes) -> Problem:
        try:
            document = json.loads(body)
        except ValueError:
            document = {"detail": body[:300].decode("utf-8", "replace")}
        return cls(status, document if isinstance(document, dict) else {"detail": str(document)})


class Unreachable(Exception):
    """No answer, after every attempt."""


class RunFailed(Exception):
    """A run ended otherwise than with success."""

    def __init__(self, method: str, state: str, error: str) -> None:
        super().__init__(f"{method} {state}" + (f": {error}" if error else ""))
        self.state, self.error = state, error
