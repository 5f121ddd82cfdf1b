"""Serializers: what requests may hold and what answers look like. They validate and never save."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from curation.models import Protocol, Role


class AxisShape(serializers.Serializer):
    name = serializers.SlugField(max_length=40)
    question = serializers.CharField(max_length=300)


class ProtocolShape(serializers.Serializer):
    version = serializers.IntegerField(read_only=True)
    guidelines = serializers.CharField(required=False, allow_blank=True, max_length=50_000, trim_whitespace=False)
    axes = AxisShape(many=True, required=False)
    strengths = serializers.IntegerField(required=False, min_value=1, max_value=3)
    allow_tie = serializers.BooleanField(required=False)
    allow_both_bad = serializers.BooleanField(required=False)
    rationale = serializers.ChoiceField(choices=Protocol.Rationale.choices, required=False)


class ProjectShape(serializers.Serializer):
    slug = serializers.SlugField()
    name = serializers.CharField()
    description = serializers.CharField()
    overlap = serializers.IntegerField()
    items = serializers.IntegerField(source="item_count")
    tasks = serializers.IntegerField(source="task_count")
    protocol = ProtocolShape()
    created_at = serializers.DateTimeField()


class NewProject(serializers.Serializer):
    slug = serializers.SlugField(max_length=80)
    name = serializers.CharField(max_length=160)
    description = serializers.CharField(required=False, allow_blank=True, max_length=10_000)
    preset = serializers.CharField(required=False, default="pairwise", max_length=40)


class ProjectChange(serializers.Serializer):
    name = serializers.CharField(required=False, max_length=160)
    description = serializers.CharField(required=False, allow_blank=True, max_length=10_000)
    overlap = serializers.IntegerField(required=False, min_value=1, max_value=50)


class MessageShape(serializers.Serializer):
    role = serializers.CharField()
    content = serializers.CharField()


class ShownResponse(serializers.Serializer):
    text = serializers.CharField()
    messages = MessageShape(many=True)


class TaskShape(serializers.Serializer):
    id = serializers.IntegerField()
    kind = serializers.CharField()
    prompt = MessageShape(many=True)
    responses = ShownResponse(many=True, help_text="in shown order; negative values prefer the first")
    axes = AxisShape(many=True)
    strengths = serializers.IntegerField()
    expires_at = serializers.DateTimeField()


class NextQuery(serializers.Serializer):
    exclude = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=2**63 - 1), required=False, max_length=50
    )


class ProgressShape(serializers.Serializer):
    done = serializers.IntegerField()
    total = serializers.IntegerField()
    skipped = serializers.IntegerField()
    left = serializers.IntegerField()


class NextTask(serializers.Serializer):
    task = TaskShape()
    progress = ProgressShape()


class JudgementShape(serializers.Serializer):
    axis = serializers.CharField(max_length=40)
    value = serializers.IntegerField(required=False, allow_null=True, min_value=-3, max_value=3)
    both_bad = serializers.BooleanField(required=False, default=False)


class Submission(serializers.Serializer):
    preferences = JudgementShape(many=True, allow_empty=False)
    rationale = serializers.CharField(required=False, allow_blank=True, max_length=20_000, trim_whitespace=False)
    active_ms = serializers.IntegerField(required=False, allow_null=True, min_value=0, max_value=86_400_000)


def excluded(data: Any) -> list[int]:
    """The task ids of a request for the next task; the usual bodies are checked without a serializer."""
    if data == {}:
        return []
    query = NextQuery(data=data)
    query.is_valid(raise_exception=True)
    return list(query.validated_data.get("exclude", ()))


def submission(data: Any) -> dict[str, Any]:
    """A checked submission."""
    body = Submission(data=data)
    body.is_valid(raise_exception=True)
    return dict(body.validated_data)


class SkipShape(serializers.Serializer):
    reason = serializers.CharField(required=False, allow_blank=True, max_length=300)
    active_ms = serializers.IntegerField(required=False, allow_null=True, min_value=0, max_value=86_400_000)


class AnnotationRef(serializers.Serializer):
    id = serializers.IntegerField()
    event = serializers.CharField()
    task = serializers.IntegerField(source="task_id")


class Committed(serializers.Serializer):
    annotation = AnnotationRef()
    progress = ProgressShape()


class RunShape(serializers.Serializer):
    id = serializers.UUIDField()
    project = serializers.SlugField(source="project.slug")
    method = serializers.CharField()
    params = serializers.JSONField()
    state = serializers.CharField()
    done = serializers.IntegerField()
    total = serializers.IntegerField(allow_null=True)
    unit = serializers.CharField()
    percent = serializers.IntegerField(allow_null=True)
    result = serializers.JSONField()
    error = serializers.CharField()
    attempts = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)


class NewRun(serializers.Serializer):
    method = serializers.CharField(max_length=60)
    params = serializers.DictField(required=False)


class RunLog(serializers.Serializer):
    log = serializers.CharField()


class MemberShape(serializers.Serializer):
    username = serializers.CharField(source="user.username")
    display_name = serializers.CharField(source="user.display_name")
    role = serializers.ChoiceField(choices=Role.choices)


class Problem(serializers.Serializer):
    """application/problem+json (RFC 9457)."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    errors = serializers.ListField(child=serializers.DictField(), required=False)  # type: ignore[assignment]
