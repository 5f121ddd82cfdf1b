"""Bias reports and learning curves; they are made by runs of `bias-report` and `learning-curve`."""

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
from curation.models import BiasReport, LearningCurve
from curation.services.bias import telling


class BiasReportShape(serializers.Serializer):
    id = serializers.IntegerField()
    version = fields.Text(allow_null=True, help_text="of a dataset; null where it is on the whole project")
    told = fields.Json(help_text="pairs, answers, figures with their intervals, and the fit of style; see docs/bias.md")
    run = serializers.UUIDField(source="run_id")
    created_at = serializers.DateTimeField()


class BiasReportRows(serializers.Serializer):
    results = BiasReportShape(many=True)
    next = fields.Text(allow_null=True)


class LearningCurveShape(serializers.Serializer):
    id = serializers.IntegerField()
    told = fields.Json(help_text="points, law, gains, back-test, slices and advice; see docs/what-next.md")
    run = serializers.UUIDField(source="run_id")
    created_at = serializers.DateTimeField()


class LearningCurveRows(serializers.Serializer):
    results = LearningCurveShape(many=True)
    next = fields.Text(allow_null=True)


def report(one: BiasReport) -> dict[str, Any]:
    return dict(BiasReportShape(one).data)


def curve(one: LearningCurve) -> dict[str, Any]:
    return dict(LearningCurveShape(one).data)


class BiasReportsView(APIView):
    """What the preferences of the project and of its versions go by, each as its run found it; the newest last."""

    @extend_schema(operation_id="list_bias_reports", parameters=[CURSOR, LIMITED], responses=BiasReportRows)
    def get(self, request: Request, slug: str) -> Reply:
        return page(request, telling.reports(access.project_for(caller(request), slug, access.READ)), report)


class LearningCurvesView(APIView):
    """What more labels would bring, each as its run found it; the newest last."""

    @extend_schema(operation_id="list_learning_curves", parameters=[CURSOR, LIMITED], responses=LearningCurveRows)
    def get(self, request: Request, slug: str) -> Reply:
        project = access.project_for(caller(request), slug, access.READ)
        return page(request, LearningCurve.objects.filter(project=project).order_by("pk"), curve)
