"""Rows as NDJSON, which is how raw data leaves over the API in one go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import orjson
from django.http import StreamingHttpResponse
from rest_framework.request import Request

from curation.models import Act, Project
from curation.services import auditing

NDJSON = "application/x-ndjson"
CSV = "text/csv"


def wants_stream(request: Request) -> bool:
    return NDJSON in request.headers.get("Accept", "")


def streamed(rows: Iterable[dict[str, Any]], project: Project | None = None, what: str = "") -> StreamingHttpResponse:
    """Rows as NDJSON, some hundred at a time. `what` of which project goes out is recorded."""
    if project is not None:
        auditing.record(Act.ROWS_READ, project=project, what=what)

    def chunks() -> Iterator[bytes]:
        source = iter(rows)
        while some := list(islice(source, 500)):
            yield b"".join(orjson.dumps(row, default=str) + b"\n" for row in some)

    return StreamingHttpResponse(chunks(), content_type=NDJSON)
