"""Pieces of a run: what any worker may take, do again, and finish once."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone


class Shard(models.Model):
    """A restartable piece of a run. Its rows and its "done" are written in one transaction."""

    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Set aside"
        CANCELLED = "cancelled", "Cancelled"
        SPLIT = "split", "Split in two"

    LIVE = (State.QUEUED, State.RUNNING)

    run = models.ForeignKey("curation.Run", on_delete=models.CASCADE, related_name="shards", db_index=False)
    number = models.PositiveIntegerField()
    queue = models.CharField(max_length=20, default="cpu")
    model = models.ForeignKey("curation.ModelVersion", on_delete=models.PROTECT, null=True, related_name="+")
    state = models.CharField(max_length=9, choices=State.choices, default=State.QUEUED)
    spec = models.JSONField(default=dict, help_text="which rows: the method's own words")
    size = models.PositiveIntegerField(default=0, help_text="rows it should have")
    done = models.PositiveIntegerField(default=0, help_text="rows done so far")
    attempts = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField(default=timezone.now, help_text="waits after a failure")
    holder = models.CharField(max_length=80, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    seconds = models.FloatField(default=0, help_text="processor or GPU time of the attempt that ended it")
    device = models.CharField(max_length=20, blank=True)
    tokens = models.PositiveBigIntegerField(default=0)
    tokens_out = models.PositiveBigIntegerField(default=0)
    result = models.JSONField(default=dict)
    error = models.TextField(blank=True, help_text="the traceback of its last failure")

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["run", "number"], name="shard_number_once")]
        indexes = [
            models.Index(fields=["queue", "id"], condition=Q(state="queued"), name="shard_queue"),
            models.Index(fields=["queue", "model", "id"], condition=Q(state="queued"), name="shard_queue_by_model"),
            models.Index(fields=["lease_until"], condition=Q(state="running"), name="shard_lease"),
            models.Index(fields=["run", "state"], name="shard_by_state"),
            models.Index(fields=["run", "-ended_at"], condition=Q(state="done"), name="shard_finished"),
        ]

    def __str__(self) -> str:
        return f"shard {self.number} of {self.run_id}"
