"""JSON through orjson: the one representation, apart from streams and files."""

from __future__ import annotations

from typing import Any

import orjson
from rest_framework.renderers import BaseRenderer


class JsonRenderer(BaseRenderer):
    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        return b"" if data is None else orjson.dumps(data, default=str)


class ProblemRenderer(JsonRenderer):
    """Errors after RFC 9457."""

    media_type = "application/problem+json"
    format = "problem"
