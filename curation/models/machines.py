"""Who works, and when: worker processes as last heard of, and runs that start by the clock."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone


class Worker(models.Model):
    """One Celery worker, by the name it has in the cluster, as it last reported."""

    name = models.CharField(max_length=120, primary_key=True)
    queues = models.CharField(max_length=200, help_text="which it serves, by commas")
    processes = models.PositiveSmallIntegerField(default=1)
    device = models.CharField(max_length=100, blank=True, help_text="cpu, or the GPU it has")
    started_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.name


class Schedule(models.Model):
    """A run to start again and again, by a crontab line."""

    project = models.ForeignKey("curation.Project", on_delete=models.PROTECT, related_name="schedules")
    method = models.CharField(max_length=60)
    params = models.JSONField(default=dict)
    cron = models.CharField(max_length=100, help_text="minute hour day month weekday, in UTC: 0 3 * * 1-5")
    enabled = models.BooleanField(default=True)
    next_at = models.DateTimeField(null=True, blank=True)
    last_at = models.DateTimeField(null=True, blank=True)
    problem = models.TextField(blank=True, help_text="why the last one did not start")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [
            models.Index(fields=["next_at"], condition=models.Q(enabled=True), name="schedule_due"),
        ]

    def __str__(self) -> str:
        return f"{self.method} at {self.cron}"
