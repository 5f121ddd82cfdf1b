"""Evaluations over the API; one is started as any run, with the method `evaluate`."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response as Reply
from rest_framework.views import APIView

from curation.api import fields
from curation.api.auth import caller
from curation.api.datasets import Streamable
from curation.api.pages import CURSOR, LIMITED, page
from curation.downloads import send
from curation.models import Evaluation
from curation.services import registry
from curation.services.evaluating import showing
from curation.services.exporting import Content


class EvaluationShape(serializers.Serializer):
    id = fields.Whole()
    model = fields.Whole(source="model_id")
    model_name = fields.Text(source="model")
    benchmark = fields.Text()
    project = fields.Slug(
        source="project.slug", default=None, allow_null=True, help_text="whose own pairs they are, of gold"
    )
    axis = fields.Text(help_text="of gold")
    main = fields.Text(help_text="the figure that stands for the whole")
    value = fields.Real(help_text="of the main figure")
    scores = fields.Json(help_text="of each figure: value, low, high, n")
    n = fields.Whole(help_text="cases judged")
    total = fields.Whole(help_text="cases that there are")
    rows_from = fields.Json(source="source", help_text="where the rows were from; digests of cases and results")
    run = serializers.UUIDField(source="run_id")
    created_at = serializers.DateTimeField()


class EvaluationRows(serializers.Serializer):
    results = EvaluationShape(many=True)
    next = fields.Text(allow_null=True)


def shown(one: Evaluation) -> dict[str, Any]:
    return dict(EvaluationShape(one).data)


class ModelEvaluationsView(APIView):
    """All evaluations of a model that the caller may know of."""

    @extend_schema(operation_id="list_evaluations", parameters=[CURSOR, LIMITED], responses=EvaluationRows)
    def get(self, request: Request, model_id: int) -> Reply:
        model = registry.find(caller(request), model_id)
        return page(request, showing.visible(caller(request)).filter(model=model), shown)


class LeaderboardView(APIView):
    """The newest evaluation of each model on each benchmark."""

    @extend_schema(operation_id="leaderboard", parameters=[CURSOR, LIMITED], responses=EvaluationRows)
    def get(self, request: Request) -> Reply:
        return page(request, showing.newest(showing.visible(caller(request))), shown)


class EvaluationResultsView(Streamable):
    """What the model said of each case, a line each."""

    @extend_schema(
        operation_id="get_results",
        responses={(status, "application/x-ndjson"): OpenApiTypes.BINARY for status in (200, 206)},
    )
    def get(self, request: Request, evaluation_id: int) -> HttpResponseBase:
        found = showing.find(caller(request), evaluation_id)
        path = showing.results_file(found)
        return send(request, Content.of(path, found.source["bytes"], found.source["results"]))
