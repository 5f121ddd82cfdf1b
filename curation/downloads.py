"""A file of a version as an HTTP answer: Range, ETag and HEAD as download tools expect; for pages and API alike."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse

from curation.models import DatasetVersion
from curation.services import exporting

KINDS = {
    "parquet": "application/vnd.apache.parquet",
    "jsonl": "application/x-ndjson",
    "tsv": "text/tab-separated-values",
}
OTHER = "application/octet-stream"


def download(request: Any, version: DatasetVersion, filename: str) -> HttpResponseBase:
    """The answer to GET or HEAD of a file, for the API and the pages alike."""
    file = exporting.file_of(version, filename)
    tag = f'"{file.sha256}"'
    headers = {"ETag": tag, "Accept-Ranges": "bytes", "Cache-Control": "private, max-age=0, must-revalidate"}
    if tag in request.headers.get("If-None-Match", ""):
        return HttpResponse(status=304, headers=headers)
    wanted = request.headers.get("Range", "")
    if request.headers.get("If-Range", tag) != tag:
        wanted = ""
    part = exporting.part(file, wanted)
    headers |= {
        "Content-Length": str(part.end - part.start),
        "Content-Disposition": f'attachment; filename="{filename}"',
        "Content-Type": KINDS.get(filename.rpartition(".")[2], OTHER),
    }
    if not part.whole:
        headers["Content-Range"] = f"bytes {part.start}-{part.end - 1}/{part.size}"
    if request.method == "HEAD":
        return HttpResponse(headers=headers)
    return StreamingHttpResponse(part.chunks(), status=200 if part.whole else 206, headers=headers)
