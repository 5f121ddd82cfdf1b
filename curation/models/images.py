"""Pictures of prompts and responses. Their bytes are files named by their SHA-256 (`services/images.py`)."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class Image(models.Model):
    """A picture that a project has; the same bytes are one picture. Messages name it by its hash."""

    project = models.ForeignKey("curation.Project", on_delete=models.PROTECT, related_name="images")
    sha256 = models.CharField(max_length=64)
    type = models.CharField(max_length=20, help_text="by its content: image/png, image/jpeg, image/gif or image/webp")
    bytes = models.PositiveIntegerField()
    width = models.PositiveIntegerField(help_text="as it is shown, in pixels")
    height = models.PositiveIntegerField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "sha256"], name="image_once")]

    def __str__(self) -> str:
        return self.sha256[:12]
