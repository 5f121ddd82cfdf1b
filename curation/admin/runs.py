"""Runs: watched, cancelled and tried again."""

from __future__ import annotations

import json

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.utils.html import format_html
from django.utils.safestring import SafeString

from curation.admin.lists import BigList, OnlyRead, link, one_by_one
from curation.models import Run, User
from curation.services import running, starting


@admin.register(Run)
class RunAdmin(OnlyRead, BigList):
    list_display = ("__str__", "project", "state", "progress", "attempts", "created_by", "created_at", "ended_at")
    list_filter = ("state", "method", "project", "created_at")
    list_select_related = ("project", "created_by")
    search_fields = ("=id", "error")
    ordering = ("-created_at",)
    fields = (
        "project", "method", "model", "state", "phase", "progress", "shards", "page", "parameters", "outcome", "error",
        "log_text", "queue", "seed", "cpu_seconds", "gpu_seconds", "tokens", "tokens_out",
        "attempts", "holder", "lease_until", "code_version", "schedule", "created_by",
        "created_at", "started_at", "ended_at",
    )  # fmt: skip
    readonly_fields = ("progress", "shards", "page", "parameters", "outcome", "log_text")
    actions = ("cancel", "retry", "again")

    def has_act_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("curation.change_run")

    @admin.display(description="progress")
    def progress(self, run: Run) -> str:
        done = filesizeformat(run.done) if run.unit == "bytes" else f"{run.done} {run.unit}"
        return f"{run.percent} % ({done})" if run.percent is not None else done

    @admin.display(description="shards")
    def shards(self, run: Run) -> str:
        return (
            f"{run.shards_done} of {run.shards_total} done, {run.shards_failed} set aside" if run.shards_total else "–"
        )

    @admin.display(description="page")
    def page(self, run: Run) -> SafeString:
        return link(run.address, "Watch it on its page")

    @admin.display(description="parameters")
    def parameters(self, run: Run) -> SafeString:
        return in_json(run.params)

    @admin.display(description="result")
    def outcome(self, run: Run) -> SafeString:
        return in_json(run.result)

    @admin.display(description="log")
    def log_text(self, run: Run) -> SafeString:
        return format_html('<pre class="whitespace-pre-wrap">{}</pre>', running.log_of(run) or "–")

    @admin.action(description="Cancel", permissions=["act"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Run]) -> None:
        one_by_one(request, queryset, running.cancel, "runs asked to stop.")

    @admin.action(description="Try again", permissions=["act"])
    def retry(self, request: HttpRequest, queryset: QuerySet[Run]) -> None:
        one_by_one(request, queryset, running.retry, "runs queued again.")

    @admin.action(description="Start again with the same parameters", permissions=["act"])
    def again(self, request: HttpRequest, queryset: QuerySet[Run]) -> None:
        assert isinstance(request.user, User)
        user = request.user
        one_by_one(request, queryset, lambda run: starting.again(run, user), "runs started.")


def in_json(value: object) -> SafeString:
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return format_html('<pre class="whitespace-pre-wrap">{}</pre>', text[:20_000])
