"""What one person decided where several answered differently, and the cases that guidelines quote."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone


class Adjudication(models.Model):
    """One decision on a task: the annotation that says it, and the answers that it was made between.

    A later one of the same task, or taking it back, sets `undone_at`; the annotation stays as it is.
    """

    annotation = models.OneToOneField("curation.Annotation", on_delete=models.PROTECT, related_name="adjudication")
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    sources = models.JSONField(default=list, help_text="ids of the answers that were on the screen")
    undone_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"adjudication of task {self.annotation.task_id}"


class GuidelineCase(models.Model):
    """A decided case that the guidelines quote: what it shows, in a few words, beside the texts and the decision."""

    project = models.ForeignKey("curation.Project", on_delete=models.PROTECT, related_name="cases")
    adjudication = models.OneToOneField(Adjudication, on_delete=models.PROTECT, related_name="case")
    words = models.TextField(help_text="what the case shows; Markdown")
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["project", "-id"], name="case_by_project")]

    def __str__(self) -> str:
        return f"case {self.pk} of {self.project}"
