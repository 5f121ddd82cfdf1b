"""Long work over the API: what there is, start, watch, cancel, try again."""

from __future__ import annotations

from typing import Any

from django.http import FileResponse
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response as Reply
from rest_framework.views import APIView

from curation import access
from curation.api import shapes
from curation.api.auth import caller
from curation.api.idempotency import idempotent
from curation.api.pages import CURSOR, LIMITED, NEWEST, newest, page
from curation.errors import Invalid, NotFound
from curation.models import Run, Shard, TrainingPoint
from curation.services import running, starting
from curation.services.method import Method
from curation.services.methods import METHODS
from curation.services.pacing import pace_of
from workers.held_out import FILE as HELD_OUT

STATE = OpenApiParameter("state", str, enum=Shard.State.values)


def shown(run: Run) -> dict[str, Any]:
    return dict(shapes.RunShape(run).data)


def watched(run: Run) -> dict[str, Any]:
    """A run with how fast it goes."""
    return {**shown(run), "pace": dict(shapes.PaceShape(pace_of(run)).data)}


def method_as_told(method: Method) -> dict[str, Any]:
    return {
        "name": method.name,
        "title": method.title,
        "about": method.about,
        "unit": method.unit,
        "params": method.params.model_json_schema(),
    }


class MethodsView(APIView):
    """What `POST …/runs` can start, each with the JSON schema of its parameters."""

    @extend_schema(operation_id="list_methods", responses=shapes.MethodRows)
    def get(self, request: Request) -> Reply:
        found = sorted((method for method in METHODS.values() if method.startable), key=lambda method: method.name)
        return Reply({"results": [method_as_told(method) for method in found], "next": None})


class RunsView(APIView):
    """The runs of a project, the newest first."""

    @extend_schema(operation_id="list_runs", parameters=[NEWEST, LIMITED], responses=shapes.RunShape(many=True))
    def get(self, request: Request, slug: str) -> Reply:
        project = access.project_for(request.user, slug, access.READ)
        return newest(request, Run.objects.filter(project=project).select_related("project", "model"), shown)

    @extend_schema(operation_id="start_run", request=shapes.NewRun, responses={202: shapes.RunShape})
    @idempotent
    def post(self, request: Request, slug: str) -> Reply:
        project = access.project_for(request.user, slug, access.FREEZE)
        body = shapes.NewRun(data=request.data)
        body.is_valid(raise_exception=True)
        asked = body.validated_data
        access.allow(request.user, project, starting.startable(asked["method"]).capability)
        run = starting.start(
            project=project,
            method=asked["method"],
            params=asked.get("params", {}),
            user=caller(request),
            queue=asked["queue"],
            seed=asked["seed"],
        )
        return Reply(shown(run), status=202)


class RunView(APIView):
    """One run, with its speed and the time it still takes."""

    @extend_schema(operation_id="get_run", responses=shapes.WatchedRun)
    def get(self, request: Request, run_id: str) -> Reply:
        return Reply(watched(reachable(request, run_id, access.READ)))


class RunLogView(APIView):
    """What a run wrote while it worked: its last lines."""

    @extend_schema(operation_id="get_run_log", responses=shapes.RunLog)
    def get(self, request: Request, run_id: str) -> Reply:
        return Reply({"log": running.log_of(reachable(request, run_id, access.READ))})


class RunShardsView(APIView):
    """The shards of a run by cursor; `?state=failed` those that were set aside, with their tracebacks."""

    @extend_schema(operation_id="list_shards", parameters=[CURSOR, LIMITED, STATE], responses=shapes.ShardPage)
    def get(self, request: Request, run_id: str) -> Reply:
        shards = Shard.objects.filter(run=reachable(request, run_id, access.READ))
        if (state := request.query_params.get("state")) is not None:
            if state not in Shard.State.values:
                raise Invalid(f"must be one of: {', '.join(Shard.State.values)}", field="state")
            shards = shards.filter(state=state)
        return page(request, shards, lambda shard: dict(shapes.ShardShape(shard).data))


class RunPointsView(APIView):
    """The numbers that a training told while it went on, by cursor: loss, accuracy, margin, learning rate."""

    @extend_schema(operation_id="list_points", parameters=[CURSOR, LIMITED], responses=shapes.PointPage)
    def get(self, request: Request, run_id: str) -> Reply:
        points = TrainingPoint.objects.filter(run=reachable(request, run_id, access.READ))
        return page(request, points, lambda point: {"step": point.step, "values": point.values})


class RunHeldOutView(APIView):
    """Every held-out row of a training with what the model gave it, as JSON lines."""

    @extend_schema(operation_id="get_held_out", responses={(200, "application/x-ndjson"): str})
    def get(self, request: Request, run_id: str) -> HttpResponseBase:
        run = reachable(request, run_id, access.READ)
        path = run.folder / HELD_OUT
        if not path.is_file():
            raise NotFound("no such file: this run kept no held-out rows")
        return FileResponse(path.open("rb"), content_type="application/x-ndjson")


class RunCancelView(APIView):
    """Ask a run to stop."""

    @extend_schema(operation_id="cancel_run", request=None, responses={202: shapes.RunShape})
    def post(self, request: Request, run_id: str) -> Reply:
        return Reply(shown(running.cancel(reachable(request, run_id, access.FREEZE))), status=202)


class RunRetryView(APIView):
    """Go on with a failed or cancelled run: from its checkpoint, or with the shards that are not done."""

    @extend_schema(operation_id="retry_run", request=None, responses={202: shapes.RunShape})
    def post(self, request: Request, run_id: str) -> Reply:
        return Reply(shown(running.retry(reachable(request, run_id, access.FREEZE))), status=202)


def reachable(request: Request, run_id: str, capability: str) -> Run:
    """The run, if the caller may see its project; strangers are told "no such project"."""
    run = Run.objects.select_related("project", "model").filter(pk=run_id).first()
    if run is None or run.project or not request.user.is_staff:
        access.allow(request.user, run.project if run else None, capability)
    assert run is not None
    return run
