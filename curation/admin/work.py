"""Queues, groups, reviews and comments: read here; made and changed on the pages of their project."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from curation.admin.lists import BigList, InlineRows, OnlyRead, excerpt, list_link, one_by_one
from curation.models import Comment, Group, Mention, Queue, Review, Share
from curation.services import queues


class ShareInline(InlineRows):
    model = Share
    fields = ("annotator", "done", "skipped", "closed")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Share]:
        return super().get_queryset(request).select_related("annotator")


@admin.register(Queue)
class QueueAdmin(OnlyRead, BigList):
    list_display = ("name", "project", "task_count", "priority", "overlap", "deadline", "paused_at")
    list_filter = ("project", ("paused_at", admin.EmptyFieldListFilter))
    list_select_related = ("project",)
    search_fields = ("name", "project__name")
    readonly_fields = ("tasks",)
    inlines = (ShareInline,)
    actions = ("pause", "go_on")

    def has_act_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("curation.change_queue")

    @admin.display(description="tasks")
    def tasks(self, queue: Queue) -> Any:
        return list_link("Tasks", "task", queue__id__exact=queue.pk)

    @admin.action(description="Pause", permissions=["act"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Queue]) -> None:
        one_by_one(request, queryset, lambda queue: queues.change(queue, paused=True), "queues paused.")

    @admin.action(description="Go on", permissions=["act"])
    def go_on(self, request: HttpRequest, queryset: QuerySet[Queue]) -> None:
        one_by_one(request, queryset, lambda queue: queues.change(queue, paused=False), "queues go on.")


@admin.register(Group)
class GroupAdmin(OnlyRead, BigList):
    list_display = ("name", "project", "about", "created_at")
    list_filter = ("project",)
    list_select_related = ("project",)
    search_fields = ("name", "project__name")


@admin.register(Review)
class ReviewAdmin(OnlyRead, BigList):
    list_display = ("id", "project", "annotation_id", "annotator", "level", "why", "outcome", "reviewer", "decided_at")
    list_filter = ("outcome", "why", "level", "project")
    list_select_related = ("project", "annotator", "reviewer")
    search_fields = ("=id", "=annotation__id", "annotator__name")


class MentionInline(InlineRows):
    model = Mention
    fields = ("user", "read_at")


@admin.register(Comment)
class CommentAdmin(OnlyRead, BigList):
    list_display = ("id", "project", "author", "words", "created_at", "deleted_at")
    list_filter = ("project", ("deleted_at", admin.EmptyFieldListFilter))
    list_select_related = ("project", "author")
    search_fields = ("=id", "author__username")
    inlines = (MentionInline,)

    @admin.display(description="text")
    def words(self, comment: Comment) -> str:
        return excerpt(comment.text)
