"""Decided labels, how reliable annotators are, and which fit is in use."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response as Reply
from rest_framework.views import APIView

from curation import access
from curation.api import fields
from curation.api.datasets import Streamable
from curation.api.pages import CURSOR, LIMIT, LIMITED, MOST, number, page
from curation.api.streaming import streamed, wants_stream
from curation.errors import Invalid
from curation.models import Decision, Project, Reliability, Run
from curation.services import deciding, fits

RUN = OpenApiParameter(
    "run", {"type": "string", "maxLength": 40}, description="majority, in-use, or the id of a finished run of decide"
)
FIT = OpenApiParameter(
    "run", {"type": "string", "maxLength": 40}, description="in-use, or the id of a finished run of decide"
)


class DecisionShape(serializers.Serializer):
    kind = fields.Text(help_text="axis, rank, question or span")
    pair = fields.Whole(allow_null=True)
    responses = serializers.ListField(child=fields.Whole(), allow_null=True, help_text="of rankings, and of a fit")
    response = fields.Whole(allow_null=True, help_text="of questions and spans")
    start = fields.Whole(allow_null=True)
    end = fields.Whole(allow_null=True)
    task = fields.Whole()
    axis = fields.Text(help_text="the axis or question")
    outcome = fields.Text()
    answer = fields.Json(allow_null=True, help_text="to a question as it is given; of a span severity and polarity")
    value = fields.Real(allow_null=True)
    confidence = fields.Real()
    votes = fields.Whole()
    how = fields.Text(help_text="majority, the method of a fit, adjudicated or gold")
    run = serializers.UUIDField(allow_null=True, help_text="the fit that decided")
    annotations = serializers.ListField(child=fields.Whole())


class DecisionRows(serializers.Serializer):
    results = DecisionShape(many=True)
    next = fields.Text(allow_null=True)


class DecisionsView(Streamable):
    """Decided labels by cursor, or all as NDJSON: the majority of people's answers per pair, or with `run` what a fit
    decided of everything.

    A ranked item has one for each two of its responses, which `responses` names; `pair` is null. What people settled
    by hand stands in for the majority; a fit is told as it is.
    """

    @extend_schema(operation_id="list_decisions", parameters=[RUN, CURSOR, LIMITED], responses=DecisionRows)
    def get(self, request: Request, slug: str) -> HttpResponseBase:
        project = access.project_for(request.user, slug, access.READ)
        if request.query_params.get("run", fits.MAJORITY) != fits.MAJORITY:
            rows = Decision.objects.filter(run=fit_of(request, project)).select_related("task")
            if wants_stream(request):
                return streamed(
                    (kept(row) for row in rows.order_by("pk").iterator(chunk_size=1000)), project, "decisions"
                )
            return page(request, rows, kept)
        if wants_stream(request):
            found = deciding.decisions(project, deciding.Filters())
            return streamed((decision(row, project) for row in found), project, "decisions")
        limit = max(1, number(request, "limit", LIMIT, most=MOST))
        tasks = deciding.annotated_tasks(project, after=number(request, "cursor", 0), most=limit)
        found = deciding.decisions(project, deciding.Filters(), tasks=tasks)
        following = str(tasks[-1]) if len(tasks) == limit else None
        return Reply({"results": [decision(row, project) for row in found], "next": following})


class ReliabilityShape(serializers.Serializer):
    annotator = fields.Text()
    annotator_kind = fields.Text(help_text="person, model or program")
    kind = fields.Text(help_text="axis, rank, question or span; empty: everything together")
    axis = fields.Text()
    value = fields.Real(allow_null=True, help_text="null: nobody else answered what they did")
    low = fields.Real(allow_null=True)
    high = fields.Real(allow_null=True)
    n = fields.Whole()
    confusion = fields.Json()


class ReliabilityRows(serializers.Serializer):
    results = ReliabilityShape(many=True)
    next = fields.Text(allow_null=True)


class ReliabilitiesView(APIView):
    """How often each annotator is right, with 95 % intervals, by a fit: `run`, or the one in use."""

    @extend_schema(operation_id="list_reliabilities", parameters=[FIT, CURSOR, LIMITED], responses=ReliabilityRows)
    def get(self, request: Request, slug: str) -> Reply:
        project = access.project_for(request.user, slug, access.READ)
        rows = Reliability.objects.filter(run=fit_of(request, project)).select_related("annotator")
        return page(request, rows, reliability)


class FitShape(serializers.Serializer):
    run = fields.Reference(allow_null=True, help_text="a finished run of decide; null: the majority decides")


class FitView(APIView):
    """The fit in use: whose reliabilities count, and what `in-use` means in versions. PUT chooses another one."""

    @extend_schema(operation_id="get_fit", responses=FitShape)
    def get(self, request: Request, slug: str) -> Reply:
        project = access.project_for(request.user, slug, access.READ)
        return Reply({"run": project.fit_id})

    @extend_schema(operation_id="use_fit", request=FitShape, responses=FitShape)
    def put(self, request: Request, slug: str) -> Reply:
        project = access.project_for(request.user, slug, access.MANAGE)
        body = FitShape(data=request.data)
        body.is_valid(raise_exception=True)
        run = body.validated_data["run"]
        fits.use(project, fits.find(project, str(run), "run") if run else None)
        return Reply({"run": project.fit_id})


def fit_of(request: Request, project: Project) -> Run:
    """Raises Invalid naming `run`."""
    given = request.query_params.get("run", fits.IN_USE)
    if len(given) > 40:
        raise Invalid("is no finished run of decide in this project", field="run")
    return fits.find(project, given, "run")


def decision(row: deciding.Decision, project: Project) -> dict[str, Any]:
    return {
        "kind": Decision.Kind.RANK if project.kind == "ranking" else Decision.Kind.AXIS,
        "pair": row.pair_id,
        "responses": row.responses and list(row.responses),
        **dict.fromkeys(("response", "start", "end")),
        "task": row.task_id,
        "axis": row.axis,
        "outcome": row.outcome,
        "answer": None,
        "value": row.value,
        "confidence": row.confidence,
        "votes": row.votes,
        "how": row.how,
        "run": None,
        "annotations": row.annotations,
    }


def kept(row: Decision) -> dict[str, Any]:
    """A decision out of the table."""
    same = ("kind", "start", "end", "outcome", "answer", "value", "confidence", "votes", "how", "annotations")
    return {
        **{name: getattr(row, name) for name in same},
        "pair": row.task.pair_id if row.first_id else None,
        "responses": [row.first_id, row.second_id] if row.first_id else None,
        "response": row.response_id,
        "task": row.task_id,
        "axis": row.name,
        "run": row.run_id,
    }


def reliability(row: Reliability) -> dict[str, Any]:
    same = ("kind", "axis", "value", "low", "high", "n", "confusion")
    return {
        "annotator": row.annotator.name,
        "annotator_kind": row.annotator.kind,
        **{name: getattr(row, name) for name in same},
    }
