"""Pictures that messages name by their hash."""

from __future__ import annotations

from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from curation import access
from curation.api.datasets import Streamable
from curation.services.images import image_of
from curation.serving import picture


class ImageView(Streamable):
    """A picture, by the SHA-256 of its bytes. PNG, JPEG, GIF or WebP; it never changes under its address."""

    @extend_schema(operation_id="get_image", responses={200: OpenApiTypes.BINARY})
    def get(self, request: Request, slug: str, sha256: str) -> HttpResponseBase:
        return picture(request, image_of(access.project_for(request.user, slug, access.SEE), sha256))
