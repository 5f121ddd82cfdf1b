"""Decided labels and how reliable annotators are: found and read; runs and people make them."""

from __future__ import annotations

from django.contrib import admin
from django.utils.safestring import SafeString

from curation.admin.lists import BigList, OnlyRead
from curation.admin.runs import in_json
from curation.models import Decision, Reliability


@admin.register(Decision)
class DecisionAdmin(OnlyRead, BigList):
    list_display = ("id", "project", "kind", "name", "outcome", "confidence", "votes", "how", "created_at")
    list_filter = ("kind", "how", "project")
    list_select_related = ("project",)
    search_fields = ("=place",)
    fields = (
        "project", "run", "task", "kind", "name", "place", "outcome", "said", "value", "confidence", "votes", "how",
        "behind", "made_by", "created_at",
    )  # fmt: skip
    readonly_fields = ("said", "behind")

    @admin.display(description="answer")
    def said(self, decision: Decision) -> SafeString:
        return in_json(decision.answer)

    @admin.display(description="annotations")
    def behind(self, decision: Decision) -> SafeString:
        return in_json(decision.annotations)


@admin.register(Reliability)
class ReliabilityAdmin(OnlyRead, BigList):
    list_display = ("id", "project", "annotator", "kind", "axis", "value", "low", "high", "n")
    list_filter = ("kind", "project")
    list_select_related = ("project", "annotator")
    search_fields = ("annotator__name",)
    fields = ("project", "run", "annotator", "kind", "axis", "value", "low", "high", "n", "table")
    readonly_fields = ("table",)

    @admin.display(description="confusion")
    def table(self, reliability: Reliability) -> SafeString:
        return in_json(reliability.confusion)
