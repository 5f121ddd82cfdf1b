"""What an answer says of responses besides preferences: critiques, verdicts, ranks; append-only like all of it."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q


class Critique(models.Model):
    """One critique of a response. Offsets are code points of the response's text, half-open, with the exact quote.

    Without `start` the whole response is meant. A zero width, or `omission` on the whole, says that something is
    missing. Of a model's critique that a person went through, `derived_from` names it and `review` what became of
    it; a rejected one is kept as such and stands for nothing else.
    """

    class Review(models.TextChoices):
        OWN = "", "Written by the annotator"
        ACCEPTED = "accepted", "Accepted as it was"
        EDITED = "edited", "Accepted with changes"
        REJECTED = "rejected", "Rejected"

    annotation = models.ForeignKey("curation.Annotation", on_delete=models.PROTECT, related_name="critiques")
    response = models.ForeignKey("curation.Response", on_delete=models.PROTECT, related_name="critiques")
    message = models.PositiveSmallIntegerField(default=0, help_text="which message of the response, from 0")
    unit = models.CharField(max_length=8, default="span")
    start = models.PositiveIntegerField(null=True, blank=True)
    end = models.PositiveIntegerField(null=True, blank=True)
    quote = models.TextField(blank=True)
    type = models.CharField(max_length=60, blank=True)
    severity = models.CharField(max_length=60, blank=True)
    polarity = models.SmallIntegerField(null=True, blank=True, help_text="-1 poor, 0 neutral, 1 good")
    comment = models.TextField(blank=True)
    edit = models.TextField(null=True, blank=True, help_text="what should stand there instead")
    omission = models.BooleanField(default=False)
    evidence = models.JSONField(null=True, blank=True)
    derived_from = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="reviews", help_text="a suggestion"
    )
    review = models.CharField(max_length=8, blank=True, choices=Review.choices)
    review_ms = models.PositiveIntegerField(null=True, blank=True, help_text="from seeing it to the decision")
    edit_distance = models.PositiveIntegerField(
        null=True, blank=True, help_text="characters changed in the comment and the suggested edit"
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(start__isnull=True, end__isnull=True) | Q(start__isnull=False, end__gte=F("start")),
                name="critique_span_in_order",
            ),
            models.CheckConstraint(
                condition=Q(polarity__isnull=True) | Q(polarity__gte=-1, polarity__lte=1),
                name="critique_polarity_known",
            ),
        ]

    def __str__(self) -> str:
        where = "whole response" if self.start is None else f"{self.start}:{self.end}"
        return f"{self.type or 'critique'} of {where}"


class Verdict(models.Model):
    """The answer to one question about a response, or about the sentence or step at `start` to `end` of it."""

    annotation = models.ForeignKey("curation.Annotation", on_delete=models.PROTECT, related_name="verdicts")
    response = models.ForeignKey("curation.Response", on_delete=models.PROTECT, related_name="verdicts")
    question = models.CharField(max_length=60)
    answer = models.JSONField(help_text="true or false, a number, a label, a list of labels, or words")
    comment = models.TextField(blank=True)
    start = models.PositiveIntegerField(null=True, blank=True)
    end = models.PositiveIntegerField(null=True, blank=True)
    evidence = models.JSONField(null=True, blank=True)
    derived_from = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="reviews", help_text="a suggestion"
    )
    review = models.CharField(max_length=8, blank=True, choices=Critique.Review.choices)
    review_ms = models.PositiveIntegerField(null=True, blank=True, help_text="from seeing it to the decision")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["annotation", "response", "question"], condition=Q(start__isnull=True), name="verdict_once"
            ),
            models.UniqueConstraint(
                fields=["annotation", "response", "question", "start"],
                condition=Q(start__isnull=False),
                name="verdict_once_per_unit",
            ),
        ]
        indexes = [models.Index(fields=["question", "annotation"], name="verdict_by_question")]

    def __str__(self) -> str:
        return f"{self.question}: {self.answer}"


class Rank(models.Model):
    """The place of one response in a ranking: 1 is best, equal places are a tie."""

    annotation = models.ForeignKey(
        "curation.Annotation", on_delete=models.PROTECT, related_name="ranks", db_index=False
    )
    response = models.ForeignKey("curation.Response", on_delete=models.PROTECT, related_name="ranks")
    rank = models.PositiveSmallIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["annotation", "response"], name="rank_once"),
            models.CheckConstraint(condition=Q(rank__gte=1), name="rank_from_1"),
        ]
