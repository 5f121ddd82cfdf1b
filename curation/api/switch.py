"""The switch from another tool over the API: an export as the body or in a form becomes a project."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response as Reply
from rest_framework.views import APIView

from curation.api import fields
from curation.api.auth import caller
from curation.api.idempotency import idempotent
from curation.api.imports import AlwaysJson, RawParser, received
from curation.api.runs import shown
from curation.api.shapes import RunShape
from curation.errors import Forbidden, Invalid
from curation.models import Scope
from curation.services import switching
from workers.switching import tools


class SwitchQuery(serializers.Serializer):
    """What is said of an export."""

    slug = serializers.SlugField(
        max_length=80, required=False, help_text="address of the project; one of an earlier switch takes what is new"
    )
    name = serializers.CharField(max_length=160, required=False, help_text="of a new project; its address unless told")
    tool = serializers.ChoiceField(
        choices=["auto", *(tool.name for tool in tools)], default="auto", help_text="what the export is of"
    )
    prompt_fields = serializers.CharField(max_length=2000, default="", help_text="separated by commas")
    response_fields = serializers.CharField(max_length=2000, default="", help_text="separated by commas")
    filename = serializers.CharField(max_length=255, default="export", help_text="of a body that is the export itself")
    dry_run = serializers.BooleanField(default=False, help_text="tell what would become of it; nothing is written")


class LookShape(serializers.Serializer):
    """What an export becomes."""

    tool = serializers.CharField()
    kind = serializers.CharField(help_text="preference, response or ranking")
    protocol = fields.Json()
    counts = serializers.DictField(
        child=serializers.IntegerField(), help_text="items, votes, answers, suggestions, refused"
    )
    left = serializers.DictField(child=serializers.IntegerField(), help_text="what is not taken over, by what it is")
    problems = serializers.ListField(child=fields.Json(), help_text="the first refused rows: line, field, reason")
    whole = serializers.BooleanField(help_text="whether all rows were looked at")


class SwitchView(APIView):
    """A project out of an export of Argilla, Label Studio or doccano; in a form, `config` holds its settings."""

    write_scope = Scope.MANAGE
    parser_classes = [MultiPartParser, RawParser]
    content_negotiation_class = AlwaysJson

    @extend_schema(
        operation_id="switch",
        parameters=[SwitchQuery],
        request={"application/octet-stream": OpenApiTypes.BINARY},
        responses={200: LookShape, 202: RunShape},
    )
    @idempotent
    def post(self, request: Request) -> Reply:
        user = caller(request)
        if not user.is_staff:
            raise Forbidden("only staff may create projects")
        query = SwitchQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        given = query.validated_data
        got = received(request, user, "config")
        asked = switching.Asked(
            path=got.path,
            name=got.name,
            tool=given["tool"],
            wanted=switching.wanted_from(given["prompt_fields"], given["response_fields"]),
            beside={got.beside_name: got.beside} if got.beside else {},
        )
        if given["dry_run"]:
            return Reply(looked(switching.look(asked)))
        slug = given.get("slug")
        if slug is None:
            raise Invalid("is missing", field="slug")
        switching.check_may_switch_into(slug, user)
        run = switching.request_switch(asked=asked, slug=slug, name=given.get("name", slug), user=user, move=True)
        return Reply(shown(run), status=202)


def looked(seen: switching.Look) -> dict[str, Any]:
    return {
        "tool": seen.tool.name,
        "kind": seen.plan.kind,
        "protocol": seen.protocol,
        "counts": dict(seen.counts),
        "left": seen.left,
        "problems": seen.problems,
        "whole": seen.whole,
    }
