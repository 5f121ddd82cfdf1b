"""What a training told while it went on, and how models did on benchmarks."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


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


class Evaluation(models.Model):
    """How a model version did on one benchmark, once. The newest one of each benchmark counts; earlier ones stay."""

    model = models.ForeignKey("curation.ModelVersion", on_delete=models.PROTECT, related_name="evaluations")
    benchmark = models.CharField(max_length=60)
    project = models.ForeignKey(
        "curation.Project",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="evaluations",
        help_text="whose own pairs they are; none: a public benchmark",
    )
    axis = models.CharField(max_length=40, blank=True, help_text="of a project's own pairs")
    run = models.OneToOneField("curation.Run", on_delete=models.PROTECT, related_name="evaluation")
    scores = models.JSONField(default=dict, help_text="of each figure: value, low, high, n")
    main = models.CharField(max_length=60, help_text="the figure that stands for the whole")
    value = models.FloatField(help_text="of the main figure")
    n = models.PositiveIntegerField(help_text="cases judged")
    total = models.PositiveIntegerField(help_text="cases that there are; more than n if only a sample was judged")
    source = models.JSONField(default=dict, help_text="where the rows were from: files, commits, digest")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["model", "benchmark", "-id"], name="evaluation_latest")]

    def __str__(self) -> str:
        return f"{self.model} on {self.benchmark}"

    @property
    def figure(self) -> dict[str, float | int | None]:
        """The main figure with its interval."""
        found: dict[str, float | int | None] = self.scores[self.main]
        return found

    @property
    def sampled(self) -> bool:
        return self.n < self.total

    @property
    def familiar(self) -> bool:
        """Whether the model was trained in the project whose pairs these are: it may have learnt some of them."""
        maker = self.model.made_by
        return maker is not None and self.project_id is not None and maker.project_id == self.project_id
