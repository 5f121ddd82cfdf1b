"""The safety gate of a project: the thresholds that were learnt last and what the last gate did."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response as Reply
from rest_framework.views import APIView

from curation import access
from curation.api import fields
from curation.api.auth import caller
from curation.services.guarding import showing


class GateModelShape(serializers.Serializer):
    id = serializers.IntegerField()
    name = fields.Text()
    number = serializers.IntegerField()


class GateRunShape(serializers.Serializer):
    run = serializers.UUIDField()
    model = GateModelShape(help_text="the cost model")
    params = fields.Json(help_text="what the run was started with; see docs/safety-gate.md")
    result = fields.Json(help_text="thresholds with their intervals and errors, or counts and figures")
    ended_at = serializers.DateTimeField()


class SafetyShape(serializers.Serializer):
    learnt = GateRunShape(allow_null=True, help_text="thresholds: the newest run of learn-gate")
    last = GateRunShape(allow_null=True, help_text="the newest run of safety-gate")


class SafetyView(APIView):
    """Thresholds and settings of the gate. Runs of `learn-gate` and `safety-gate` make them."""

    @extend_schema(operation_id="get_safety", responses=SafetyShape)
    def get(self, request: Request, slug: str) -> Reply:
        project = access.project_for(caller(request), slug, access.READ)
        return Reply(SafetyShape(showing.settings_of(project)).data)
