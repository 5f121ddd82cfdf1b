"""What models say in numbers: one per response, or one per place in it."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class Score(models.Model):
    """One number of one model version on one response. Margins are derived."""

    model = models.ForeignKey("curation.ModelVersion", on_delete=models.PROTECT, related_name="scores")
    response = models.ForeignKey("curation.Response", on_delete=models.PROTECT, related_name="scores", db_index=False)
    head = models.CharField(max_length=40, blank=True, help_text="of models with several: an axis, a question")
    value = models.FloatField()
    spread = models.FloatField(null=True, help_text="standard deviation over the members of an ensemble")
    tokens = models.PositiveIntegerField(default=0)
    truncated = models.BooleanField(default=False, help_text="the model did not see all of it")
    run = models.ForeignKey("curation.Run", on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["response", "model", "head"], name="score_once")]

    def __str__(self) -> str:
        return f"{self.value:.3f}"


class ScoreMap(models.Model):
    """Scores of one model version over places in one response: its tokens, sentences or steps.

    `offsets` are little-endian int32 [start, end) pairs in code points of the response's text, `values` little-endian
    float16, one per pair (curation/services/maps.py reads and writes both).
    """

    class Unit(models.TextChoices):
        TOKEN = "token", "Token"
        SENTENCE = "sentence", "Sentence"
        STEP = "step", "Step"
        SPAN = "span", "Span"

    model = models.ForeignKey("curation.ModelVersion", on_delete=models.PROTECT, related_name="maps")
    response = models.ForeignKey("curation.Response", on_delete=models.PROTECT, related_name="maps", db_index=False)
    head = models.CharField(max_length=40, blank=True)
    unit = models.CharField(max_length=8, choices=Unit.choices)
    offsets = models.BinaryField()
    values = models.BinaryField()
    run = models.ForeignKey("curation.Run", on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["response", "model", "head", "unit"], name="score_map_once")]


class Embedding(models.Model):
    """One vector of one embedder on one response with its prompt, or on an item's prompt alone."""

    model = models.ForeignKey("curation.ModelVersion", on_delete=models.PROTECT, related_name="embeddings")
    item = models.ForeignKey("curation.Item", on_delete=models.PROTECT, related_name="embeddings")
    response = models.ForeignKey("curation.Response", on_delete=models.PROTECT, null=True, related_name="embeddings")
    vector = models.BinaryField(help_text="little-endian float16")
    run = models.ForeignKey("curation.Run", on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["model", "item"], condition=models.Q(response__isnull=True), name="embedding_item_once"
            ),
            models.UniqueConstraint(
                fields=["model", "response"], condition=models.Q(response__isnull=False), name="embedding_response_once"
            ),
        ]
