"""What curators propose, and the verbs that accept and refuse it."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.http import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response as Reply
from rest_framework.views import APIView

from curation import access
from curation.api import fields
from curation.api.auth import caller
from curation.api.datasets import Streamable
from curation.api.idempotency import idempotent
from curation.api.pages import CURSOR, LIMITED, page
from curation.api.streaming import streamed, wants_stream
from curation.errors import Invalid
from curation.models import Project, Proposal, Run
from curation.services.curating import deciding, showing
from curation.services.curating.deciding import MOST_NAMED, Wanted

RUN = OpenApiParameter("run", {"type": "string", "format": "uuid"}, required=True, description="the run that proposes")
ACTION = OpenApiParameter("action", {"type": "string", "enum": Proposal.Action.values})
STATE = OpenApiParameter("state", {"type": "string", "enum": Proposal.State.values})


class ProposalShape(serializers.Serializer):
    id = fields.Whole()
    run = serializers.UUIDField()
    item = fields.Text(help_text="the item's id in its import")
    pair = fields.Whole(allow_null=True)
    response = fields.Whole(allow_null=True, help_text="where it is about one alone")
    chosen = fields.Whole(allow_null=True, help_text="the response that was preferred when it was proposed")
    rejected = fields.Whole(allow_null=True)
    action = fields.Text(help_text="keep, flip, drop or ask")
    score = fields.Real()
    reason = fields.Text()
    cause = fields.Text(help_text="in few words: what the card of a version counts")
    state = fields.Text(help_text="open, accepted or refused")
    decided_by = fields.Text(allow_null=True)
    decided_at = serializers.DateTimeField(allow_null=True)


class ProposalRows(serializers.Serializer):
    results = ProposalShape(many=True)
    next = fields.Text(allow_null=True)


class ChosenProposals(serializers.Serializer):
    """Which: by their ids, or those of an action, with a score in a range. Without ids only open ones are decided."""

    run = fields.Reference()
    ids = serializers.ListField(
        child=fields.Whole(min_value=1, max_value=2**63 - 1), required=False, min_length=1, max_length=MOST_NAMED
    )
    action = serializers.ChoiceField(choices=Proposal.Action.values, required=False)
    low = fields.Real(required=False, help_text="the lowest score")
    high = fields.Real(required=False, help_text="the highest score")


class DecidedProposals(serializers.Serializer):
    decided = fields.Whole(help_text="how many are in another state by this")
    states = fields.Json(help_text="counts of the run by action and state")


class ProposalsView(Streamable):
    """Proposals of a run by cursor, or all as NDJSON."""

    @extend_schema(
        operation_id="list_proposals", parameters=[RUN, ACTION, STATE, CURSOR, LIMITED], responses=ProposalRows
    )
    def get(self, request: Request, slug: str) -> HttpResponseBase:
        project = access.project_for(request.user, slug, access.READ)
        query = request.query_params
        run = run_of(project, query.get("run", ""))
        wanted = Wanted(query.get("action", ""), query.get("state", ""))
        found = deciding.matching(run, wanted)
        if wants_stream(request):
            return streamed(showing.every(run, wanted), project, "proposals")
        return page(request, found.select_related("item", "decided_by"), shown)


class Deciding(APIView):
    state: ClassVar[str]

    def decided(self, request: Request, slug: str) -> Reply:
        project = access.project_for(request.user, slug, access.FREEZE)
        body = ChosenProposals(data=request.data)
        body.is_valid(raise_exception=True)
        given = dict(body.validated_data)
        run = run_of(project, str(given.pop("run")))
        count = deciding.decide(run, Wanted(**given), self.state, caller(request))
        return Reply({"decided": count, "states": run.result.get("states", {})})


class AcceptView(Deciding):
    """Accept proposals; pairs to be asked again are asked. A conflict where a version follows what would change."""

    state = Proposal.State.ACCEPTED

    @extend_schema(operation_id="accept_proposals", request=ChosenProposals, responses=DecidedProposals)
    @idempotent
    def post(self, request: Request, slug: str) -> Reply:
        return self.decided(request, slug)


class RefuseView(Deciding):
    """Refuse proposals."""

    state = Proposal.State.REFUSED

    @extend_schema(operation_id="refuse_proposals", request=ChosenProposals, responses=DecidedProposals)
    @idempotent
    def post(self, request: Request, slug: str) -> Reply:
        return self.decided(request, slug)


class ReopenView(Deciding):
    """Take decisions on proposals back."""

    state = Proposal.State.OPEN

    @extend_schema(operation_id="reopen_proposals", request=ChosenProposals, responses=DecidedProposals)
    @idempotent
    def post(self, request: Request, slug: str) -> Reply:
        return self.decided(request, slug)


def run_of(project: Project, given: str) -> Run:
    """Raises Invalid for what is no run of the project."""
    try:
        run = Run.objects.filter(pk=UUID(given), project=project).first()
    except ValueError:
        run = None
    if run is None:
        raise Invalid("must be a run of this project", field="run")
    return run


def shown(one: Proposal) -> dict[str, Any]:
    return dict(ProposalShape(showing.told(one)).data)
