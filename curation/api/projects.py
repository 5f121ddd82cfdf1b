"""Projects, their protocol and members over the API."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response as Reply
from rest_framework.views import APIView

from curation import access
from curation.api import shapes
from curation.api.auth import caller
from curation.api.idempotency import idempotent
from curation.api.pages import page
from curation.errors import Forbidden
from curation.models import Project, Scope
from curation.services import projects


class ProjectsView(APIView):
    """The caller's projects."""

    write_scope = Scope.MANAGE

    @extend_schema(operation_id="list_projects", responses=shapes.ProjectShape(many=True))
    def get(self, request: Request) -> Reply:
        user = caller(request)
        rows = Project.objects.select_related("protocol").filter(deleted_at__isnull=True)
        if not user.is_superuser:
            rows = rows.filter(memberships__user=user)
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
        return Reply(shapes.ProjectShape(access.project_for(request.user, slug, access.SEE)).data)

    @extend_schema(operation_id="change_project", request=shapes.ProjectChange, responses=shapes.ProjectShape)
    def patch(self, request: Request, slug: str) -> Reply:
        project = access.project_for(request.user, slug, access.MANAGE)
        body = shapes.ProjectChange(data=request.data, partial=True)
        body.is_valid(raise_exception=True)
        return Reply(shapes.ProjectShape(projects.change_project(project=project, **body.validated_data)).data)


class ProtocolView(APIView):
    """The current protocol; a change makes a new version."""

    write_scope = Scope.MANAGE

    @extend_schema(operation_id="get_protocol", responses=shapes.ProtocolShape)
    def get(self, request: Request, slug: str) -> Reply:
        return Reply(shapes.ProtocolShape(access.project_for(request.user, slug, access.SEE).protocol).data)

    @extend_schema(operation_id="revise_protocol", request=shapes.ProtocolShape, responses=shapes.ProtocolShape)
    def patch(self, request: Request, slug: str) -> Reply:
        project = access.project_for(request.user, slug, access.MANAGE)
        body = shapes.ProtocolShape(data=request.data, partial=True)
        body.is_valid(raise_exception=True)
        protocol = projects.revise_protocol(project=project, **body.validated_data)
        return Reply(shapes.ProtocolShape(protocol).data)


class MembersView(APIView):
    """Who is in a project."""

    @extend_schema(operation_id="list_members", responses=shapes.MemberShape(many=True))
    def get(self, request: Request, slug: str) -> Reply:
        project = access.project_for(request.user, slug, access.MANAGE)
        rows = project.memberships.select_related("user")
        return page(request, rows, lambda membership: dict(shapes.MemberShape(membership).data))
