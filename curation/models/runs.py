"""Long work. The row is the truth; Celery only wakes a worker to look at it."""

from __future__ import annotations

import uuid
from pathlib import Path

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone


class Run(models.Model):
    """Any long work: its method, parameters, progress, log and result, and who holds it until when."""

    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        SUCCEEDED = "succeeded", "Succeeded"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    LIVE = (State.QUEUED, State.RUNNING)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey("curation.Project", on_delete=models.PROTECT, related_name="runs")
    method = models.CharField(max_length=60, help_text="import, freeze, …")
    params = models.JSONField(default=dict)
    state = models.CharField(max_length=9, choices=State.choices, default=State.QUEUED)
    done = models.PositiveBigIntegerField(default=0, help_text="units of work finished")
    total = models.PositiveBigIntegerField(null=True, blank=True, help_text="units of work in all, where known")
    unit = models.CharField(max_length=20, default="rows")
    checkpoint = models.JSONField(default=dict, help_text="where the work goes on after its worker died")
    result = models.JSONField(default=dict)
    error = models.TextField(blank=True)
    log = models.TextField(blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    cancel_requested = models.BooleanField(default=False)
    holder = models.CharField(max_length=80, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    code_version = models.CharField(max_length=40, default="", blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="runs")
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [models.CheckConstraint(condition=Q(method__gt=""), name="run_has_method")]
        indexes = [
            models.Index(fields=["project", "-created_at"], name="run_by_project"),
            models.Index(fields=["lease_until"], condition=Q(state__in=["queued", "running"]), name="run_live"),
        ]

    def __str__(self) -> str:
        return f"{self.method} {str(self.id)[:8]}"

    @property
    def live(self) -> bool:
        return self.state in self.LIVE

    @property
    def percent(self) -> int | None:
        """Progress in whole percent, or None while the total is unknown."""
        if self.state == self.State.SUCCEEDED:
            return 100
        return min(99, int(100 * self.done / self.total)) if self.total else None

    @property
    def folder(self) -> Path:
        """Where this run keeps its files: the upload of an import, say."""
        return settings.VAR_DIR / "runs" / str(self.id)


class IdempotentReply(models.Model):
    """The answer given to a write with an Idempotency-Key, so that a repeat gets the same one."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    key = models.CharField(max_length=200)
    endpoint = models.CharField(max_length=300)
    body_hash = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True, help_text="null while the first request is under way")
    body = models.JSONField(null=True)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="idempotency_key_once")]
