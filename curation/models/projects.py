"""A project and its versioned protocol: what is asked, on which scale."""

from __future__ import annotations

import random
from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone


def default_axes() -> list[dict[str, str]]:
    return [{"name": "overall", "question": "Which response is better?"}]


def new_seed() -> int:
    return random.SystemRandom().randrange(2**31)


class TaskKind(models.TextChoices):
    PREFERENCE = "preference", "Compare two responses"
    RESPONSE = "response", "Judge one response"
    RANKING = "ranking", "Rank all responses"


class Project(models.Model):
    """A workspace. Its counters are kept by the import that changes them, never counted on a page."""

    slug = models.SlugField(max_length=80, unique=True)
    name = models.CharField(max_length=160)
    description = models.TextField(blank=True)
    kind = models.CharField(
        max_length=12,
        choices=TaskKind.choices,
        default=TaskKind.PREFERENCE,
        help_text="what one task is; fixed once there are tasks",
    )
    overlap = models.PositiveSmallIntegerField(
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(50)],
        help_text="how many people answer each task",
    )
    cap = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(50)],
        help_text="most answers while a task is undecided; empty: never more than the overlap",
    )
    certainty = models.FloatField(
        default=0.9,
        db_default=0.9,
        validators=[MinValueValidator(0.5), MaxValueValidator(0.999)],
        help_text="how likely the likeliest label must be for a task to count as decided",
    )
    paused_at = models.DateTimeField(null=True, blank=True, help_text="since when the project's own queue rests")
    review_levels = models.PositiveSmallIntegerField(
        default=0, db_default=0, validators=[MaxValueValidator(2)], help_text="how many people look at an answer again"
    )
    review_share = models.FloatField(
        default=0.1,
        db_default=0.1,
        validators=[MinValueValidator(0), MaxValueValidator(1)],
        help_text="share of the answers that is looked at again, drawn at random",
    )
    repeat_percent = models.PositiveSmallIntegerField(
        default=0,
        db_default=0,
        validators=[MaxValueValidator(20)],
        help_text="behind so many of each hundred tasks, a person gets an earlier one of theirs with its sides swapped",
    )
    repeat_after = models.PositiveSmallIntegerField(
        default=50,
        db_default=50,
        validators=[MinValueValidator(1), MaxValueValidator(1000)],
        help_text="at least so many answers of theirs lie between the two",
    )
    protocol = models.ForeignKey("Protocol", on_delete=models.PROTECT, null=True, related_name="+")
    seed = models.PositiveIntegerField(
        default=new_seed, help_text="decides the shown order of each pair for each person"
    )
    item_count = models.PositiveIntegerField(default=0, editable=False)
    task_count = models.PositiveIntegerField(default=0, editable=False)
    hourly_cost = models.FloatField(null=True, blank=True, help_text="of an annotator's hour, in your money")
    queued_count = models.PositiveIntegerField(
        default=0, db_default=0, editable=False, help_text="of the tasks those in a queue of their own"
    )
    vote_count = models.PositiveIntegerField(default=0, editable=False, help_text="votes that came with imports")
    webhook_count = models.PositiveSmallIntegerField(
        default=0, db_default=0, editable=False, help_text="live webhooks; without any, nothing is looked up for them"
    )
    gold = models.JSONField(default=dict, blank=True, help_text="how gold is asked and what follows from it")
    gold_count = models.PositiveIntegerField(default=0, editable=False, help_text="hidden gold that may be asked")
    training_count = models.PositiveIntegerField(default=0, editable=False, help_text="gold to train on")
    fit = models.ForeignKey(
        "curation.Run",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="the run whose decided labels and reliabilities are in use; none: the majority decides",
    )
    two_factor = models.BooleanField(
        default=False, db_default=False, help_text="managers and owners need a second step at sign-in to act as such"
    )
    created_at = models.DateTimeField(default=timezone.now)
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(overlap__gte=1, overlap__lte=50), name="project_overlap_1_50")
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def paused(self) -> bool:
        """Whether nobody gets tasks of the project's own queue."""
        return self.paused_at is not None


def no_critiques() -> dict[str, Any]:
    return {"on": False}


class Protocol(models.Model):
    """One version of a project's annotation schema. A change makes a new row; old answers keep theirs.

    The JSON columns have the shapes of `curation/protocols.py`.
    """

    class Rationale(models.TextChoices):
        OFF = "off", "Not asked"
        OPTIONAL = "optional", "Optional"
        REQUIRED = "required", "Required"

    class Unit(models.TextChoices):
        SPAN = "span", "Any span"
        SENTENCE = "sentence", "Sentence by sentence"
        STEP = "step", "Step by step"
        RESPONSE = "response", "The whole response"

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="protocols")
    version = models.PositiveIntegerField()
    preset = models.CharField(max_length=40, blank=True, help_text="what it was made from")
    guidelines = models.TextField(blank=True, help_text="Markdown, shown to annotators")
    axes = models.JSONField(default=default_axes)
    strengths = models.PositiveSmallIntegerField(
        default=2, help_text="steps to each side: 1 is better or worse, 2 adds much better, 3 adds slightly"
    )
    allow_tie = models.BooleanField(default=True)
    allow_both_bad = models.BooleanField(default=True)
    rationale = models.CharField(max_length=8, choices=Rationale.choices, default=Rationale.OPTIONAL)
    unit = models.CharField(max_length=8, choices=Unit.choices, default=Unit.SPAN)
    critiques = models.JSONField(
        default=no_critiques, help_text="types, severities, polarities and fields of critiques"
    )
    questions = models.JSONField(default=list, blank=True, help_text="asked about each response, or each unit of it")
    help = models.JSONField(default=dict, blank=True, help_text="how much of the models' suggestions is shown")
    relabelled = models.JSONField(
        default=dict, blank=True, help_text="labels of the version before that are read as other labels from here on"
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "version"], name="protocol_version_once"),
            models.CheckConstraint(
                condition=models.Q(strengths__gte=1, strengths__lte=3), name="protocol_strengths_1_3"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.project} protocol {self.version}"

    @property
    def axis_names(self) -> list[str]:
        axes: list[dict[str, Any]] = self.axes
        return [axis["name"] for axis in axes]
