"""How annotators answered, as a run found it: signals for a reviewer's eye."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class Check(models.Model):
    """What one run of the checks found of one annotator, or, without an annotator, of the project as a whole.

    `signals` has a figure for each signal by its name; `flags` names those that stand out. Nothing follows from a flag
    but that somebody may look.
    """

    project = models.ForeignKey("curation.Project", on_delete=models.PROTECT, related_name="checks")
    run = models.ForeignKey("curation.Run", on_delete=models.PROTECT, related_name="checks")
    annotator = models.ForeignKey("curation.Annotator", on_delete=models.PROTECT, null=True, related_name="checks")
    signals = models.JSONField(default=dict)
    flags = models.JSONField(default=list)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "annotator"], name="check_once"),
            models.UniqueConstraint(
                fields=["run"], condition=models.Q(annotator__isnull=True), name="check_of_project_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.annotator or self.project} checked by {self.run}"
