"""How models did on benchmarks: found and read; runs make them."""

from __future__ import annotations

from django.contrib import admin
from django.utils.safestring import SafeString

from curation.admin.lists import BigList, OnlyRead
from curation.admin.runs import in_json
from curation.models import Evaluation


@admin.register(Evaluation)
class EvaluationAdmin(OnlyRead, BigList):
    list_display = ("id", "model", "benchmark", "project", "main", "value", "n", "total", "created_at")
    list_filter = ("benchmark", "project")
    list_select_related = ("model", "project")
    search_fields = ("model__name",)
    fields = (
        "model", "benchmark", "project", "axis", "run", "main", "value", "n", "total", "figures", "rows_from",
        "created_at",
    )  # fmt: skip
    readonly_fields = ("figures", "rows_from")

    @admin.display(description="figures")
    def figures(self, evaluation: Evaluation) -> SafeString:
        return in_json(evaluation.scores)

    @admin.display(description="rows from")
    def rows_from(self, evaluation: Evaluation) -> SafeString:
        return in_json(evaluation.source)
