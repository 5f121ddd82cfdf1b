"""Gold: found, taken back, kept when it was suspect; and how right the answers to it were."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from curation.admin.lists import BigList, OnlyRead, row_link
from curation.models import Gold, GoldResult
from curation.services.gold import marking


@admin.register(Gold)
class GoldAdmin(OnlyRead, BigList):
    list_display = ("id", "project", "on", "phase", "side", "answered", "missed", "suspect_at", "retired_at")
    list_filter = ("phase", "made_from", ("suspect_at", admin.EmptyFieldListFilter), "project")
    list_select_related = ("project", "task")
    search_fields = ("=task__id",)
    search_help_text = "A task’s number"
    fields = (
        "project", "on", "phase", "expected", "explanation", "made_from", "annotation", "made_by", "answered", "missed",
        "suspect_at", "suspicion", "kept_at", "corrected_at", "retired_at", "created_at",
    )  # fmt: skip
    readonly_fields = ("on",)
    actions = ("retire", "keep")

    def has_act_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("curation.change_gold")

    @admin.display(description="task")
    def on(self, gold: Gold) -> SafeString:
        return row_link(gold.task)

    @admin.action(description="Take back", permissions=["act"])
    def retire(self, request: HttpRequest, queryset: QuerySet[Gold]) -> None:
        self.message_user(request, f"{marking.retire(golds=queryset)} are gold no more.")

    @admin.action(description="Keep: it is right", permissions=["act"])
    def keep(self, request: HttpRequest, queryset: QuerySet[Gold]) -> None:
        self.message_user(request, f"{marking.keep(golds=queryset)} are suspect no more.")


@admin.register(GoldResult)
class GoldResultAdmin(OnlyRead, BigList):
    list_display = ("id", "gold", "annotator", "correct", "score", "revealed_at", "at")
    list_filter = ("correct", "gold__project")
    list_select_related = ("gold", "annotator")
    search_fields = ("annotator__name__startswith",)
    search_help_text = "The beginning of an annotator’s name"
    fields = ("gold", "annotator", "annotation", "correct", "score", "parts", "revealed_at", "objection", "at")
