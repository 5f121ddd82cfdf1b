"""Bias reports and learning curves, as runs found them: found and read."""

from __future__ import annotations

from django.contrib import admin
from django.utils.safestring import SafeString

from curation.admin.lists import BigList, OnlyRead
from curation.admin.runs import in_json
from curation.models import BiasReport, LearningCurve


@admin.register(BiasReport)
class BiasReportAdmin(OnlyRead, BigList):
    list_display = ("id", "project", "version", "run", "created_at")
    list_filter = ("project",)
    list_select_related = ("project", "version__dataset", "run")
    fields = ("project", "run", "version", "figures", "created_at")
    readonly_fields = ("figures",)

    @admin.display(description="told")
    def figures(self, report: BiasReport) -> SafeString:
        return in_json(report.told)


@admin.register(LearningCurve)
class LearningCurveAdmin(OnlyRead, BigList):
    list_display = ("id", "project", "advice", "run", "created_at")
    list_filter = ("project",)
    list_select_related = ("project", "run")
    fields = ("project", "run", "figures", "created_at")
    readonly_fields = ("figures",)

    @admin.display(description="advice")
    def advice(self, curve: LearningCurve) -> str:
        return str(curve.told.get("advice", ""))

    @admin.display(description="told")
    def figures(self, curve: LearningCurve) -> SafeString:
        return in_json(curve.told)
