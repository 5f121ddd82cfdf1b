"""Models: found, checked again, retired. They are registered and tried on their own pages."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from curation.admin.lists import BigList, OnlyRead, link, list_link, one_by_one, row_link
from curation.admin.runs import in_json
from curation.models import ModelVersion, User
from curation.services import registry


@admin.register(ModelVersion)
class ModelVersionAdmin(OnlyRead, BigList):
    list_display = (
        "__str__",
        "kind",
        "state",
        "reference",
        "licence",
        "project",
        "created_by",
        "created_at",
        "retired_at",
    )
    list_filter = ("state", "kind", "project", "retired_at")
    list_select_related = ("project", "created_by")
    search_fields = ("name", "reference", "fingerprint__startswith")
    fields = (
        "name", "number", "kind", "state", "problem", "try_it", "reference", "revision", "fingerprint", "configured",
        "trusted_code", "licence", "found", "probed", "project", "maker", "runs_with_it", "card_text", "created_by",
        "created_at", "retired_at",
    )  # fmt: skip
    readonly_fields = ("try_it", "configured", "found", "probed", "maker", "runs_with_it", "card_text")
    actions = ("check_again", "retire")

    def has_act_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("curation.change_modelversion")

    @admin.display(description="try it")
    def try_it(self, version: ModelVersion) -> SafeString:
        return link(f"{reverse('model', args=[version.pk])}#try", "Give it a prompt and responses, on its page")

    @admin.display(description="configuration")
    def configured(self, version: ModelVersion) -> SafeString:
        return in_json(version.config)

    @admin.display(description="facts")
    def found(self, version: ModelVersion) -> SafeString:
        return in_json(version.facts)

    @admin.display(description="probe")
    def probed(self, version: ModelVersion) -> SafeString:
        return in_json(version.probe)

    @admin.display(description="trained by")
    def maker(self, version: ModelVersion) -> SafeString | str:
        return row_link(version.made_by) if version.made_by else "–"

    @admin.display(description="runs")
    def runs_with_it(self, version: ModelVersion) -> SafeString:
        return list_link("Runs with it", "run", model__id__exact=version.pk)

    @admin.display(description="card")
    def card_text(self, version: ModelVersion) -> SafeString:
        return format_html('<pre class="whitespace-pre-wrap">{}</pre>', version.card[:20_000] or "–")

    @admin.action(description="Check again", permissions=["act"])
    def check_again(self, request: HttpRequest, queryset: QuerySet[ModelVersion]) -> None:
        one_by_one(
            request,
            queryset,
            lambda version: registry.check(version, user=request.user if isinstance(request.user, User) else None),
            "models are being checked.",
        )

    @admin.action(description="Retire", permissions=["act"])
    def retire(self, request: HttpRequest, queryset: QuerySet[ModelVersion]) -> None:
        one_by_one(request, queryset, registry.retire, "models retired.")
