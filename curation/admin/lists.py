"""What the lists of the admin share: no counting of large tables, no change to what only services change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin, TabularInline
from unfold.paginator import InfinitePaginator

from curation.errors import DomainError


class BigList(ModelAdmin):
    """A table of any size: newest first, paged without a count."""

    paginator = InfinitePaginator
    show_full_result_count = False
    list_per_page = 50
    ordering = ("-pk",)
    list_filter_submit = False
    warn_unsaved_form = True


class OnlyRead:
    """Rows that the flow makes and keeps: shown and searched here, never edited."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class InlineRows(OnlyRead, TabularInline):
    """Rows of another table, read below the row that they belong to."""

    extra = 0
    tab = False
    show_change_link = False


def link(address: str, text: object) -> SafeString:
    return format_html('<a class="text-primary-600 dark:text-primary-500" href="{}">{}</a>', address, text)


def list_link(text: object, model: str, **filters: object) -> SafeString:
    """A link to the list of `model`, filtered."""
    return link(f"{reverse(f'admin:curation_{model}_changelist')}?{urlencode(filters)}", text)


def row_link(row: Model) -> SafeString:
    """A link to one row."""
    return link(reverse(f"admin:curation_{row._meta.model_name}_change", args=[row.pk]), row)


def excerpt(text: str, most: int = 80) -> str:
    """The beginning of a text, on one line."""
    line = " ".join(text[: 4 * most].split())
    return line if len(line) <= most else line[: most - 1] + "…"


def one_by_one(request: HttpRequest, rows: QuerySet[Any], verb: Callable[[Any], object], told: str) -> None:
    """Do `verb` to each row; say how many went well, and what was refused."""
    done = 0
    for row in rows:
        try:
            verb(row)
            done += 1
        except DomainError as error:
            messages.warning(request, f"{row}: {error.detail}")
    if done:
        messages.success(request, f"{done} {told}")
