"""Plans over the API: list, start, read, move, stop."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response as Reply
from rest_framework.views import APIView

from curation import access
from curation.api import fields
from curation.api.auth import caller
from curation.api.idempotency import idempotent
from curation.api.pages import CURSOR, LIMITED, page
from curation.models import Plan, Scope
from curation.services.planning import asking, telling


class PlanShape(serializers.Serializer):
    id = fields.Whole()
    method = fields.Text()
    params = fields.Json()
    seed = fields.Whole()
    state = fields.Text(help_text="running, waiting, finished, failed or cancelled")
    stage = fields.Text()
    round = fields.Whole()
    error = fields.Text()
    advice = fields.Text(help_text="whether to stop, in words")
    queue = fields.Whole(source="queue_id", allow_null=True, help_text="where it asks people")
    deadline = serializers.DateTimeField(allow_null=True)
    version = fields.Text(allow_null=True, help_text="what it made, such as curated v1")
    again_of = fields.Whole(source="again_of_id", allow_null=True)
    created_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)


class StepShape(serializers.Serializer):
    round = fields.Whole()
    stage = fields.Text()
    run = serializers.UUIDField(source="run_id", allow_null=True)
    counts = fields.Json(help_text="what the gate counted")
    started_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)


class AccuracyShape(serializers.Serializer):
    round = fields.Whole()
    count = fields.Whole()
    n = fields.Whole()
    share = fields.Real()
    low = fields.Real(help_text="of the 95 % interval (Wilson)")
    high = fields.Real()


class BoardShape(PlanShape):
    steps = StepShape(many=True)
    accuracies = AccuracyShape(many=True, help_text="on held-out gold")
    pairs = fields.Json(help_text="how many pairs it took, by what became of them")
    labels = fields.Whole(help_text="pairs on which people answered")
    calls = fields.Whole(help_text="questions that judges were paid for")


class NewPlan(serializers.Serializer):
    method = fields.Text(max_length=60, required=False, default="skywork-reward-v2")
    params = serializers.DictField(required=False)
    seed = fields.Whole(min_value=0, max_value=2**31 - 1, required=False, default=0)


class SentOn(serializers.Serializer):
    without_waiting = fields.Flag(required=False, default=False, help_text="do not wait for the rest of the people")


def shown(plan: Plan) -> dict[str, Any]:
    return dict(PlanShape(plan).data)


def watched(plan: Plan) -> dict[str, Any]:
    """A plan with its steps and what they counted."""
    board = telling.board(plan)
    lines = [line.step for mine in board.rounds for line in mine.lines]
    return {
        **shown(plan),
        "steps": StepShape(lines, many=True).data,
        "accuracies": [{"round": number, **asdict(one)} for number, one in board.accuracies],
        "pairs": board.roles,
        "labels": board.labels,
        "calls": board.calls,
    }


class PlansView(APIView):
    """The plans of a project."""

    write_scope = Scope.MANAGE

    @extend_schema(operation_id="list_plans", parameters=[CURSOR, LIMITED], responses=PlanShape(many=True))
    def get(self, request: Request, slug: str) -> Reply:
        project = access.project_for(request.user, slug, access.READ)
        return page(request, Plan.objects.filter(project=project).select_related("version__dataset"), shown)

    @extend_schema(operation_id="start_plan", request=NewPlan, responses={201: PlanShape})
    @idempotent
    def post(self, request: Request, slug: str) -> Reply:
        project = access.project_for(request.user, slug, access.MANAGE)
        body = NewPlan(data=request.data)
        body.is_valid(raise_exception=True)
        given = {"params": {}, **body.validated_data}
        return Reply(shown(asking.start(project=project, user=caller(request), **given)), status=201)


class PlanView(APIView):
    """One plan with its steps, what each gate counted, and the accuracy after each round."""

    @extend_schema(operation_id="get_plan", responses=BoardShape)
    def get(self, request: Request, slug: str, plan_id: int) -> Reply:
        return Reply(watched(reachable(request, slug, plan_id, access.READ)))


class PlanAdvanceView(APIView):
    """Move a plan: one that failed tries its step again; one that waits may go on without the rest of its people."""

    write_scope = Scope.MANAGE

    @extend_schema(operation_id="advance_plan", request=SentOn, responses=PlanShape)
    def post(self, request: Request, slug: str, plan_id: int) -> Reply:
        plan = reachable(request, slug, plan_id, access.MANAGE)
        body = SentOn(data=request.data)
        body.is_valid(raise_exception=True)
        return Reply(shown(asking.go_on(plan, caller(request), **body.validated_data)))


class PlanCancelView(APIView):
    """Stop a plan and the run that it is at."""

    write_scope = Scope.MANAGE

    @extend_schema(operation_id="cancel_plan", request=None, responses=PlanShape)
    def post(self, request: Request, slug: str, plan_id: int) -> Reply:
        return Reply(shown(asking.cancel(reachable(request, slug, plan_id, access.MANAGE), caller(request))))


def reachable(request: Request, slug: str, plan_id: int, capability: str) -> Plan:
    return asking.find(access.project_for(request.user, slug, capability), plan_id)
