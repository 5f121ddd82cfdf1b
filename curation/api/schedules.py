"""Schedules over the API: list, make, change, delete."""

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
from curation.api.etags import conditional, guarded, tagged
from curation.api.idempotency import idempotent
from curation.api.pages import page
from curation.errors import NotFound
from curation.models import Schedule
from curation.services import scheduling


class ScheduleShape(serializers.Serializer):
    id = fields.Whole()
    method = fields.Text()
    params = fields.Json()
    cron = fields.Text()
    enabled = fields.Flag()
    next_at = serializers.DateTimeField(allow_null=True)
    last_at = serializers.DateTimeField(allow_null=True)
    problem = fields.Text()
    created_at = serializers.DateTimeField()


class NewSchedule(serializers.Serializer):
    method = fields.Text(max_length=60)
    cron = fields.Text(max_length=100, help_text="minute hour day month weekday, in UTC")
    params = serializers.DictField(required=False)


class ChangedSchedule(serializers.Serializer):
    cron = fields.Text(max_length=100, required=False)
    params = serializers.DictField(required=False)
    enabled = fields.Flag(required=False)


def shown(schedule: Schedule) -> dict[str, Any]:
    return dict(ScheduleShape(schedule).data)


class SchedulesView(APIView):
    """Runs of a project that start by the clock."""

    @extend_schema(operation_id="list_schedules", responses=ScheduleShape(many=True))
    def get(self, request: Request, slug: str) -> Reply:
        project = access.project_for(request.user, slug, access.READ)
        return page(request, Schedule.objects.filter(project=project), shown)

    @extend_schema(operation_id="create_schedule", request=NewSchedule, responses={201: ScheduleShape})
    @idempotent
    def post(self, request: Request, slug: str) -> Reply:
        project = access.project_for(request.user, slug, access.FREEZE)
        body = NewSchedule(data=request.data)
        body.is_valid(raise_exception=True)
        given = {"params": {}, **body.validated_data}
        return Reply(shown(scheduling.add(project=project, user=caller(request), **given)), status=201)


class ScheduleView(APIView):
    """One schedule."""

    @extend_schema(operation_id="get_schedule", responses=ScheduleShape)
    def get(self, request: Request, slug: str, schedule_id: int) -> Reply:
        return conditional(request, shown(reachable(request, slug, schedule_id, access.READ)))

    def shown_now(self, request: Request, slug: str, schedule_id: int) -> dict[str, Any]:
        found = reachable(request, slug, schedule_id, access.FREEZE)
        return shown(Schedule.objects.select_for_update().get(pk=found.pk))

    @extend_schema(operation_id="change_schedule", request=ChangedSchedule, responses=ScheduleShape)
    @guarded
    def patch(self, request: Request, slug: str, schedule_id: int) -> Reply:
        schedule = reachable(request, slug, schedule_id, access.FREEZE)
        body = ChangedSchedule(data=request.data)
        body.is_valid(raise_exception=True)
        return tagged(shown(scheduling.change(schedule, user=caller(request), **body.validated_data)))

    @extend_schema(operation_id="delete_schedule", responses={204: None})
    @guarded
    def delete(self, request: Request, slug: str, schedule_id: int) -> Reply:
        scheduling.remove(reachable(request, slug, schedule_id, access.FREEZE))
        return Reply(status=204)


def reachable(request: Request, slug: str, schedule_id: int, capability: str) -> Schedule:
    project = access.project_for(request.user, slug, capability)
    found = Schedule.objects.select_related("project").filter(project=project, pk=schedule_id).first()
    if found is None:
        raise NotFound("no such schedule")
    return found
