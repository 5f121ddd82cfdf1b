"""Decided labels and how reliable annotators are: what runs of `decide` found, and what people settled by hand."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone


class Decision(models.Model):
    """One decided label. With a run it is that fit's; without one people settled it, and it goes before every fit.

    Rows are never changed. Of those without a run the latest on a `place` stands; one whose outcome is empty takes
    the one before back.
    """

    class Kind(models.TextChoices):
        AXIS = "axis", "Preference on an axis"
        RANK = "rank", "Two responses of a ranking"
        QUESTION = "question", "Answer to a question"
        SPAN = "span", "Marked span"

    class How(models.TextChoices):
        """By hand; of a run it is the name of its method."""

        ADJUDICATED = "adjudicated", "Adjudicated"
        GOLD = "gold", "Gold"

    project = models.ForeignKey("curation.Project", on_delete=models.PROTECT, db_index=False, related_name="decisions")
    run = models.ForeignKey(
        "curation.Run", on_delete=models.PROTECT, null=True, blank=True, db_index=False, related_name="decisions"
    )
    task = models.ForeignKey("curation.Task", on_delete=models.PROTECT, related_name="decisions")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    name = models.CharField(max_length=60, blank=True, help_text="the axis or question; empty of spans")
    place = models.CharField(max_length=150, help_text="what of its task it decides; once in a run")
    response = models.ForeignKey(
        "curation.Response", on_delete=models.PROTECT, null=True, blank=True, db_index=False, related_name="decisions"
    )
    first = models.ForeignKey(
        "curation.Response", on_delete=models.PROTECT, null=True, blank=True, db_index=False, related_name="+"
    )
    second = models.ForeignKey(
        "curation.Response", on_delete=models.PROTECT, null=True, blank=True, db_index=False, related_name="+"
    )
    message = models.PositiveSmallIntegerField(default=0, help_text="which message of the response, from 0")
    start = models.PositiveIntegerField(null=True, blank=True)
    end = models.PositiveIntegerField(null=True, blank=True)
    outcome = models.CharField(
        max_length=200, blank=True, help_text="first, second, tie, both_bad, undecided, an answer, or a span's type"
    )
    answer = models.JSONField(null=True, blank=True, help_text="the answer as it is given; of spans severity, polarity")
    value = models.FloatField(null=True, blank=True, help_text="strength of a preference, negative for the first")
    confidence = models.FloatField(help_text="0 to 1, as the method says it")
    votes = models.PositiveIntegerField(default=0)
    how = models.CharField(max_length=20)
    annotations = models.JSONField(default=list, help_text="ids of the answers behind it")
    made_by = models.ForeignKey(
        "curation.User", on_delete=models.PROTECT, null=True, blank=True, db_index=False, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["run", "task", "place"], condition=Q(run__isnull=False), name="decision_once_in_run"
            ),
            models.CheckConstraint(condition=Q(confidence__gte=0, confidence__lte=1), name="decision_confidence_0_1"),
        ]
        indexes = [
            models.Index(fields=["run", "id"], condition=Q(run__isnull=False), name="decision_of_run"),
            models.Index(fields=["project", "task", "id"], condition=Q(run__isnull=True), name="decision_by_hand"),
        ]

    def __str__(self) -> str:
        return f"{self.name or self.kind}: {self.outcome or 'taken back'}"


class Reliability(models.Model):
    """How often one annotator is right, as one fit tells: over everything where `kind` is empty."""

    project = models.ForeignKey("curation.Project", on_delete=models.PROTECT, related_name="reliabilities")
    run = models.ForeignKey("curation.Run", on_delete=models.PROTECT, related_name="reliabilities")
    annotator = models.ForeignKey("curation.Annotator", on_delete=models.PROTECT, related_name="reliabilities")
    kind = models.CharField(max_length=8, blank=True, choices=Decision.Kind.choices)
    axis = models.CharField(max_length=60, blank=True, help_text="the axis or question")
    value = models.FloatField(null=True, help_text="none: nobody else answered what they did")
    low = models.FloatField(null=True)
    high = models.FloatField(null=True)
    n = models.PositiveIntegerField(help_text="answers that others can vouch for")
    confusion = models.JSONField(
        default=dict, help_text="labels, and a row for each true one: how much it was said as which"
    )

    class Meta:
        verbose_name_plural = "reliabilities"
        constraints = [
            models.UniqueConstraint(fields=["run", "annotator", "kind", "axis"], name="reliability_once"),
        ]
        indexes = [models.Index(fields=["run", "kind", "axis", "value"], name="reliability_of_fit")]

    def __str__(self) -> str:
        return f"{self.annotator}: {'undefined' if self.value is None else f'{self.value:.2f}'}"
