"""The people of a project at work, over the API: everybody for managers, the own figures for everybody."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response as Reply
from rest_framework.views import APIView

from curation import access
from curation.api import fields
from curation.api.auth import caller
from curation.errors import Invalid
from curation.services import team
from curation.services.team import MOST, SORTS, Health, Row, Team


class AtWorkShape(serializers.Serializer):
    annotator = fields.Whole(source="annotator.pk")
    name = fields.Text()
    answers = fields.Whole(source="done")
    skipped = fields.Whole()
    last_seven_days = fields.Whole(source="recent")
    active_ms = fields.Whole()
    per_hour = fields.Real(allow_null=True, help_text="answers in an hour of active time")
    accepted = fields.Whole(help_text="by a reviewer, as they were")
    fixed = fields.Whole()
    returned = fields.Whole()
    agreement = fields.Real(allow_null=True, help_text="share of tasks on which it is what most others say; of checks")
    reliability = fields.Real(allow_null=True, help_text="as last estimated")
    flags = serializers.ListField(child=fields.Text(), help_text="signals of the newest checks that stand out")
    paused = fields.Flag()
    gone = fields.Flag(help_text="no member any more")
    last_at = serializers.DateTimeField(allow_null=True)


class QueueHealthShape(serializers.Serializer):
    queue = fields.Whole(source="address", allow_null=True, help_text="null: the project's own")
    name = fields.Text()
    left = fields.Whole()
    total = fields.Whole()
    in_hands = fields.Whole()
    oldest = serializers.DateTimeField(allow_null=True)
    deadline = serializers.DateTimeField(allow_null=True)
    paused = fields.Flag()


class ForecastShape(serializers.Serializer):
    days = fields.Whole(help_text="until everything is answered, at the pace of the last four weeks")
    low = fields.Whole(help_text="one draw in ten is sooner")
    high = fields.Whole(help_text="one draw in ten is later")


class TeamShape(serializers.Serializer):
    people = AtWorkShape(many=True, help_text=f"the {MOST} with most answers")
    more = fields.Flag(help_text="whether there are others: ask for them by name")
    queues = QueueHealthShape(many=True)
    answers = fields.Whole()
    answers_wanted = fields.Whole()
    active_ms = fields.Whole()
    cost_per_task = fields.Real(allow_null=True)
    forecast = ForecastShape(allow_null=True)


class TeamView(APIView):
    """Everybody who annotates here, the queues, and when it will be done."""

    @extend_schema(
        operation_id="list_people",
        parameters=[
            OpenApiParameter("sort", OpenApiTypes.STR, enum=[*SORTS], description="the order of people"),
            OpenApiParameter("name", OpenApiTypes.STR, description="a part of their names"),
        ],
        responses=TeamShape,
    )
    def get(self, request: Request, slug: str) -> Reply:
        project = access.project_for(caller(request), slug, access.MANAGE)
        sort = request.query_params.get("sort", "answers")
        if sort not in SORTS:
            raise Invalid(f"must be one of: {', '.join(SORTS)}", field="sort")
        name = request.query_params.get("name", "").replace("\0", "")[:100]
        return Reply(told(team.team(project, sort=sort, query=name)))


def told(found: Team) -> dict[str, Any]:
    rows: list[Row] = found.rows
    queues: list[Health] = found.queues
    return {
        "people": AtWorkShape(rows, many=True).data,
        "more": found.more,
        "queues": QueueHealthShape(queues, many=True).data,
        "answers": found.done,
        "answers_wanted": found.left,
        "active_ms": found.active_ms,
        "cost_per_task": found.label_cost,
        "forecast": ForecastShape(found.forecast).data if found.forecast else None,
    }


class MeView(APIView):
    """The caller's own figures."""

    @extend_schema(operation_id="my_work", responses=AtWorkShape)
    def get(self, request: Request, slug: str) -> Reply:
        project = access.project_for(caller(request), slug, access.ANNOTATE)
        mine = access.annotator_for(caller(request), project)
        days = team.days_of(project, mine, timezone.now().date() - timedelta(days=6))
        return Reply(AtWorkShape(team.own_row(project, mine, days, team.check_of(project, mine))).data)
