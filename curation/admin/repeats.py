"""Preferences that were asked again: found and read; nothing counts them but the checks."""

from __future__ import annotations

from django.contrib import admin
from django.utils.safestring import SafeString

from curation.admin.lists import BigList, OnlyRead, row_link
from curation.models import Repeat


@admin.register(Repeat)
class RepeatAdmin(OnlyRead, BigList):
    list_display = ("id", "project", "annotator", "on", "order", "state", "preferences", "asked_at")
    list_filter = ("state", "project")
    list_select_related = ("project", "annotator", "task")
    search_fields = ("annotator__name__startswith",)
    search_help_text = "The beginning of an annotator’s name"
    fields = (
        "project", "annotator", "on", "first", "place", "order", "state", "preferences", "rationale", "reason",
        "active_ms", "commits", "asked_at", "committed_at",
    )  # fmt: skip
    readonly_fields = ("on",)

    @admin.display(description="task")
    def on(self, repeat: Repeat) -> SafeString:
        return row_link(repeat.task)
