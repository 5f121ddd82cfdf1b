"""Items with their responses, and pairs. Texts come in and change by import only."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from curation.admin.lists import BigList, InlineRows, OnlyRead, excerpt, list_link
from curation.models import Item, Pair, Response, Task
from curation.services import queueing


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
    actions = ("retire",)

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

    def has_act_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("curation.change_task")


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
