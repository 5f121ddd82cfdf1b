"""Sums from which agreement is told, and how far they have come: a cache that is made anew from the answers at will."""

from __future__ import annotations

from django.db import models


class AgreementState(models.Model):
    """How far the sums of a project are: every answer up to `upto` is in them, as far as tasks up to `task` go while
    they are being made. `field` names what items are told apart by; empty: by nothing."""

    project = models.ForeignKey("curation.Project", on_delete=models.CASCADE, related_name="agreement")
    field = models.CharField(max_length=200, blank=True, help_text="source, or metadata. and a key; empty: none")
    protocol = models.ForeignKey(
        "curation.Protocol", on_delete=models.CASCADE, null=True, related_name="+", help_text="whose names are used"
    )
    upto = models.BigIntegerField(default=0, help_text="the last annotation that is counted")
    task = models.BigIntegerField(null=True, default=0, help_text="the last task counted; null once all are")
    change = models.BigIntegerField(default=0, help_text="the last change of an item that was seen")
    tail = models.PositiveIntegerField(default=0, help_text="annotations among the ids just before the last counted")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "field"], name="agreement_state_once")]

    def __str__(self) -> str:
        return f"agreement in {self.project}{f' by {self.field}' if self.field else ''}"


class AgreementSum(models.Model):
    """The sums of one label: over the units of a week, or of one annotator with each other one.

    What the names in `sums` mean is said in services/concord/summing.py.
    """

    class Part(models.TextChoices):
        PEOPLE = "people", "Units, by people"
        ALL = "all", "Units, by people and models"
        PAIRS = "pairs", "One annotator with the others"

    state = models.ForeignKey(AgreementState, on_delete=models.CASCADE, related_name="sums")
    label = models.CharField(max_length=80, help_text="axis|overall, question|correct, type|omission, spans, ranking")
    part = models.CharField(max_length=6, choices=Part.choices)
    slice = models.CharField(max_length=60, blank=True, help_text="the items' value of the state's field")
    key = models.CharField(max_length=20, help_text="the Monday of a week, or an annotator's id")
    n = models.PositiveIntegerField(default=0, help_text="units, or of an annotator comparisons with others")
    sums = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["state", "part", "label", "slice", "key"], name="agreement_sum_once")
        ]

    def __str__(self) -> str:
        return f"{self.label} {self.part} {self.slice} {self.key}"
