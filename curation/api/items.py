"""One item over the API: read, taken out, brought back."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response as Reply
from rest_framework.views import APIView

from curation import access
from curation.api import fields
from curation.api.auth import caller
from curation.api.critiques import item as listed
from curation.api.etags import conditional, guarded, tagged
from curation.api.idempotency import idempotent
from curation.models import Item, Scope
from curation.services import browsing, removing
from curation.services.desk import asked

REASON = OpenApiParameter(
    "reason",
    {"type": "string", "maxLength": removing.LONGEST, "pattern": "^[^\\u0000]*$"},
    description="why, for those who read what changed",
)


class ItemShape(serializers.Serializer):
    id = fields.Whole()
    external_id = fields.Text()
    prompt = fields.Json()
    context = fields.Json()  # type: ignore[assignment]
    responses = serializers.ListField(child=serializers.DictField())
    tasks = serializers.ListField(child=serializers.DictField())
    metadata = fields.Json()
    source = fields.Text(  # type: ignore[assignment]
        help_text="where it came from; empty when that was not told"
    )
    created_at = serializers.DateTimeField()
    removed_at = serializers.DateTimeField(allow_null=True, help_text="when it was taken out; null while it is there")


class Reason(serializers.Serializer):
    reason = fields.Text(
        required=False, default="", allow_blank=True, max_length=removing.LONGEST, help_text="why it is brought back"
    )


class ItemView(APIView):
    """One item with its responses and tasks, taken out or not."""

    write_scope = Scope.MANAGE

    @extend_schema(operation_id="get_item", responses=ItemShape)
    def get(self, request: Request, slug: str, item_id: int) -> Reply:
        return conditional(request, shown(reachable(request, slug, item_id, access.READ)))

    def shown_now(self, request: Request, slug: str, item_id: int) -> dict[str, Any]:
        return shown_locked(request, slug, item_id)

    @extend_schema(operation_id="remove_item", parameters=[REASON], responses={204: None})
    @guarded
    def delete(self, request: Request, slug: str, item_id: int) -> Reply:
        item = reachable(request, slug, item_id, access.MANAGE)
        reason = request.query_params.get("reason", "")
        removing.remove(project=item.project, ids=[item.pk], user=caller(request), reason=reason)
        return Reply(status=204)


class RestoreView(APIView):
    """Bring an item back that was taken out, with the tasks that went with it."""

    write_scope = Scope.MANAGE

    def shown_now(self, request: Request, slug: str, item_id: int) -> dict[str, Any]:
        return shown_locked(request, slug, item_id)

    @extend_schema(operation_id="restore_item", request=Reason, responses=ItemShape)
    @idempotent
    @guarded
    def post(self, request: Request, slug: str, item_id: int) -> Reply:
        item = reachable(request, slug, item_id, access.MANAGE)
        body = Reason(data=request.data)
        body.is_valid(raise_exception=True)
        removing.restore(project=item.project, ids=[item.pk], user=caller(request), **body.validated_data)
        return tagged(shown(reachable(request, slug, item_id, access.MANAGE)))


def reachable(request: Request, slug: str, item_id: int, capability: str) -> Item:
    project = access.project_for(request.user, slug, capability)
    item = browsing.item_of(project, item_id)
    item.project = project
    return item


def shown_locked(request: Request, slug: str, item_id: int) -> dict[str, Any]:
    """As `shown`, once nobody else may change it: the project's row is what everybody locks who does."""
    item = reachable(request, slug, item_id, access.MANAGE)
    removing.lock(item.project)
    return shown(reachable(request, slug, item_id, access.MANAGE))


def shown(item: Item) -> dict[str, Any]:
    project = item.project
    unit = asked(project.protocol).unit if project.protocol else "span"
    [one] = browsing.listed([item.pk], browsing.tasks_of(project, [item.pk]))
    return listed(project, one, unit) | {
        "metadata": item.metadata,
        "source": item.source.name if item.source else "",
        "created_at": item.created_at,
        "removed_at": item.deleted_at,
    }
