"""Preferences that are asked of the same person once more, the other way round: kept apart from every answer."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

REPEATED = 2**42
"""Where the numbers begin under which repeats are shown: behind every task (see `queue_position`)."""
MOST_COMMITS = 64
"""So many times one repeat can be answered, skipped and taken back."""


class Repeat(models.Model):
    """A task that somebody answered, asked of them again in the opposite order.

    It is no task and its answer no annotation, so that nothing which counts, decides or exports answers can meet one.
    To its annotator it is a task numbered REPEATED + id. `commits` are its events, each with its key, in their order.
    """

    class State(models.TextChoices):
        OPEN = "open", "Asked"
        ANSWERED = "answered", "Answered"
        SKIPPED = "skipped", "Skipped"

    project = models.ForeignKey("curation.Project", on_delete=models.PROTECT, related_name="repeats")
    annotator = models.ForeignKey("curation.Annotator", on_delete=models.PROTECT, related_name="repeats")
    task = models.ForeignKey("curation.Task", on_delete=models.PROTECT, related_name="repeats")
    first = models.ForeignKey(
        "curation.Annotation", on_delete=models.PROTECT, related_name="+", help_text="the answer that is repeated"
    )
    place = models.PositiveIntegerField(help_text="behind how many tasks of theirs it was asked")
    order = models.CharField(max_length=2, help_text="as shown: the other than at first")
    state = models.CharField(max_length=8, choices=State.choices, default=State.OPEN)
    preferences = models.JSONField(
        default=dict, blank=True, help_text="by axis -3 … 3 in the order of the pair, or both_bad"
    )
    rationale = models.TextField(blank=True)
    reason = models.CharField(max_length=300, blank=True, help_text="why it was skipped")
    active_ms = models.PositiveIntegerField(null=True, blank=True)
    commits = models.JSONField(default=list, blank=True)
    asked_at = models.DateTimeField(default=timezone.now)
    committed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["annotator", "place"], name="repeat_once_at_place"),
            models.UniqueConstraint(fields=["annotator", "task"], name="repeat_once"),
        ]
        indexes = [models.Index(fields=["project", "id"], name="repeat_by_project")]

    def __str__(self) -> str:
        return f"task {self.task_id} asked again of {self.annotator_id}: {self.state}"

    @property
    def number(self) -> int:
        """The number of the task that its annotator sees."""
        return REPEATED + self.pk

    @property
    def last_event(self) -> int:
        """The number of its latest event, as an annotation's id is to its annotator."""
        return event_number(self.pk, len(self.commits) - 1)


def event_number(repeat_id: int, place: int) -> int:
    return REPEATED + repeat_id * MOST_COMMITS + place


def repeat_of_event(number: int) -> int:
    """Which repeat an event is of."""
    return (number - REPEATED) // MOST_COMMITS
