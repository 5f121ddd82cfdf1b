"""Projects, their protocol and members over the API."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response as Reply
from rest_framework.views import APIView

from curation import access
from curation.api import fields, shapes
from curation.api.auth import caller
from curation.api.etags import conditional, guarded, tagged
from curation.api.idempotency import idempotent
from curation.api.pages import page
from curation.errors import Forbidden
from curation.models import Project, Scope, User
from curation.services import helping, pausing, people, projects


class ProjectsView(APIView):
    """The caller's projects."""

    write_scope = Scope.MANAGE

    @extend_schema(operation_id="list_projects", responses=shapes.ProjectShape(many=True))
    def get(self, request: Request) -> Reply:
        user = caller(request)
        rows = Project.objects.select_related("protocol").filter(deleted_at__isnull=True)
        if not user.is_superuser:
            rows = rows.filter(memberships__user=user, memberships__deactivated_at=None)
        return page(request, rows, lambda project: dict(shapes.ProjectShape(project).data))

    @extend_schema(operation_id="create_project", request=shapes.NewProject, responses={201: shapes.ProjectShape})
    @idempotent
    def post(self, request: Request) -> Reply:
        user = caller(request)
        if not user.is_staff:
            raise Forbidden("only staff may create projects")
        body = shapes.NewProject(data=request.data)
        body.is_valid(raise_exception=True)
        project = projects.create_project(user=user, **body.validated_data)
        return Reply(shapes.ProjectShape(project).data, status=201)


class ProjectView(APIView):
    """One project."""

    write_scope = Scope.MANAGE

    @extend_schema(operation_id="get_project", responses=shapes.ProjectShape)
    def get(self, request: Request, slug: str) -> Reply:
        return conditional(request, dict(shapes.ProjectShape(access.project_for(request.user, slug, access.SEE)).data))

    def shown_now(self, request: Request, slug: str) -> dict[str, Any]:
        project = access.project_for(request.user, slug, access.SEE)
        Project.objects.select_for_update().get(pk=project.pk)
        return dict(shapes.ProjectShape(access.project_for(request.user, slug, access.SEE)).data)

    @extend_schema(operation_id="change_project", request=shapes.ProjectChange, responses=shapes.ProjectShape)
    @guarded
    def patch(self, request: Request, slug: str) -> Reply:
        project = access.project_for(request.user, slug, access.MANAGE)
        body = shapes.ProjectChange(data=request.data, partial=True)
        body.is_valid(raise_exception=True)
        given = body.validated_data
        if given.get("two_factor", project.two_factor) != project.two_factor:
            access.allow(request.user, project, access.OWN)
            projects.check_may_ask_two_steps(caller(request), given["two_factor"])
        changed = projects.change_project(project=project, **given)
        return tagged(dict(shapes.ProjectShape(changed).data))


class MembersView(APIView):
    """Who is in a project."""

    @extend_schema(operation_id="list_members", responses=shapes.MemberShape(many=True))
    def get(self, request: Request, slug: str) -> Reply:
        project = access.project_for(request.user, slug, access.MANAGE)
        rows = project.memberships.select_related("user").exclude(user__kind=User.Kind.GUEST)
        return page(request, rows, lambda membership: dict(shapes.MemberShape(membership).data))


class MemberView(APIView):
    """One member: let in, or no longer; what they annotated stays."""

    write_scope = Scope.MANAGE

    @extend_schema(operation_id="change_member", request=shapes.MemberChange, responses=shapes.MemberShape)
    def patch(self, request: Request, slug: str, membership_id: int) -> Reply:
        project = access.project_for(request.user, slug, access.MANAGE)
        body = shapes.MemberChange(data=request.data)
        body.is_valid(raise_exception=True)
        named: dict[str, Any] = {"project": project, "by": caller(request), "membership_id": membership_id}
        if "active" not in body.validated_data:
            return Reply(shapes.MemberShape(people.membership(project, caller(request), membership_id)).data)
        verb = pausing.reactivate if body.validated_data["active"] else pausing.deactivate
        return Reply(shapes.MemberShape(verb(**named)).data)


class EstimateShape(serializers.Serializer):
    value = fields.Real()
    low = fields.Real(help_text="of the 95 % interval")
    high = fields.Real()


class ComparisonShape(serializers.Serializer):
    measure = fields.Text(help_text="median_time, mean_time, preferences, ranks, verdicts, spans (F1) or critiques")
    unit = fields.Text(help_text="ms, share or count")
    helped = fields.Real(allow_null=True)
    held_out = fields.Real(allow_null=True)
    n_helped = fields.Whole()
    n_held_out = fields.Whole()
    difference = EstimateShape(allow_null=True, help_text="null with too few answers on a side")
    percent = EstimateShape(allow_null=True, help_text="of what was held out; null for shares")


class ShareShape(serializers.Serializer):
    count = fields.Whole()
    n = fields.Whole()
    share = fields.Real(allow_null=True)
    low = fields.Real(allow_null=True, help_text="of Wilson's 95 % interval")
    high = fields.Real(allow_null=True)


class RevealedShape(serializers.Serializer):
    changed = ShareShape()
    towards = ShareShape()
    away = ShareShape()


class ReviewsShape(serializers.Serializer):
    accepted = fields.Whole()
    edited = fields.Whole()
    rejected = fields.Whole()
    accept_rate = fields.Real(allow_null=True)
    accept_ms = fields.Real(allow_null=True, help_text="median, of those accepted as they were")
    quick_accepts = fields.Real(allow_null=True, help_text="share of these under half a second")


class PersonShape(serializers.Serializer):
    name = fields.Text()
    answers = fields.Whole()
    helped = fields.Whole()
    held_out = fields.Whole()
    time_percent = fields.Real(allow_null=True)
    reviews = ReviewsShape()


class HelpEffectShape(serializers.Serializer):
    """What the help of models does: answers with it against those held out at random."""

    mode = fields.Text(help_text="off, shown or reveal")
    holdout = fields.Real()
    latest = fields.Whole(help_text="so many answers are read at most")
    few = fields.Whole(help_text="with fewer on a side nothing is compared")
    helped = fields.Whole()
    held_out = fields.Whole()
    enough = fields.Flag()
    comparisons = ComparisonShape(many=True)
    revealed = RevealedShape(allow_null=True)
    reviews = ReviewsShape()
    people = PersonShape(many=True)


class HelpView(APIView):
    """What the help of models does to answers and the time they take."""

    @extend_schema(operation_id="effect_of_help", responses=HelpEffectShape)
    def get(self, request: Request, slug: str) -> Reply:
        project = access.project_for(request.user, slug, access.READ)
        return Reply(asdict(helping.effect(project)))
