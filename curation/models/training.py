"""What a training told while it went on, and how models did on benchmarks."""

from __future__ import annotations

from django.db import models


class TrainingPoint(models.Model):
    """Numbers of one step of a training: loss, accuracy, margin, learning rate, and others by name."""

    run = models.ForeignKey("curation.Run", on_delete=models.CASCADE, related_name="points")
    step = models.PositiveIntegerField()
    values = models.JSONField(default=dict)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "step"], name="training_point_once")]
        ordering = ["run", "step"]

    def __str__(self) -> str:
        return f"{self.run} at step {self.step}"
