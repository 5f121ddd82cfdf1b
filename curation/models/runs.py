"""Long work. The rows are the truth; Celery only wakes a worker to look at them."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

if TYPE_CHECKING:
    from curation.models.projects import Project


class Run(models.Model):
    """Any long work: its method, parameters, progress and result, and who holds it until when.

    A method that is cut into shards is planned, worked and closed: while shards are at work nobody holds the run
    itself (`lease_until` is null), and whoever commits the last shard wakes somebody to close it.
    """

    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        SUCCEEDED = "succeeded", "Succeeded"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    class Phase(models.TextChoices):
        PLAN = "plan", "Planning"
        WORK = "work", "At work"
        CLOSE = "close", "Closing"

    LIVE = (State.QUEUED, State.RUNNING)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(
        "curation.Project",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="runs",
        help_text="none for work on the installation itself, such as checking a model; staff sees those",
    )
    method = models.CharField(max_length=60, help_text="import, freeze, …")
    model = models.ForeignKey(
        "curation.ModelVersion",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="runs",
        help_text="the model at work, if one is",
    )
    schedule = models.ForeignKey(
        "curation.Schedule", on_delete=models.SET_NULL, null=True, blank=True, related_name="runs"
    )
    params = models.JSONField(default=dict)
    state = models.CharField(max_length=9, choices=State.choices, default=State.QUEUED)
    phase = models.CharField(max_length=5, choices=Phase.choices, default=Phase.PLAN, help_text="of runs with shards")
    queue = models.CharField(max_length=20, default="cpu", help_text="whose workers do its shards: cpu or gpu")
    seed = models.PositiveIntegerField(default=0)
    done = models.PositiveBigIntegerField(default=0, help_text="units of work finished")
    total = models.PositiveBigIntegerField(null=True, blank=True, help_text="units of work in all, where known")
    unit = models.CharField(max_length=20, default="rows")
    checkpoint = models.JSONField(default=dict, help_text="where the work goes on after its worker died")
    result = models.JSONField(default=dict)
    error = models.TextField(blank=True)
    shards_total = models.PositiveIntegerField(default=0)
    shards_done = models.PositiveIntegerField(default=0)
    shards_failed = models.PositiveIntegerField(default=0, help_text="set aside after their last attempt")
    cpu_seconds = models.FloatField(default=0, help_text="processor time of the workers")
    gpu_seconds = models.FloatField(default=0, help_text="time in which a worker held a GPU for it")
    tokens = models.PositiveBigIntegerField(default=0, help_text="tokens read by models")
    tokens_out = models.PositiveBigIntegerField(default=0, help_text="tokens written by models")
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
    def home(self) -> Project:
        """The project, of a run that has one."""
        assert self.project is not None
        return self.project

    @property
    def address(self) -> str:
        """Where it is watched: in its project, or among the work on the installation."""
        return reverse("run", args=[self.project.slug, self.pk]) if self.project else reverse("work", args=[self.pk])

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


class RunLine(models.Model):
    """One line of a run's log. Lines have a table of their own, so that a long log costs its last page only."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="lines")
    at = models.DateTimeField(default=timezone.now)
    shard = models.PositiveIntegerField(null=True, blank=True, help_text="the number of the shard that tells it")
    text = models.TextField()

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["run", "id"], name="run_line_by_run")]

    def __str__(self) -> str:
        place = f"shard {self.shard}: " if self.shard is not None else ""
        return f"{self.at:%Y-%m-%d %H:%M:%S} {place}{self.text}"


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
