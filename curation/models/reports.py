"""What a run found of a whole project or version: the pull of style and the like, and what more labels would bring."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class BiasReport(models.Model):
    """What the preferences of a project, or of one of its versions, go by besides what the responses say."""

    project = models.ForeignKey("curation.Project", on_delete=models.PROTECT, db_index=False, related_name="+")
    run = models.OneToOneField("curation.Run", on_delete=models.PROTECT, related_name="+")
    version = models.ForeignKey(
        "curation.DatasetVersion", on_delete=models.PROTECT, null=True, blank=True, related_name="bias_reports"
    )
    told = models.JSONField(default=dict, help_text="figures with their intervals, and the fit with and without style")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["project", "-id"], name="bias_report_latest")]

    def __str__(self) -> str:
        return f"bias of {self.version or self.project}"


class LearningCurve(models.Model):
    """Held-out error over the labels so far, what the next ones would bring, and what follows for each slice."""

    project = models.ForeignKey("curation.Project", on_delete=models.PROTECT, db_index=False, related_name="+")
    run = models.OneToOneField("curation.Run", on_delete=models.PROTECT, related_name="+")
    told = models.JSONField(default=dict, help_text="points, law, gains, back-test, slices and advice")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["project", "-id"], name="learning_curve_latest")]

    def __str__(self) -> str:
        return f"learning curve of {self.project}"
