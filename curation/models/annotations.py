"""What annotators committed: append-only events and the preferences they carry."""

from __future__ import annotations

from typing import Any, NoReturn

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from curation.errors import AppendOnly


class AnnotationQuerySet(models.QuerySet["Annotation"]):
    def answers(self) -> AnnotationQuerySet:
        """Answers that stand: not undone, edited or answered beyond the wanted overlap."""
        later = Annotation.objects.filter(supersedes=OuterRef("pk"))
        return self.filter(~Exists(later), event=Annotation.Event.ANSWER, counted=True)

    def update(self, **_kwargs: Any) -> NoReturn:
        raise AppendOnly("annotations are never changed; a later annotation supersedes an earlier one")

    def delete(self) -> NoReturn:
        raise AppendOnly("annotations are never deleted")


class Annotation(models.Model):
    """One event: what one annotator committed on one task. A trigger in the database refuses UPDATE."""

    class Event(models.TextChoices):
        ANSWER = "answer", "Answer"
        SKIP = "skip", "Skip"
        UNDO = "undo", "Undo"

    class Source(models.TextChoices):
        WEB = "web", "Annotation page"
        API = "api", "API"
        IMPORT = "import", "Import"
        BULK = "bulk", "Bulk acceptance"
        REVIEW = "review", "Review"

    class Help(models.TextChoices):
        NONE = "", "None to show"
        SHOWN = "shown", "Shown from the start"
        BEFORE = "before", "Answered before the reveal"
        REVEALED = "revealed", "Answered after the reveal"
        HELD_OUT = "held_out", "Held out at random"

    project = models.ForeignKey(
        "curation.Project", on_delete=models.PROTECT, related_name="annotations", db_index=False
    )
    task = models.ForeignKey("curation.Task", on_delete=models.PROTECT, related_name="annotations")
    annotator = models.ForeignKey(
        "curation.Annotator", on_delete=models.PROTECT, related_name="annotations", db_index=False
    )
    protocol = models.ForeignKey("curation.Protocol", on_delete=models.PROTECT, related_name="+")
    event = models.CharField(max_length=6, choices=Event.choices)
    source = models.CharField(max_length=6, choices=Source.choices)
    order = models.CharField(
        max_length=400,
        blank=True,
        help_text="as shown: ab or ba; for a ranking the places of the responses (2,0,1); empty when unknown",
    )
    help = models.CharField(
        max_length=8, blank=True, db_default="", choices=Help.choices, help_text="whether models' suggestions were seen"
    )
    version = models.CharField(
        max_length=100, blank=True, db_default="", help_text="of the model that said it, where one did"
    )
    score = models.FloatField(null=True, blank=True, help_text="how sure the model was, as it says")
    active_ms = models.PositiveIntegerField(null=True, blank=True, help_text="time spent looking at the task, in ms")
    rationale = models.TextField(blank=True)
    reason = models.CharField(max_length=300, blank=True, help_text="why it was skipped")
    counted = models.BooleanField(default=True, help_text="false when the overlap was already full; kept all the same")
    idempotency_key = models.CharField(max_length=120)
    supersedes = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="superseded_by"
    )
    created_at = models.DateTimeField(default=timezone.now)

    objects = AnnotationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["annotator", "idempotency_key"], name="annotation_key_once"),
        ]
        indexes = [
            models.Index(fields=["project", "id"], name="annotation_by_project"),
            models.Index(fields=["project", "-id"], condition=~Q(help=""), name="annotation_with_help"),
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.pk}"

    def delete(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        raise AppendOnly("annotations are never deleted")


class Preference(models.Model):
    """One axis of an answer on a pair. Negative prefers the pair's first response, positive its second."""

    annotation = models.ForeignKey(Annotation, on_delete=models.PROTECT, related_name="preferences", db_index=False)
    axis = models.CharField(max_length=40)
    value = models.SmallIntegerField(null=True, help_text="-3 first much better … 0 tie … 3 second much better")
    both_bad = models.BooleanField(default=False)
    probability = models.FloatField(null=True, blank=True, help_text="P(second is better), where a model gave one")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["annotation", "axis"], name="preference_axis_once"),
            models.CheckConstraint(
                condition=Q(both_bad=True, value__isnull=True) | Q(both_bad=False, value__gte=-3, value__lte=3),
                name="preference_value_or_both_bad",
            ),
            models.CheckConstraint(
                condition=Q(probability__isnull=True) | Q(probability__gte=0, probability__lte=1),
                name="preference_probability_0_1",
            ),
        ]
        indexes = [
            models.Index(fields=["axis", "annotation"], condition=~Q(axis="overall"), name="preference_by_other_axis"),
        ]

    def __str__(self) -> str:
        return f"{self.axis}: {self.outcome}"

    @property
    def outcome(self) -> str:
        return "both_bad" if self.both_bad else str(self.value)
