"""Import over the API: a file as the body or in a form, or items as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser, JSONParser, MultiPartParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response as Reply
from rest_framework.views import APIView

from curation import access
from curation.api import fields
from curation.api.auth import caller
from curation.api.idempotency import idempotent
from curation.api.runs import shown
from curation.api.shapes import RunShape
from curation.errors import Invalid
from curation.models import User
from curation.services import importing
from curation.services.importing.asking import is_small
from curation.services.importing.rows import PAIRINGS
from workers.readers.columns import USUAL

FORMAT = OpenApiParameter("format", str, description="a format's name, or auto")
PAIRING = OpenApiParameter("pairing", str, enum=PAIRINGS, description="which responses of an item to compare")
MAPPING = OpenApiParameter(
    "mapping",
    str,
    many=True,
    description=f"which column is what in a table: ROLE=COLUMN, once for each role that needs it ({', '.join(USUAL)})",
)
SOURCE = OpenApiParameter("source", str, description="the name of what the items come from, such as a published set")
LICENCE = OpenApiParameter("licence", str, description="of the source: an SPDX id where it has one, such as CC-BY-4.0")
SOURCE_URL = OpenApiParameter("source_url", str, description="where the source is found")
FILENAME = OpenApiParameter("filename", str, description="what to call the file in the report")


class AlwaysJson(DefaultContentNegotiation):
    """Here `?format=` is about the file that comes in, not about the answer."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        only = next(iter(renderers))
        return only, only.media_type


class RawParser(BaseParser):
    """Any body that is not a form, left unread: the file itself."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        return stream


class ItemsShape(serializers.Serializer):
    items = serializers.ListField(child=fields.Json(), min_length=1, max_length=1000)


class ImportView(APIView):
    """Import a file: JSONL, JSON, CSV or Parquet, gzip allowed."""

    parser_classes = [MultiPartParser, RawParser]
    content_negotiation_class = AlwaysJson

    @extend_schema(
        operation_id="import_file",
        parameters=[FORMAT, PAIRING, MAPPING, FILENAME, SOURCE, LICENCE, SOURCE_URL],
        request={"application/octet-stream": OpenApiTypes.BINARY, "application/x-ndjson": OpenApiTypes.STR},
        responses={200: RunShape, 202: RunShape},
    )
    @idempotent
    def post(self, request: Request, slug: str) -> Reply:
        project = access.project_for(request.user, slug, access.FEED)
        user = caller(request)
        got = received(request, user, "companion")
        options: dict[str, Any] = {
            "filename": got.name,
            "format": request.query_params.get("format", "auto"),
            "pairing": request.query_params.get("pairing", "auto"),
            "mapping": importing.mapping_from(request.query_params.getlist("mapping")),
            "companion": got.beside,
            **{name: request.query_params.get(name, "") for name in ("source", "licence", "source_url")},
            "move": True,
        }
        if is_small(got.path):
            return Reply(shown(importing.import_now(project=project, user=user, path=got.path, **options)))
        return Reply(shown(importing.request_import(project=project, user=user, path=got.path, **options)), status=202)


class ItemsView(APIView):
    """Up to 1 000 items with their responses, inserted or updated by external id."""

    parser_classes = [JSONParser]

    @extend_schema(operation_id="upsert_items", request=ItemsShape, responses=RunShape)
    @idempotent
    def post(self, request: Request, slug: str) -> Reply:
        project = access.project_for(request.user, slug, access.FEED)
        body = ItemsShape(data=request.data)
        body.is_valid(raise_exception=True)
        run = importing.upsert_items(project=project, user=caller(request), items=body.validated_data["items"])
        return Reply(shown(run))


@dataclass(frozen=True, slots=True)
class Received:
    """An upload that is kept, and the file that came beside it in its form."""

    path: Path
    name: str
    beside: Path | None = None
    beside_name: str = ""


def received(request: Request, user: User, beside: str) -> Received:
    """What came as the body, or as `file` in a form with another file under the name `beside`. Raises Invalid."""
    folder = settings.VAR_DIR / "uploads" / str(user.pk)

    def kept(chunks: Iterable[bytes]) -> Path:
        return folder / str(importing.keep_upload(chunks, user=user))

    if (request.content_type or "").startswith("multipart/"):
        files = request.FILES
        if "file" not in files:
            raise Invalid("is missing", field="file")
        file, other = files["file"], files.get(beside)
        path = kept(file.chunks())
        return Received(path, file.name, kept(other.chunks()), other.name) if other else Received(path, file.name)
    return Received(kept(body_of(request)), request.query_params.get("filename", "upload"))


def body_of(request: Request) -> Iterator[bytes]:
    """The raw body in chunks, never held whole."""
    stream = request._request
    while chunk := stream.read(2**20):
        yield chunk
