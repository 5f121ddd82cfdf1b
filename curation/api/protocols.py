"""A project's protocol over the API: read, revised, its versions, and what a change would do."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response as Reply
from rest_framework.views import APIView

from curation import access
from curation.api import fields, shapes
from curation.api.etags import conditional, guarded, tagged
from curation.api.pages import page
from curation.errors import NotFound
from curation.models import Project, Protocol, Scope
from curation.services import protocols, relabelling

RELABELLED = "as which labels those of earlier answers are read: {types: {old: new}}; null where one was split"


class RevisionShape(shapes.ProtocolShape):
    relabelled = fields.Json(required=False, help_text=RELABELLED)


class ProtocolVersionShape(RevisionShape):
    preset = fields.Text(read_only=True)
    created_at = serializers.DateTimeField(read_only=True)


class ChangeShape(serializers.Serializer):
    what = serializers.ChoiceField(choices=["came", "went", "changed"])
    of = fields.Text()
    name = fields.Text()
    how = fields.Text()


class LabelEffectShape(serializers.Serializer):
    """A label that goes although standing answers carry it. Without a decision these keep it."""

    family = serializers.ChoiceField(choices=list(relabelling.FAMILIES))
    question = fields.Text(help_text="whose option it is")
    name = fields.Text()
    row = fields.Text(help_text="what is counted: critique, verdict or preference")
    count = fields.Whole()
    at_least = fields.Flag()
    versions = serializers.ListField(child=fields.Whole())
    suggested = fields.Text(allow_null=True)
    targets = serializers.SerializerMethodField()

    def get_targets(self, effect: relabelling.Effect) -> list[str]:
        return [name for name, _ in effect.targets]


class PreviewShape(serializers.Serializer):
    version = fields.Whole(help_text="the current one")
    changes = ChangeShape(many=True)
    effects = LabelEffectShape(many=True)


class ProtocolView(APIView):
    """The current protocol; a change makes a new version, and earlier answers keep theirs."""

    write_scope = Scope.MANAGE

    @extend_schema(operation_id="get_protocol", responses=ProtocolVersionShape)
    def get(self, request: Request, slug: str) -> Reply:
        return conditional(request, self.shown(access.project_for(request.user, slug, access.SEE)))

    def shown(self, project: Project) -> dict[str, Any]:
        return dict(ProtocolVersionShape(project.protocol).data)

    def shown_now(self, request: Request, slug: str) -> dict[str, Any]:
        project = access.project_for(request.user, slug, access.SEE)
        Project.objects.select_for_update().get(pk=project.pk)
        return self.shown(access.project_for(request.user, slug, access.SEE))

    @extend_schema(operation_id="revise_protocol", request=RevisionShape, responses=ProtocolVersionShape)
    @guarded
    def patch(self, request: Request, slug: str) -> Reply:
        project = access.project_for(request.user, slug, access.MANAGE)
        return tagged(dict(ProtocolVersionShape(protocols.revise_protocol(project=project, **revision(request))).data))

    @extend_schema(operation_id="replace_protocol", request=RevisionShape, responses=ProtocolVersionShape)
    @guarded
    def put(self, request: Request, slug: str) -> Reply:
        """As PATCH, but what is not given is as in a new protocol."""
        project = access.project_for(request.user, slug, access.MANAGE)
        changes = protocols.fresh() | revision(request)
        return tagged(dict(ProtocolVersionShape(protocols.revise_protocol(project=project, **changes)).data))


class VersionsView(APIView):
    """Every version of the protocol, oldest first."""

    @extend_schema(operation_id="list_protocol_versions", responses=ProtocolVersionShape(many=True))
    def get(self, request: Request, slug: str) -> Reply:
        project = access.project_for(request.user, slug, access.SEE)
        rows = Protocol.objects.filter(project=project)
        return page(request, rows, lambda protocol: dict(ProtocolVersionShape(protocol).data))


class VersionView(APIView):
    """One version of the protocol."""

    @extend_schema(operation_id="get_protocol_version", responses=ProtocolVersionShape)
    def get(self, request: Request, slug: str, number: int) -> Reply:
        project = access.project_for(request.user, slug, access.SEE)
        found = Protocol.objects.filter(project=project, version=number).first()
        if found is None:
            raise NotFound("no such version of the protocol")
        return Reply(ProtocolVersionShape(found).data)


class PreviewView(APIView):
    """What a change of the protocol would do: its differences, and the labels of earlier answers that would go."""

    write_scope = Scope.MANAGE

    @extend_schema(operation_id="preview_protocol", request=RevisionShape, responses=PreviewShape)
    def post(self, request: Request, slug: str) -> Reply:
        project = access.project_for(request.user, slug, access.MANAGE)
        changes = revision(request)
        relabelled = changes.pop("relabelled", {})
        before = protocols.values_of(project.protocol)
        after = protocols.checked(before | changes, project.kind)
        relabelling.checked(project, after, relabelled)
        told = {
            "version": project.protocol.version if project.protocol else 0,
            "changes": protocols.differences(before, after),
            "effects": relabelling.preview(project, after, relabelled),
        }
        return Reply(PreviewShape(told).data)


def revision(request: Request) -> dict[str, Any]:
    """The changes of a checked body; the JSON columns are checked by the service."""
    body = RevisionShape(data=request.data, partial=True)
    body.is_valid(raise_exception=True)
    return dict(body.validated_data)
