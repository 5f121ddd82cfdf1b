"""Gold: tasks whose answer is known, and how each annotator did on them."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone


class Gold(models.Model):
    """A task whose answer is known. It is out of the queue, and asked unseen among the others or while training.

    `expected` names preferences by axis, verdicts, ranks and critiques by responses' ids, in the order of the pair and
    under the names of `protocol`; later versions read it as they read answers. What is taken back stays as a row, so
    that versions that left it out can be made again; the task may become gold once more.
    """

    class Phase(models.TextChoices):
        HIDDEN = "hidden", "Hidden among the tasks"
        TRAINING = "training", "Training, with the answer shown"

    class MadeFrom(models.TextChoices):
        DECISION = "decision", "Decided label"
        ANNOTATION = "annotation", "An answer"
        IMPORT = "import", "Import"
        ADJUDICATION = "adjudication", "Adjudication"
        HAND = "hand", "Written by hand"

    project = models.ForeignKey("curation.Project", on_delete=models.PROTECT, related_name="golds")
    task = models.ForeignKey("curation.Task", on_delete=models.PROTECT, related_name="golds")
    protocol = models.ForeignKey("curation.Protocol", on_delete=models.PROTECT, related_name="+")
    phase = models.CharField(max_length=8, choices=Phase.choices, default=Phase.HIDDEN)
    expected = models.JSONField(help_text="preferences, verdicts, ranks and critiques that are right")
    explanation = models.TextField(blank=True, help_text="shown with the right answer")
    side = models.CharField(max_length=8, blank=True, help_text="first, second, tie or both_bad on its first axis")
    place = models.PositiveIntegerField(help_text="where it stands when one is drawn; by chance")
    made_from = models.CharField(max_length=12, choices=MadeFrom.choices)
    annotation = models.ForeignKey(
        "curation.Annotation", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    before = models.CharField(max_length=8, default="", blank=True, help_text="the state of the task before")
    answered = models.PositiveIntegerField(default=0)
    missed = models.PositiveIntegerField(default=0)
    suspect_at = models.DateTimeField(null=True, blank=True, help_text="since when it is neither asked nor counted")
    suspicion = models.JSONField(default=dict, blank=True, help_text="how many good annotators answered and missed it")
    kept_at = models.DateTimeField(null=True, blank=True, help_text="when somebody last looked at it and kept it")
    corrected_at = models.DateTimeField(null=True, blank=True)
    retired_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "gold"
        constraints = [
            models.UniqueConstraint(fields=["task"], condition=Q(retired_at__isnull=True), name="gold_task_once"),
        ]
        indexes = [
            models.Index(
                fields=["project", "phase", "side", "place"],
                condition=Q(retired_at__isnull=True, suspect_at__isnull=True),
                name="gold_to_draw",
            ),
            models.Index(fields=["project", "-id"], name="gold_by_project"),
        ]

    def __str__(self) -> str:
        return f"gold on task {self.task_id}"

    @property
    def live(self) -> bool:
        """Whether results on it count."""
        return self.retired_at is None and self.suspect_at is None


class GoldResult(models.Model):
    """How one annotator did on one gold task. Once the right answer was shown, a later answer changes nothing."""

    gold = models.ForeignKey(Gold, on_delete=models.CASCADE, related_name="results")
    annotator = models.ForeignKey("curation.Annotator", on_delete=models.PROTECT, related_name="gold_results")
    annotation = models.ForeignKey("curation.Annotation", on_delete=models.PROTECT, related_name="+")
    correct = models.BooleanField()
    score = models.FloatField(help_text="0 to 1: how much of it was right")
    parts = models.JSONField(default=dict, blank=True, help_text="the score of each part")
    revealed_at = models.DateTimeField(null=True, blank=True, help_text="when its annotator was shown what is right")
    objection = models.CharField(max_length=1000, blank=True, help_text="why its annotator holds the gold to be wrong")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["gold", "annotator"], name="gold_result_once")]
        indexes = [models.Index(fields=["annotator", "id"], name="gold_result_by_annotator")]

    def __str__(self) -> str:
        return f"{self.annotator_id} on {self.gold_id}: {'right' if self.correct else 'missed'}"
