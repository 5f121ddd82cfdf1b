"""Requests as data, and what is common to sending them: both clients, the waiting and the awaiting one, use these."""

from __future__ import annotations

import json
import os
import random
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

API = "/api/v1"
TRIES = 5
AGAIN = (429, 502, 503, 504)
BATCH = 1000
"""Suggestions sent at once, the most that the server takes."""


@dataclass(frozen=True)
class Call:
    """One request. With a key it may be sent again: the server does it once."""

    method: str
    path: str
    params: dict[str, Any] = field(default_factory=dict)
    json: Any = None
    content: Path | None = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def repeatable(self) -> bool:
        return self.method in ("GET", "HEAD") or "Idempotency-Key" in self.headers


def get(path: str, **params: Any) -> Call:
    return Call("GET", path, {name: value for name, value in params.items() if value is not None})


def post(path: str, body: Any = None, key: str = "", **params: Any) -> Call:
    told = {name: value for name, value in params.items() if value is not None}
    return Call("POST", path, told, json=body if body is not None else {}, headers=keyed(key))


def keyed(key: str = "") -> dict[str, str]:
    return {"Idempotency-Key": key or uuid.uuid4().hex}


def settings(url: str | None, token: str | None) -> tuple[str, str]:
    """Address and token as given, or from TOUCHSTONE_URL and TOUCHSTONE_TOKEN. Raises ValueError without them."""
    address = (url or os.environ.get("TOUCHSTONE_URL", "")).rstrip("/").removesuffix(API)
    secret = token or os.environ.get("TOUCHSTONE_TOKEN", "")
    if not address:
        raise ValueError("no address: give url, or set TOUCHSTONE_URL")
    if not secret:
        raise ValueError("no token: give token, or set TOUCHSTONE_TOKEN (Account → API tokens)")
    return address, secret


def pause(attempt: int, retry_after: str | None) -> float:
    """Seconds to wait before the next attempt: what the server asks for, else twice as long each time."""
    if retry_after and retry_after.isdigit():
        return min(60.0, float(retry_after))
    return float(0.2 * 2**attempt * random.uniform(0.5, 1.0))


def project(slug: str) -> str:
    return f"{API}/projects/{quote(slug, safe='')}"


def dataset(slug: str, name: str) -> str:
    return f"{project(slug)}/datasets/{quote(name, safe='')}"


def version(slug: str, name: str, number: int) -> str:
    return f"{dataset(slug, name)}/versions/{number}"


@contextmanager
def import_call(slug: str, rows: Any, options: dict[str, Any]) -> Iterator[Call]:
    """An import of a file (a path), or of rows, which wait as JSON lines in a file until they are sent."""
    params = {name: value for name, value in options.items() if value is not None}
    url = f"{project(slug)}/import"
    if isinstance(rows, str | Path):
        params.setdefault("filename", Path(rows).name)
        yield Call("POST", url, params, content=Path(rows), headers=headers_of("application/octet-stream"))
        return
    params.setdefault("filename", "rows.jsonl")
    with tempfile.TemporaryDirectory(prefix="touchstone-") as folder:
        path = Path(folder) / "rows.jsonl"
        with path.open("wb") as file:
            file.writelines(json.dumps(row, ensure_ascii=False, default=str).encode() + b"\n" for row in rows)
        yield Call("POST", url, params, content=path, headers=headers_of("application/x-ndjson"))


def headers_of(kind: str) -> dict[str, str]:
    return {"Content-Type": kind, **keyed()}


def suggestion_calls(
    slug: str, annotator: dict[str, Any], suggestions: Iterable[dict[str, Any]]
) -> Iterator[tuple[int, Call]]:
    """Suggestions in batches, each with the index of its first."""
    batch: list[dict[str, Any]] = []
    start = 0
    for one in suggestions:
        batch.append(one)
        if len(batch) == BATCH:
            yield start, post(f"{project(slug)}/suggestions", {"annotator": annotator, "suggestions": batch})
            start, batch = start + BATCH, []
    if batch:
        yield start, post(f"{project(slug)}/suggestions", {"annotator": annotator, "suggestions": batch})


def add_up(total: dict[str, Any], landed: dict[str, Any], start: int) -> None:
    """Add what became of one batch to the whole; indexes count from the first of all."""
    for name in ("created", "replaced", "unchanged"):
        total[name] = total.get(name, 0) + landed.get(name, 0)
    for name in ("rejected", "placed"):
        moved = [{**one, "index": one["index"] + start} for one in landed.get(name, [])]
        total.setdefault(name, []).extend(moved)
