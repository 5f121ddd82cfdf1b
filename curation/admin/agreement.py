"""The sums that agreement is told from: read here; deleting a state makes its sums anew at the next look."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString

from curation.admin.lists import BigList, OnlyRead
from curation.admin.runs import in_json
from curation.models import AgreementState, AgreementSum


@admin.register(AgreementState)
class AgreementStateAdmin(OnlyRead, BigList):
    list_display = ("id", "project", "field", "upto", "task", "updated_at")
    list_filter = ("project",)
    list_select_related = ("project",)
    search_fields = ("project__slug",)
    fields = ("project", "field", "protocol", "upto", "task", "change", "tail", "updated_at")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("curation.delete_agreementstate")


@admin.register(AgreementSum)
class AgreementSumAdmin(OnlyRead, BigList):
    list_display = ("id", "state", "label", "part", "slice", "key", "n")
    list_filter = ("part",)
    list_select_related = ("state__project",)
    search_fields = ("label",)
    fields = ("state", "label", "part", "slice", "key", "n", "shown_sums")
    readonly_fields = ("shown_sums",)

    @admin.display(description="sums")
    def shown_sums(self, row: AgreementSum) -> SafeString:
        return in_json(row.sums)
