"""Plans, their steps and the pairs that they took: found and read."""

from __future__ import annotations

from django.contrib import admin
from django.utils.safestring import SafeString

from curation.admin.lists import BigList, OnlyRead
from curation.admin.runs import in_json
from curation.models import AttributesEdit, PairAttributes, Plan, PlanPair, PlanStep


@admin.register(Plan)
class PlanAdmin(OnlyRead, BigList):
    list_display = ("id", "project", "method", "state", "round", "stage", "created_by", "created_at")
    list_filter = ("state", "project")
    list_select_related = ("project", "created_by")
    fields = (
        "project", "method", "state", "round", "stage", "error", "advice", "queue", "deadline", "version", "settings",
        "seed", "last_task", "again_of", "created_by", "created_at", "ended_at",
    )  # fmt: skip
    readonly_fields = ("settings",)

    @admin.display(description="parameters")
    def settings(self, plan: Plan) -> SafeString:
        return in_json(plan.params)


@admin.register(PlanStep)
class PlanStepAdmin(OnlyRead, BigList):
    list_display = ("id", "plan", "round", "stage", "run", "started_at", "ended_at")
    list_select_related = ("plan", "run")
    fields = ("plan", "round", "stage", "run", "counted", "started_at", "ended_at")
    readonly_fields = ("counted",)

    @admin.display(description="counts")
    def counted(self, step: PlanStep) -> SafeString:
        return in_json(step.counts)


@admin.register(PlanPair)
class PlanPairAdmin(OnlyRead, BigList):
    list_display = ("id", "plan", "task", "role", "round", "label", "before", "pulls")
    list_filter = ("role",)
    list_select_related = ("plan", "task")
    fields = ("plan", "task", "role", "round", "held_out", "label", "before", "pulls", "similarity", "votes")


@admin.register(PairAttributes)
class PairAttributesAdmin(OnlyRead, BigList):
    list_display = ("id", "pair", "category", "objectivity", "controversiality", "model")
    list_filter = ("category", "objectivity")
    list_select_related = ("pair", "model")
    fields = ("pair", "category", "objectivity", "controversiality", "desired", "guideline", "model", "created_at")


@admin.register(AttributesEdit)
class AttributesEditAdmin(OnlyRead, BigList):
    list_display = ("id", "attributes", "by", "at")
    list_select_related = ("attributes", "by")
    fields = ("attributes", "by", "before", "after", "at")
