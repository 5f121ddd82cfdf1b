"""How annotators answered, as runs found it: found and read."""

from __future__ import annotations

from django.contrib import admin
from django.utils.safestring import SafeString

from curation.admin.lists import BigList, OnlyRead
from curation.admin.runs import in_json
from curation.models import Check


@admin.register(Check)
class CheckAdmin(OnlyRead, BigList):
    list_display = ("id", "project", "annotator", "flags", "run", "created_at")
    list_filter = ("project",)
    list_select_related = ("project", "annotator", "run")
    fields = ("project", "run", "annotator", "flags", "figures", "created_at")
    readonly_fields = ("figures",)

    @admin.display(description="signals")
    def figures(self, check: Check) -> SafeString:
        return in_json(check.signals)
