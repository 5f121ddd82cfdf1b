"""The audit log over the API: newest first by cursor, or all in the order of time as NDJSON or CSV."""

from __future__ import annotations

from datetime import datetime

from django.http import HttpResponseBase
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_aware
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response as Reply

from curation import access
from curation.api import fields
from curation.api.datasets import Streamable
from curation.api.pages import BIGGEST, CURSOR, LIMIT, LIMITED, MOST, number
from curation.api.streaming import CSV, wants_stream
from curation.audit_files import written
from curation.errors import Forbidden, Invalid
from curation.models import Act, Project, Via
from curation.services import auditing

ACTS = [*auditing.KINDS, *Act.values]
ACT = OpenApiParameter("act", str, enum=ACTS, description="an act, or all acts on a kind of object")
WHO = OpenApiParameter("who", str, description="a user name")
SINCE = OpenApiParameter("since", {"type": "string", "format": "date-time"})
UNTIL = OpenApiParameter("until", {"type": "string", "format": "date-time"}, description="before this moment")
PARAMETERS = [CURSOR, LIMITED, ACT, WHO, SINCE, UNTIL]


class ThingShape(serializers.Serializer):
    id = fields.Text()
    name = fields.Text()


class AuditShape(serializers.Serializer):
    id = fields.Whole()
    at = serializers.DateTimeField()
    act = fields.Text()
    who = fields.Text(allow_null=True, help_text="user name; null where nobody was signed in")
    via = serializers.ChoiceField(choices=Via.choices)
    token = fields.Text(allow_null=True, help_text="first characters of the token that was used")
    address = fields.Text(allow_null=True, help_text="the caller's network: a /24 of IPv4, a /48 of IPv6")
    project = fields.Text(allow_null=True)
    object = ThingShape(allow_null=True)
    details = fields.Json()


class AuditRows(serializers.Serializer):
    results = AuditShape(many=True)
    next = fields.Text(allow_null=True)


class ProjectAuditView(Streamable):
    """What was done in a project, for its owners."""

    @extend_schema(operation_id="list_project_audit", parameters=PARAMETERS, responses=AuditRows)
    def get(self, request: Request, slug: str) -> HttpResponseBase:
        return told(request, access.project_for(request.user, slug, access.OWN))


class AuditView(Streamable):
    """What was done anywhere, for superusers."""

    @extend_schema(operation_id="list_audit", parameters=PARAMETERS, responses=AuditRows)
    def get(self, request: Request) -> HttpResponseBase:
        if not request.user.is_superuser:
            raise Forbidden("the log of everything is for superusers")
        return told(request, None)


def told(request: Request, project: Project | None) -> HttpResponseBase:
    rows = auditing.events(project, wanted(request))
    if wants_stream(request):
        return written(rows, "jsonl", "audit")
    if CSV in request.headers.get("Accept", ""):
        return written(rows, "csv", "audit")
    limit = max(1, number(request, "limit", LIMIT, most=MOST))
    found = list(rows.filter(pk__lt=number(request, "cursor", BIGGEST) or BIGGEST)[: limit + 1])
    shown, slugs = found[:limit], auditing.slugs_of(found)
    following = str(shown[-1].pk) if len(found) > limit else None
    return Reply({"results": [auditing.shown(event, slugs) for event in shown], "next": following})


def wanted(request: Request) -> auditing.Wanted:
    """The filters of the query. Raises Invalid naming one that has no such value."""
    query = request.query_params
    act = query.get("act", "")
    if act and act not in ACTS:
        raise Invalid(f"must be one of: {', '.join(ACTS)}", field="act")
    moments = {}
    for name in ("since", "until"):
        if name in query:
            moments[name] = moment(name, query[name])
    return auditing.Wanted(act=act, who=query.get("who", "").replace("\0", ""), **moments)


def moment(name: str, given: str) -> datetime:
    try:
        found = parse_datetime(given)
    except ValueError:
        found = None
    if found is None or not is_aware(found):
        raise Invalid("must be a moment with its time zone, as 2026-03-01T12:00:00Z", field=name)
    return found
