"""What became of the items of a version since it was made; by cursor, or all as NDJSON."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponseBase
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response as Reply

from curation.api import fields
from curation.api.datasets import Streamable, version_for
from curation.api.pages import CURSOR, LIMIT, LIMITED, MOST
from curation.api.pages import number as whole
from curation.api.streaming import streamed, wants_stream
from curation.models import Change
from curation.services import freezing
from curation.services.freezing import changed, tracing


class ItemChangeShape(serializers.Serializer):
    id = fields.Whole()
    item = fields.Text(help_text="its external id")
    item_id = fields.Whole()
    kind = serializers.ChoiceField(choices=Change.Kind.choices)
    what = serializers.ListField(child=fields.Text(), help_text="what was corrected: prompt, responses, …")
    by = fields.Text(allow_null=True)
    run = serializers.UUIDField(allow_null=True, help_text="the import that did it")
    reason = fields.Text()
    created_at = serializers.DateTimeField()
    url = fields.Text(help_text="of the item")


class ItemChanges(serializers.Serializer):
    results = ItemChangeShape(many=True)
    next = fields.Text(allow_null=True)


class ChangesView(Streamable):
    """Items of a version that were corrected, removed or restored since it was made, in the order of the changes.

    A page may be short, or empty, and still not be the last.
    """

    @extend_schema(operation_id="list_version_changes", parameters=[CURSOR, LIMITED], responses=ItemChanges)
    def get(self, request: Request, slug: str, name: str, number: int) -> HttpResponseBase:
        version = freezing.ready(version_for(request, slug, name, number))
        changed.check(version)
        if wants_stream(request):
            return streamed((shown(one, slug) for one in changed.every(version)), version.dataset.project, "changes")
        limit = max(1, whole(request, "limit", LIMIT, most=MOST))
        found, following = changed.since(version, whole(request, "cursor", 0), limit)
        results = [shown(one, slug) for one in found]
        return Reply({"results": results, "next": None if following is None else str(following)})


def shown(one: Change, slug: str) -> dict[str, Any]:
    return tracing.change(one) | {"url": reverse("api-item", args=[slug, one.item_id])}
