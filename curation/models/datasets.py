"""Datasets and their immutable, numbered, hashed versions."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.db import models
from django.utils import timezone


class Dataset(models.Model):
    """A named line of versions in a project."""

    project = models.ForeignKey("curation.Project", on_delete=models.PROTECT, related_name="datasets")
    name = models.SlugField(max_length=80)
    created_at = models.DateTimeField(default=timezone.now)
    last_number = models.PositiveIntegerField(default=0, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="dataset_name_once")]

    def __str__(self) -> str:
        return self.name


class DatasetVersion(models.Model):
    """An immutable snapshot. Its selection, files and hash never change once `ready`."""

    class State(models.TextChoices):
        MAKING = "making", "Being made"
        READY = "ready", "Ready"
        FAILED = "failed", "Failed"

    class SplitBy(models.TextChoices):
        PROMPT = "prompt", "Equal prompts"
        ITEM = "item", "Items"
        CLUSTER = "cluster", "Near-duplicate prompts"
        SOURCE = "source", "Sources"

    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    target = models.CharField(max_length=40)
    filters = models.JSONField(default=dict)
    splits = models.JSONField(default=dict, help_text="share of items per split, such as {train: 0.9, test: 0.1}")
    split_by = models.CharField(
        max_length=8, choices=SplitBy.choices, default=SplitBy.PROMPT, help_text="what stays together in one split"
    )
    seed = models.PositiveIntegerField(default=0)
    state = models.CharField(max_length=8, choices=State.choices, default=State.MAKING)
    hash = models.CharField(max_length=64, blank=True, help_text="SHA-256 over the manifest of its files")
    counts = models.JSONField(default=dict, help_text="rows per split, and what was dropped and why")
    card = models.TextField(blank=True)
    lineage = models.JSONField(
        default=dict, help_text="up to which annotation, change and moment it reads, and under which protocol"
    )
    facts = models.JSONField(
        default=dict, help_text="agreement, annotators, minutes and licences behind it, as its card tells"
    )
    checks = models.JSONField(default=list, help_text="what each consumer's own loader said of its files")
    verified = models.JSONField(
        default=dict, help_text="when its files were last checked or made anew, and how it went"
    )
    wholes = models.JSONField(
        default=dict, help_text="rows, bytes and SHA-256 of each cut split or companion as one file, by name"
    )
    pushed = models.JSONField(default=dict, help_text="where it was pushed, by address: repository, commit and moment")
    changed_items = models.PositiveIntegerField(
        default=0, db_default=0, editable=False, help_text="its items that were corrected, removed or restored since"
    )
    run = models.ForeignKey("curation.Run", on_delete=models.PROTECT, null=True, related_name="versions")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["dataset", "number"], name="version_number_once")]

    def __str__(self) -> str:
        return f"{self.dataset} v{self.number}"

    @property
    def filled_splits(self) -> list[str]:
        """The splits that have rows: what a loader can be given. An empty file is an error to it."""
        rows: dict[str, int] = self.counts.get("rows", {})
        return [split for split in self.splits if rows.get(split)]

    @property
    def folder(self) -> Path:
        return settings.VAR_DIR / "datasets" / str(self.dataset_id) / f"v{self.number}"


class DatasetFile(models.Model):
    """One file of a version: a split, or a shard of one, in one format; or a companion."""

    version = models.ForeignKey(DatasetVersion, on_delete=models.PROTECT, related_name="files")
    name = models.CharField(max_length=120, help_text="such as train.parquet")
    split = models.CharField(max_length=60)
    shard = models.PositiveIntegerField(default=0, help_text="its place among the files of its split")
    rows = models.PositiveBigIntegerField()
    bytes = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["version", "name"], name="dataset_file_once")]

    def __str__(self) -> str:
        return self.name
