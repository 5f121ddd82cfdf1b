"""Tasks: found, moved in the queue, set aside and taken up again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from curation.admin.lists import BigList, InlineRows, OnlyRead, list_link, row_link
from curation.models import Assignment, Task
from curation.services import queueing


def asking_for(wanted: int) -> Callable[[Any, HttpRequest, QuerySet[Task]], None]:
    """The action that sets the overlap of the chosen tasks."""

    @admin.action(description=f"Ask for {wanted} answer{'s' if wanted > 1 else ''} each", permissions=["act"])
    def ask(model_admin: TaskAdmin, request: HttpRequest, queryset: QuerySet[Task]) -> None:
        changed = queueing.set_overlap(tasks=queryset, overlap=wanted)
        model_admin.message_user(request, f"{changed} tasks ask for {wanted} now.")

    ask.__name__ = f"ask_for_{wanted}"
    return ask


class AssignmentInline(InlineRows):
    model = Assignment
    fields = ("annotator", "state", "order", "expires_at", "created_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Assignment]:
        return super().get_queryset(request).select_related("annotator")


@admin.register(Task)
class TaskAdmin(OnlyRead, BigList):
    list_display = ("id", "project", "item", "state", "priority", "answered", "taken", "annotations")
    list_filter = ("state", "project", "kind", "overlap")
    list_select_related = ("project", "pair__item")
    search_fields = ("=id", "pair__item__external_id__startswith")
    search_help_text = "A task’s number, or the beginning of an external id"
    fields = ("project", "item", "kind", "state", "priority", "overlap", "taken", "done", "annotations")
    readonly_fields = ("item", "annotations")
    inlines = (AssignmentInline,)
    actions = ("ahead", "back", "retire", "reopen", *(asking_for(wanted) for wanted in (1, 2, 3, 5)))

    def has_act_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("curation.change_task")

    @admin.display(description="item")
    def item(self, task: Task) -> SafeString | str:
        return row_link(task.pair.item) if task.pair else "–"

    @admin.display(description="answered")
    def answered(self, task: Task) -> str:
        return f"{task.done} of {task.overlap}"

    @admin.display(description="annotations")
    def annotations(self, task: Task) -> SafeString:
        return list_link("Annotations", "annotation", task__id__exact=task.pk)

    @admin.action(description="Raise priority", permissions=["act"])
    def ahead(self, request: HttpRequest, queryset: QuerySet[Task]) -> None:
        self.message_user(request, f"{queueing.raise_priority(tasks=queryset)} tasks moved ahead.")

    @admin.action(description="Lower priority", permissions=["act"])
    def back(self, request: HttpRequest, queryset: QuerySet[Task]) -> None:
        self.message_user(request, f"{queueing.raise_priority(tasks=queryset, by=-queueing.STEP)} tasks moved back.")

    @admin.action(description="Retire", permissions=["act"])
    def retire(self, request: HttpRequest, queryset: QuerySet[Task]) -> None:
        self.message_user(request, f"{queueing.retire(tasks=queryset)} open tasks retired.")

    @admin.action(description="Reopen", permissions=["act"])
    def reopen(self, request: HttpRequest, queryset: QuerySet[Task]) -> None:
        self.message_user(request, f"{queueing.reopen(tasks=queryset)} retired tasks reopened.")
