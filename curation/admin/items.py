"""Items with their responses, and pairs, and what became of them. Texts come in and change by import only."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from curation.admin.lists import BigList, InlineRows, OnlyRead, excerpt, list_link
from curation.admin.runs import in_json
from curation.models import Change, Item, Pair, Project, Response, Task, User
from curation.services import queueing, removing
from curation.services.retiring import slices


class ResponseInline(InlineRows):
    model = Response
    fields = ("position", "model", "text", "metadata", "deleted_at")
    ordering = ("position",)


class PairInline(InlineRows):
    model = Pair
    fields = ("first", "second", "deleted_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Pair]:
        return super().get_queryset(request).select_related("first", "second")


@admin.register(Item)
class ItemAdmin(OnlyRead, BigList):
    list_display = ("external_id", "project", "asked", "turns", "created_at", "deleted_at")
    list_filter = ("project", ("deleted_at", admin.EmptyFieldListFilter), "created_at")
    list_select_related = ("project",)
    search_fields = ("external_id__startswith",)
    search_help_text = "The beginning of an external id"
    fields = ("project", "external_id", "conversation", "context", "metadata", "tasks", "created_at", "deleted_at")
    readonly_fields = ("conversation", "tasks")
    inlines = (ResponseInline, PairInline)
    actions = ("retire", "remove", "restore")

    @admin.display(description="last message")
    def asked(self, item: Item) -> str:
        return excerpt(item.prompt[-1]["content"]) if item.prompt else "–"

    @admin.display(description="turns")
    def turns(self, item: Item) -> int:
        return len(item.prompt)

    @admin.display(description="prompt")
    def conversation(self, item: Item) -> SafeString:
        turns = ((message["role"], message["content"]) for message in item.prompt)
        return format_html_join("", '<p><b>{}</b></p><p class="mb-3 whitespace-pre-wrap">{}</p>', turns)

    @admin.display(description="tasks")
    def tasks(self, item: Item) -> SafeString:
        return format_html("{}", list_link("Tasks of this item", "task", pair__item__id__exact=item.pk))

    @admin.action(description="Retire their open tasks", permissions=["act"])
    def retire(self, request: HttpRequest, queryset: QuerySet[Item]) -> None:
        changed = queueing.retire(tasks=Task.objects.filter(pair__item__in=queryset))
        self.message_user(request, f"{changed} tasks retired.")

    @admin.action(description="Remove them (they can be brought back)", permissions=["move"])
    def remove(self, request: HttpRequest, queryset: QuerySet[Item]) -> None:
        self.message_user(request, f"{by_project(request, queryset, removing.remove)} items removed.")

    @admin.action(description="Bring them back", permissions=["move"])
    def restore(self, request: HttpRequest, queryset: QuerySet[Item]) -> None:
        self.message_user(request, f"{by_project(request, queryset, removing.restore)} items brought back.")

    def has_act_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("curation.change_task")

    def has_move_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("curation.change_item")


def by_project(request: HttpRequest, items: QuerySet[Item], verb: Callable[..., int]) -> int:
    """Do `verb` to the items of each project; to how many it was done."""
    user = request.user if isinstance(request.user, User) else None
    done = 0
    for project in Project.objects.filter(items__in=items).distinct().order_by("pk"):
        for some in slices(items.filter(project=project).values_list("pk", flat=True)):
            done += verb(project=project, ids=some, user=user)
    return done


@admin.register(Change)
class ChangeAdmin(OnlyRead, BigList):
    list_display = ("id", "item", "project", "kind", "what", "made_by", "reason", "created_at")
    list_filter = ("kind", "project", "created_at")
    list_select_related = ("item", "project", "made_by")
    search_fields = ("item__external_id__startswith",)
    search_help_text = "The beginning of an external id"
    fields = ("project", "item", "kind", "what", "was", "reason", "run", "made_by", "created_at")
    readonly_fields = ("what", "was")

    @admin.display(description="what")
    def what(self, change: Change) -> str:
        return ", ".join(change.fields) or "–"

    @admin.display(description="before")
    def was(self, change: Change) -> SafeString:
        return in_json(change.before)


@admin.register(Pair)
class PairAdmin(OnlyRead, BigList):
    list_display = ("id", "item", "first_text", "second_text", "tasks")
    list_filter = ("item__project",)
    list_select_related = ("item", "first", "second")
    search_fields = ("item__external_id__startswith",)
    search_help_text = "The beginning of an external id"
    fields = ("item", "first_text", "second_text", "tasks", "deleted_at")
    readonly_fields = ("first_text", "second_text", "tasks")

    @admin.display(description="first")
    def first_text(self, pair: Pair) -> str:
        return excerpt(pair.first.text)

    @admin.display(description="second")
    def second_text(self, pair: Pair) -> str:
        return excerpt(pair.second.text)

    @admin.display(description="tasks")
    def tasks(self, pair: Pair) -> SafeString:
        return list_link("Tasks", "task", pair__id__exact=pair.pk)
