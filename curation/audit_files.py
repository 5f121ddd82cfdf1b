"""The audit log as a file: CSV and NDJSON, in the order of time; for pages and API alike."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Any

import orjson
from django.db.models import QuerySet
from django.http import StreamingHttpResponse

from curation.models import AuditEvent
from curation.services import auditing

COLUMNS = (
    "id",
    "at",
    "act",
    "who",
    "via",
    "token",
    "address",
    "project",
    "object_id",
    "object",
    "details",
)


def written(rows: QuerySet[AuditEvent], kind: str, name: str) -> StreamingHttpResponse:
    """The events as `csv` or `jsonl`."""
    lines = csv_lines(rows) if kind == "csv" else json_lines(rows)
    types = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}
    return StreamingHttpResponse(
        lines, content_type=types[kind], headers={"Content-Disposition": f'attachment; filename="{name}.{kind}"'}
    )


def told(rows: QuerySet[AuditEvent]) -> Iterator[dict[str, Any]]:
    slugs: dict[int, str] = {}
    for event in auditing.oldest_first(rows):
        if event.project_id and event.project_id not in slugs:
            slugs |= auditing.slugs_of([event])
        yield auditing.shown(event, slugs)


def json_lines(rows: QuerySet[AuditEvent]) -> Iterator[bytes]:
    for event in told(rows):
        yield orjson.dumps(event) + b"\n"


class Echo:
    """What csv writes a line into and gets it back from."""

    def write(self, line: str) -> str:
        return line


def csv_lines(rows: QuerySet[AuditEvent]) -> Iterator[str]:
    writer = csv.writer(Echo())
    yield writer.writerow(COLUMNS)
    for event in told(rows):
        thing = event["object"] or {"id": "", "name": ""}
        details = orjson.dumps(event["details"]).decode() if event["details"] else ""
        flat = {**event, "at": event["at"].isoformat(), "object_id": thing["id"], "object": thing["name"]}
        yield writer.writerow([harmless(({**flat, "details": details})[column]) for column in COLUMNS])


def harmless(value: Any) -> Any:
    """A text that a spreadsheet would take for a formula, marked as text."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
