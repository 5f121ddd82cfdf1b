"""Models that judge: where their weights are, what was checked of them, how they are calibrated in a project."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone


class ModelVersion(models.Model):
    """One version of a model, never changed once it is checked. `reference` says where it is.

    `hf:<hub id or folder>`, `builtin:minilm`, `openai:<base url>#<model>`, `run:<run that trained it>`,
    `program:<name>`.
    """

    class Kind(models.TextChoices):
        REWARD = "reward", "Reward model"
        COST = "cost", "Cost model"
        TOKEN = "token", "Span and token reward"
        STEP = "step", "Step or sentence judge"
        CRITIC = "critic", "Critic"
        EMBEDDER = "embedder", "Embedder"
        IMPLICIT = "implicit", "Implicit reward"
        POLICY = "policy", "Policy"

    class State(models.TextChoices):
        NEW = "new", "Not checked yet"
        READY = "ready", "Ready"
        BROKEN = "broken", "Not usable"

    name = models.SlugField(max_length=100)
    number = models.PositiveIntegerField(default=1)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    reference = models.CharField(max_length=500)
    revision = models.CharField(max_length=100, blank=True, help_text="the commit that is pinned, where there is one")
    fingerprint = models.CharField(max_length=64, blank=True, help_text="SHA-256 over its files")
    config = models.JSONField(default=dict, blank=True, help_text="what its kind takes; docs/models.md lists it")
    trusted_code = models.BooleanField(
        default=False, help_text="its own Python code may run here; only an administrator allows it, by name"
    )
    licence = models.CharField(max_length=100, blank=True)
    card = models.TextField(blank=True, help_text="its README, Markdown")
    facts = models.JSONField(default=dict, blank=True, help_text="what the check found: architecture, size, files")
    state = models.CharField(max_length=6, choices=State.choices, default=State.NEW)
    problem = models.TextField(blank=True)
    probe = models.JSONField(
        default=dict, blank=True, help_text="validity of its token rewards: top1, auroc, n, passed (implicit rewards)"
    )
    project = models.ForeignKey(
        "curation.Project",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="models",
        help_text="whose members alone see it; none: everybody who is signed in",
    )
    made_by = models.ForeignKey(
        "curation.Run", on_delete=models.PROTECT, null=True, blank=True, related_name="+", help_text="what trained it"
    )
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["name", "number"], name="model_number_once"),
            models.CheckConstraint(condition=~Q(name=""), name="model_has_name"),
        ]
        ordering = ["name", "-number"]

    def __str__(self) -> str:
        return f"{self.name} v{self.number}"


class Calibration(models.Model):
    """What a margin of one model means in one project: fitted on decided pairs, told with its errors."""

    model = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="calibrations")
    project = models.ForeignKey("curation.Project", on_delete=models.PROTECT, related_name="calibrations")
    axis = models.CharField(max_length=40)
    method = models.CharField(max_length=12, help_text="temperature or isotonic")
    params = models.JSONField(default=dict)
    report = models.JSONField(default=dict, help_text="n, accuracy, ece before and after, bins")
    run = models.ForeignKey("curation.Run", on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["model", "project", "axis", "-id"], name="calibration_latest")]

    def __str__(self) -> str:
        return f"{self.model} in {self.project}: {self.axis}"


class Completion(models.Model):
    """What a critic answered to one prompt: asked once, kept with its raw text."""

    class Status(models.TextChoices):
        OK = "ok", "Parsed"
        REPAIRED = "repaired", "Parsed after repair"
        UNPARSED = "unparsed", "Not parsed"
        TRUNCATED = "truncated", "Cut off"

    model = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="completions")
    prompt_hash = models.CharField(max_length=64, help_text="SHA-256 of messages, schema and sampling parameters")
    raw = models.TextField(blank=True)
    parsed = models.JSONField(null=True)
    status = models.CharField(max_length=9, choices=Status.choices)
    tokens = models.PositiveIntegerField(default=0)
    tokens_out = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["model", "prompt_hash"], name="completion_once")]
