"""Fields that take what the schema says and nothing like it: a number is no text, a text no number, 1 not true."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

ANYTHING = {"type": ["object", "array", "string", "number", "boolean"]}


@extend_schema_field(ANYTHING)
class Json(serializers.JSONField):
    """Any JSON but null; the service says what it may hold."""


class Text(serializers.CharField):
    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


class Slug(serializers.SlugField):
    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


class Whole(serializers.IntegerField):
    """A whole number; 2.0 is one in JSON."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int | float) or data != data // 1:
            self.fail("invalid")
        return int(super().to_internal_value(int(data)))


class Real(serializers.FloatField):
    """A finite number."""

    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, bool) or not isinstance(data, int | float):
            self.fail("invalid")
        value = float(super().to_internal_value(data))
        if value - value != 0:
            self.fail("invalid")
        return value


class Moment(serializers.DateTimeField):
    """A moment with its time zone; where null is allowed, nothing at all is null too."""

    def validate_empty_values(self, data: Any) -> tuple[bool, Any]:
        return super().validate_empty_values(None if data == "" and self.allow_null else data)


class Reference(serializers.UUIDField):
    """The id of a run; where null is allowed, nothing at all is null too."""

    def validate_empty_values(self, data: Any) -> tuple[bool, Any]:
        return super().validate_empty_values(None if data == "" and self.allow_null else data)


class Flag(serializers.BooleanField):
    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data
