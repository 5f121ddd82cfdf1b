"""Workers as they last reported, and schedules; who wants to change a schedule does so on its project's page."""

from __future__ import annotations

from django.contrib import admin
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString

from curation.admin.lists import BigList, OnlyRead, link
from curation.models import Delivery, Schedule, Webhook, Worker
from curation.services import machines


@admin.register(Worker)
class WorkerAdmin(OnlyRead, BigList):
    list_display = ("name", "alive", "queues", "processes", "device", "started_at", "seen_at")
    list_filter = ("queues",)
    search_fields = ("name__startswith", "device")
    ordering = ("-seen_at",)

    @admin.display(boolean=True, description="alive")
    def alive(self, worker: Worker) -> bool:
        return (timezone.now() - worker.seen_at).total_seconds() < machines.SILENT_AFTER


@admin.register(Schedule)
class ScheduleAdmin(OnlyRead, BigList):
    list_display = ("__str__", "project", "enabled", "next_at", "last_at", "problem", "created_by", "page")
    list_filter = ("enabled", "method", "project")
    list_select_related = ("project", "created_by")
    search_fields = ("project__name", "method__startswith", "problem")

    @admin.display(description="page")
    def page(self, schedule: Schedule) -> SafeString:
        return link(reverse("schedules", args=[schedule.project.slug]), "change or pause")


@admin.register(Webhook)
class WebhookAdmin(OnlyRead, BigList):
    list_display = ("url", "project", "events", "active", "created_by", "created_at", "page")
    list_filter = ("active", "project")
    list_select_related = ("project", "created_by")
    exclude = ("secret", "old_secret")

    @admin.display(description="page")
    def page(self, webhook: Webhook) -> SafeString:
        return link(reverse("webhooks", args=[webhook.project.slug]), "change or pause")


@admin.register(Delivery)
class DeliveryAdmin(OnlyRead, BigList):
    list_display = ("event", "webhook", "state", "attempts", "status", "error", "created_at", "delivered_at")
    list_filter = ("state", "event")
    list_select_related = ("webhook",)
