"""The OpenAPI document: what every operation has in common, said once.

A list is a page with a cursor, every error a problem, a POST that is remembered takes an Idempotency-Key, an edit an
If-Match; and the two ways of signing in.
"""

from __future__ import annotations

from typing import Any, Literal

from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter

from curation.api import shapes
from curation.api.pages import CURSOR, LIMITED

Schema = dict[str, Any]
KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="the same request with the same key gets the first answer, and does nothing again",
)
IF_MATCH = OpenApiParameter(
    "If-Match", str, OpenApiParameter.HEADER, description="the ETag that was read: 412 if somebody changed it since"
)


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "curation.api.auth.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "A token of your account: `Bearer ts_…`"}


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "curation.api.auth.BrowserSession"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "apiKey", "in": "cookie", "name": "sessionid"}


class TextSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """What a text of a request may not hold: NUL, which no database stores, and nothing but blanks."""

    target_class = "curation.api.fields.Text"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> Schema:
        found: Schema = auto_schema._map_serializer_field(self.target, direction, bypass_extensions=True)
        if isinstance(found.get("type"), list):
            found["type"] = found["type"][0]  # null is added again by what called this
        if direction == "request":
            some = "" if self.target.allow_blank else "[^\\s\\u0000][^\\u0000]*"
            found["pattern"] = f"^[^\\u0000]*{some}$"
        return found


class Keyset:
    """How a list is paged: by `?cursor=&limit=`."""

    def get_schema_operation_parameters(self, view: Any) -> list[Schema]:
        return [
            {"name": one.name, "in": "query", "description": one.description, "schema": one.type}
            for one in (CURSOR, LIMITED)
        ]

    def get_paginated_response_schema(self, schema: Schema) -> Schema:
        cursor = {"type": ["string", "null"], "description": "of the next page; null at the end"}
        return {"type": "object", "required": ["results", "next"], "properties": {"results": schema, "next": cursor}}


class ApiSchema(AutoSchema):  # type: ignore[misc]
    """drf-spectacular's description of a view, with what all operations here share."""

    def _get_paginator(self) -> Keyset:
        return Keyset()

    def get_override_parameters(self) -> list[Any]:
        handler = getattr(self.view, self.method.lower(), None)
        shared = []
        if getattr(handler, "idempotent", False):
            shared.append(KEY)
        if getattr(handler, "guarded", False):
            shared.append(IF_MATCH)
        return shared

    def _get_response_bodies(self, direction: Literal["request", "response"] = "response") -> Schema:
        bodies: Schema = super()._get_response_bodies(direction)
        problem = self.resolve_serializer(shapes.Problem, "response").ref
        bodies.setdefault(
            "4XX", {"description": "A problem", "content": {"application/problem+json": {"schema": problem}}}
        )
        return bodies
