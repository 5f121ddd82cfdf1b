"""The newest checks of how people and models answer; they are made by a run of the method `check`."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response as Reply
from rest_framework.views import APIView

from curation import access
from curation.api import fields
from curation.api.auth import caller
from curation.api.pages import CURSOR, LIMITED, page
from curation.models import Check, Repeat
from curation.services.checking import telling


class CheckShape(serializers.Serializer):
    annotator = fields.Text()
    kind = fields.Text(source="annotator.kind", help_text="person, model or program")
    signals = fields.Json(help_text="by name: figures with their intervals; see docs/checks.md")
    flags = fields.Json(help_text="names of the signals that stand out: reasons to look, no verdict")
    run = serializers.UUIDField(source="run_id")
    created_at = serializers.DateTimeField()


class CheckRows(serializers.Serializer):
    results = CheckShape(many=True)
    next = fields.Text(allow_null=True)


def shown(one: Check) -> dict[str, Any]:
    return dict(CheckShape(one).data)


class ChecksView(APIView):
    """Of each annotator, what the newest finished run of the checks found."""

    @extend_schema(operation_id="list_checks", parameters=[CURSOR, LIMITED], responses=CheckRows)
    def get(self, request: Request, slug: str) -> Reply:
        project = access.project_for(caller(request), slug, access.READ)
        run = telling.latest(project)
        return page(request, telling.checks(run) if run else Check.objects.none(), shown)


class RepeatShape(serializers.Serializer):
    annotator = fields.Text()
    task = fields.Whole(source="task_id")
    annotation = fields.Whole(source="first_id", help_text="the answer that was repeated")
    order = fields.Text(help_text="as shown: ab or ba, the other than at first")
    state = fields.Text(help_text="open, answered or skipped")
    preferences = fields.Json(help_text="by axis, -3 to 3 in the order of the pair, or both_bad")
    rationale = fields.Text()
    active_ms = fields.Whole(allow_null=True)
    asked_at = serializers.DateTimeField()
    committed_at = serializers.DateTimeField(allow_null=True)


class RepeatRows(serializers.Serializer):
    results = RepeatShape(many=True)
    next = fields.Text(allow_null=True)


def as_asked(one: Repeat) -> dict[str, Any]:
    return dict(RepeatShape(one).data)


class RepeatsView(APIView):
    """Pairs that were asked again of the same person with the sides swapped. Nothing counts these answers but the
    checks; they are in no version."""

    @extend_schema(operation_id="list_repeats", parameters=[CURSOR, LIMITED], responses=RepeatRows)
    def get(self, request: Request, slug: str) -> Reply:
        project = access.project_for(caller(request), slug, access.READ)
        return page(request, Repeat.objects.filter(project=project).select_related("annotator"), as_asked)
