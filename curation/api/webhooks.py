"""Webhooks of a project over the API: made, changed, their secrets, what was sent, sent again."""

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
from curation.api.etags import conditional, guarded, tagged
from curation.api.idempotency import idempotent
from curation.api.pages import page
from curation.errors import Invalid
from curation.models import Delivery, Scope, Webhook
from curation.services import webhooks
from curation.services.telling import EVENTS

STATE = OpenApiParameter("state", str, enum=Delivery.State.values)


class WebhookShape(serializers.Serializer):
    id = fields.Whole()
    url = fields.Text()
    events = serializers.ListField(child=fields.Text())
    active = fields.Flag()
    secret = fields.Text(help_text="signs each delivery, after Standard Webhooks")
    rotated_until = serializers.DateTimeField(allow_null=True, help_text="so long the secret before signs too")
    created_at = serializers.DateTimeField()


class NewWebhook(serializers.Serializer):
    url = fields.Text(max_length=500)
    events = serializers.ListField(child=fields.Text(max_length=40), help_text=", ".join(EVENTS))


class ChangedWebhook(serializers.Serializer):
    url = fields.Text(max_length=500, required=False)
    events = serializers.ListField(child=fields.Text(max_length=40), required=False)
    active = fields.Flag(required=False)


class DeliveryShape(serializers.Serializer):
    message = serializers.UUIDField(help_text="its webhook-id, the same each time it is sent")
    event = fields.Text()
    state = serializers.CharField()
    attempts = fields.Whole()
    status = fields.Whole(allow_null=True, help_text="what the receiver answered last")
    error = fields.Text()
    due_at = serializers.DateTimeField()
    created_at = serializers.DateTimeField()
    delivered_at = serializers.DateTimeField(allow_null=True)
    payload = fields.Json()


class ReplayedShape(serializers.Serializer):
    replayed = fields.Whole()


def shown(webhook: Webhook) -> dict[str, Any]:
    return dict(WebhookShape(webhook).data)


class Managed(APIView):
    """What only who manages the project may see: its secrets are in it."""

    write_scope = Scope.MANAGE

    def found(self, request: Request, slug: str, webhook_id: int) -> Webhook:
        return webhooks.find(access.project_for(request.user, slug, access.MANAGE), webhook_id)


class WebhooksView(Managed):
    """Who is told of what happens in a project."""

    @extend_schema(operation_id="list_webhooks", responses=WebhookShape(many=True))
    def get(self, request: Request, slug: str) -> Reply:
        project = access.project_for(request.user, slug, access.MANAGE)
        return page(request, Webhook.objects.filter(project=project, deleted_at=None), shown)

    @extend_schema(operation_id="create_webhook", request=NewWebhook, responses={201: WebhookShape})
    @idempotent
    def post(self, request: Request, slug: str) -> Reply:
        project = access.project_for(request.user, slug, access.MANAGE)
        body = NewWebhook(data=request.data)
        body.is_valid(raise_exception=True)
        return Reply(shown(webhooks.add(project=project, user=caller(request), **body.validated_data)), status=201)


class WebhookView(Managed):
    """One webhook."""

    @extend_schema(operation_id="get_webhook", responses=WebhookShape)
    def get(self, request: Request, slug: str, webhook_id: int) -> Reply:
        return conditional(request, shown(self.found(request, slug, webhook_id)))

    def shown_now(self, request: Request, slug: str, webhook_id: int) -> dict[str, Any]:
        found = self.found(request, slug, webhook_id)
        return shown(Webhook.objects.select_for_update().get(pk=found.pk))

    @extend_schema(operation_id="change_webhook", request=ChangedWebhook, responses=WebhookShape)
    @guarded
    def patch(self, request: Request, slug: str, webhook_id: int) -> Reply:
        webhook = self.found(request, slug, webhook_id)
        body = ChangedWebhook(data=request.data)
        body.is_valid(raise_exception=True)
        return tagged(shown(webhooks.change(webhook, **body.validated_data)))

    @extend_schema(operation_id="delete_webhook", responses={204: None})
    @guarded
    def delete(self, request: Request, slug: str, webhook_id: int) -> Reply:
        webhooks.remove(self.found(request, slug, webhook_id))
        return Reply(status=204)


class RotateView(Managed):
    """A new secret; the old one signs too for a day."""

    @extend_schema(operation_id="rotate_webhook", request=None, responses=WebhookShape)
    def post(self, request: Request, slug: str, webhook_id: int) -> Reply:
        return Reply(shown(webhooks.rotate(self.found(request, slug, webhook_id))))


class PingView(Managed):
    """Send a test event."""

    @extend_schema(operation_id="ping_webhook", request=None, responses={202: DeliveryShape})
    def post(self, request: Request, slug: str, webhook_id: int) -> Reply:
        return Reply(dict(DeliveryShape(webhooks.ping(self.found(request, slug, webhook_id))).data), status=202)


class DeliveriesView(Managed):
    """What was sent or is on its way; POST sends everything again that was given up."""

    @extend_schema(operation_id="list_deliveries", parameters=[STATE], responses=DeliveryShape(many=True))
    def get(self, request: Request, slug: str, webhook_id: int) -> Reply:
        rows = Delivery.objects.filter(webhook=self.found(request, slug, webhook_id))
        if (state := request.query_params.get("state")) is not None:
            if state not in Delivery.State.values:
                raise Invalid(f"must be one of: {', '.join(Delivery.State.values)}", field="state")
            rows = rows.filter(state=state)
        return page(request, rows, lambda one: dict(DeliveryShape(one).data))

    @extend_schema(operation_id="replay_dead", request=None, responses={202: ReplayedShape})
    def post(self, request: Request, slug: str, webhook_id: int) -> Reply:
        return Reply({"replayed": webhooks.replay_dead(self.found(request, slug, webhook_id))}, status=202)


class ReplayView(Managed):
    """Send one again, under the same id."""

    @extend_schema(operation_id="replay_delivery", request=None, responses={202: DeliveryShape})
    def post(self, request: Request, slug: str, webhook_id: int, message: str) -> Reply:
        found = webhooks.delivery(self.found(request, slug, webhook_id), message)
        return Reply(dict(DeliveryShape(webhooks.replay(found)).data), status=202)
