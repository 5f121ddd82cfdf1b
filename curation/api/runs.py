"""Long work over the API: start, watch, cancel."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response as Reply
from rest_framework.views import APIView

from curation import access
from curation.api import shapes
from curation.api.auth import caller
from curation.api.idempotency import idempotent
from curation.models import Run
from curation.services import running, starting


def shown(run: Run) -> dict[str, Any]:
    return dict(shapes.RunShape(run).data)


class RunsView(APIView):
    """The latest hundred runs of a project."""

    @extend_schema(operation_id="list_runs", responses=shapes.RunShape(many=True))
    def get(self, request: Request, slug: str) -> Reply:
        project = access.project_for(request.user, slug, access.READ)
        runs = Run.objects.filter(project=project).select_related("project")[:100]
        return Reply({"results": [shown(run) for run in runs], "next": None})

    @extend_schema(operation_id="start_run", request=shapes.NewRun, responses={202: shapes.RunShape})
    @idempotent
    def post(self, request: Request, slug: str) -> Reply:
        project = access.project_for(request.user, slug, access.FREEZE)
        body = shapes.NewRun(data=request.data)
        body.is_valid(raise_exception=True)
        run = starting.start(
            project=project,
            method=body.validated_data["method"],
            params=body.validated_data.get("params", {}),
            user=caller(request),
        )
        return Reply(shown(run), status=202)


class RunView(APIView):
    """One run."""

    @extend_schema(operation_id="get_run", responses=shapes.RunShape)
    def get(self, request: Request, run_id: str) -> Reply:
        return Reply(shown(reachable(request, run_id, access.READ)))


class RunLogView(APIView):
    """What a run wrote while it worked."""

    @extend_schema(operation_id="get_run_log", responses=shapes.RunLog)
    def get(self, request: Request, run_id: str) -> Reply:
        return Reply({"log": running.log_of(reachable(request, run_id, access.READ))})


class RunCancelView(APIView):
    """Ask a run to stop."""

    @extend_schema(operation_id="cancel_run", request=None, responses={202: shapes.RunShape})
    def post(self, request: Request, run_id: str) -> Reply:
        return Reply(shown(running.cancel(reachable(request, run_id, access.FREEZE))), status=202)


def reachable(request: Request, run_id: str, capability: str) -> Run:
    """The run, if the caller may see its project; strangers are told "no such project"."""
    run = Run.objects.select_related("project").filter(pk=run_id).first()
    if run is None or run.project or not request.user.is_staff:
        access.allow(request.user, run.project if run else None, capability)
    assert run is not None
    return run
