"""A file as an HTTP answer: Range, ETag and HEAD as download tools expect; for pages, API and Hub alike."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse

from curation.api.problems import problem
from curation.models import Act, DatasetVersion, Project
from curation.services import auditing, exporting

KINDS = {
    "parquet": "application/vnd.apache.parquet",
    "jsonl": "application/x-ndjson",
    "tsv": "text/tab-separated-values",
    "json": "application/json",
    "md": "text/markdown",
}
OTHER = "application/octet-stream"


def download(request: Any, version: DatasetVersion, filename: str) -> HttpResponseBase:
    """The answer to GET or HEAD of a version's file."""
    reply = send(request, exporting.content_of(version, filename))
    note(request, reply, version.dataset.project, f"{version.dataset.name} v{version.number}/{filename}")
    return reply


def note(request: Any, reply: HttpResponseBase, project: Project | None, what: str) -> None:
    """Record that a file went out: where its beginning did, since tools fetch the rest in parts."""
    if request.method == "GET" and reply.status_code == 200 or reply.get("Content-Range", "").startswith("bytes 0-"):
        auditing.record(Act.DOWNLOADED, project=project, what=what)


def send(request: Any, content: exporting.Content, extra: dict[str, str] | None = None) -> HttpResponseBase:
    """The answer to GET or HEAD of a file; `extra` are more headers of it."""
    tag = f'"{content.sha256}"'
    headers = {"ETag": tag, "Accept-Ranges": "bytes", "Cache-Control": "private, max-age=0, must-revalidate"}
    headers |= extra or {}
    if tag in request.headers.get("If-None-Match", ""):
        return HttpResponse(status=304, headers=headers)
    wanted = request.headers.get("Range", "")
    if request.method == "HEAD" or request.headers.get("If-Range", tag) != tag:
        wanted = ""
    try:
        part = exporting.part(content, wanted)
    except exporting.OutOfRange as error:
        refused = problem(error.status, error.detail, title=error.title)
        refused["Content-Range"] = f"bytes */{content.size}"
        return refused
    headers |= {
        "Content-Length": str(part.end - part.start),
        "Content-Disposition": f'attachment; filename="{content.name}"',
        "Content-Type": KINDS.get(content.name.rpartition(".")[2], OTHER),
    }
    if not part.whole:
        headers["Content-Range"] = f"bytes {part.start}-{part.end - 1}/{content.size}"
    status = 200 if part.whole else 206
    if request.method == "HEAD":
        return HttpResponse(status=status, headers=headers)
    return StreamingHttpResponse(part.chunks(), status=status, headers=headers)
