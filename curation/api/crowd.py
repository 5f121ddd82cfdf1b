"""Crowd links over the API: made and closed by scripts, and their people with the codes to be paid by."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
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
from curation.models import CrowdLink, CrowdPerson, Scope
from curation.services import crowd


class CrowdLinkShape(serializers.Serializer):
    id = fields.Whole()
    name = fields.Text()
    quota = fields.Whole(help_text="answers of each person")
    most_people = fields.Whole()
    people = fields.Whole(source="person_count", help_text="who have begun")
    parameter = fields.Text(help_text="of the address, by which the platform names the person")
    code = fields.Text(help_text="of everybody; empty where each person has their own")
    return_url = fields.Text()
    open = fields.Flag(source="is_open", help_text="whether somebody new may begin")
    expires_at = serializers.DateTimeField()
    created_at = serializers.DateTimeField()


class MadeCrowdLink(CrowdLinkShape):
    url = fields.Text(help_text="its address, which is told only now")


class NewCrowdLink(serializers.Serializer):
    name = fields.Text(max_length=120)
    quota = fields.Whole(min_value=1, max_value=crowd.MOST_QUOTA)
    most_people = fields.Whole(min_value=1, max_value=crowd.MOST_PEOPLE)
    days = fields.Whole(required=False, default=14, min_value=1, max_value=crowd.MOST_DAYS)
    parameter = fields.Text(required=False, allow_blank=True, max_length=40)
    code = fields.Text(required=False, allow_blank=True, max_length=64)
    return_url = fields.Text(required=False, allow_blank=True, max_length=500)
    welcome = fields.Text(required=False, allow_blank=True, max_length=crowd.LONGEST_WELCOME)


class CrowdLinkChange(serializers.Serializer):
    open = fields.Flag(required=False, help_text="false lets nobody new begin")


class CrowdPersonShape(serializers.Serializer):
    id = fields.Whole()
    annotator = fields.Text(help_text="the name under which their answers stand")
    platform_id = fields.Text(allow_null=True)
    done = fields.Whole()
    code = fields.Text()
    finished_at = serializers.DateTimeField(allow_null=True)
    excluded_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()


class CrowdLinksView(APIView):
    """The crowd links of a project."""

    write_scope = Scope.MANAGE

    @extend_schema(operation_id="list_crowd_links", responses=CrowdLinkShape(many=True))
    def get(self, request: Request, slug: str) -> Reply:
        project = access.project_for(request.user, slug, access.MANAGE)
        return page(request, project.crowd_links.all(), shown)

    @extend_schema(operation_id="make_crowd_link", request=NewCrowdLink, responses={201: MadeCrowdLink})
    @idempotent
    def post(self, request: Request, slug: str) -> Reply:
        project = access.project_for(request.user, slug, access.MANAGE)
        body = NewCrowdLink(data=request.data)
        body.is_valid(raise_exception=True)
        link, secret = crowd.make_link(project=project, by=caller(request), **body.validated_data)
        return Reply(shown(link) | {"url": request.build_absolute_uri(reverse("crowd", args=[secret]))}, status=201)


class CrowdLinkView(APIView):
    """One crowd link."""

    write_scope = Scope.MANAGE

    @extend_schema(operation_id="get_crowd_link", responses=CrowdLinkShape)
    def get(self, request: Request, slug: str, link_id: int) -> Reply:
        return conditional(request, shown(found(request, slug, link_id)))

    def shown_now(self, request: Request, slug: str, link_id: int) -> dict[str, Any]:
        CrowdLink.objects.select_for_update().get(pk=found(request, slug, link_id).pk)
        return shown(found(request, slug, link_id))

    @extend_schema(operation_id="change_crowd_link", request=CrowdLinkChange, responses=CrowdLinkShape)
    @guarded
    def patch(self, request: Request, slug: str, link_id: int) -> Reply:
        link = found(request, slug, link_id)
        body = CrowdLinkChange(data=request.data)
        body.is_valid(raise_exception=True)
        if "open" in body.validated_data:
            (crowd.reopen if body.validated_data["open"] else crowd.close)(link)
        return tagged(shown(found(request, slug, link_id)))


class CrowdPeopleView(APIView):
    """The people of a crowd link, in the order in which they began, with what they have done."""

    @extend_schema(operation_id="list_crowd_people", responses=CrowdPersonShape(many=True))
    def get(self, request: Request, slug: str, link_id: int) -> Reply:
        link = found(request, slug, link_id)
        reply = page(request, link.people.select_related("user", "link"), lambda one: {"row": one})
        rows = [row["row"] for row in reply.data["results"]]
        reply.data["results"] = [person(one, done) for one, done in crowd.with_progress(rows)]
        return reply


def found(request: Request, slug: str, link_id: int) -> CrowdLink:
    return crowd.find(access.project_for(request.user, slug, access.MANAGE), link_id)


def shown(link: CrowdLink) -> dict[str, Any]:
    return dict(CrowdLinkShape(link).data)


def person(one: CrowdPerson, done: int) -> dict[str, Any]:
    return {
        "id": one.pk,
        "annotator": f"@{one.user.username}",
        "platform_id": one.platform_id,
        "done": done,
        "code": one.code,
        "finished_at": one.finished_at,
        "excluded_at": one.excluded_at,
        "created_at": one.created_at,
    }
