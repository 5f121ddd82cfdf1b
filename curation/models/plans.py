"""Plans: several runs, and waits for people between them, that follow one after the other until a version is made."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone


class Plan(models.Model):
    """One published method that takes many runs and people in between. Which stage follows which says its recipe.

    `stage` and `round` name the step that it stands at. Pairs up to `last_task` are its pool: what is imported later
    is for another plan.
    """

    class State(models.TextChoices):
        RUNNING = "running", "Running"
        WAITING = "waiting", "Waiting for people"
        FINISHED = "finished", "Finished"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    LIVE = (State.RUNNING, State.WAITING)

    project = models.ForeignKey("curation.Project", on_delete=models.PROTECT, related_name="plans")
    method = models.CharField(max_length=60, help_text="the recipe: skywork-reward-v2, …")
    params = models.JSONField(default=dict)
    seed = models.PositiveIntegerField(default=0)
    state = models.CharField(max_length=9, choices=State.choices, default=State.RUNNING)
    stage = models.CharField(max_length=40, blank=True)
    round = models.PositiveSmallIntegerField(default=0)
    error = models.TextField(blank=True)
    advice = models.CharField(max_length=300, blank=True, help_text="whether to stop, in words")
    queue = models.ForeignKey(
        "curation.Queue", on_delete=models.SET_NULL, null=True, blank=True, related_name="+", help_text="where it asks"
    )
    deadline = models.DateTimeField(null=True, blank=True, help_text="until when it waits for people")
    version = models.ForeignKey(
        "curation.DatasetVersion", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    last_task = models.PositiveBigIntegerField(default=0)
    again_of = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="repeats")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["project", "-id"], name="plan_by_project"),
            models.Index(fields=["id"], condition=Q(state__in=["running", "waiting"]), name="plan_live"),
        ]

    def __str__(self) -> str:
        return f"{self.method} {self.pk}"

    @property
    def live(self) -> bool:
        return self.state in self.LIVE


class PlanStep(models.Model):
    """One stage of one round: begun once, with its run if it takes one; what it counted at its end."""

    plan = models.ForeignKey(Plan, on_delete=models.CASCADE, related_name="steps")
    round = models.PositiveSmallIntegerField(default=0)
    stage = models.CharField(max_length=40)
    run = models.ForeignKey("curation.Run", on_delete=models.PROTECT, null=True, blank=True, related_name="plan_steps")
    counts = models.JSONField(default=dict)
    started_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["plan", "round", "stage"], name="plan_step_once")]

    def __str__(self) -> str:
        return f"{self.stage} of round {self.round}"


class PlanPair(models.Model):
    """A pair that a plan took out of its pool, and what became of it: whom it asked, and which side was said to be
    better. Pairs of the pool that were never asked about have no row."""

    class Role(models.TextChoices):
        ASKED = "asked", "Asked of people"
        GOLD = "gold", "Verified, to learn from"
        VALIDATION = "validation", "Verified, to measure on"
        DISCARDED = "discarded", "People could not decide"
        CANDIDATE = "candidate", "To be asked of judges"
        JUDGED = "judged", "Labelled by judges"
        SPLIT = "split", "Judges did not agree"
        DOUBTED = "doubted", "Contradicted by the best model, to be asked of judges"
        HEARD = "heard", "Contradicted by the best model, judges heard"

    VERIFIED = (Role.GOLD, Role.VALIDATION)

    plan = models.ForeignKey(Plan, on_delete=models.CASCADE, related_name="pairs")
    task = models.ForeignKey("curation.Task", on_delete=models.PROTECT, related_name="+")
    round = models.PositiveSmallIntegerField(default=0, help_text="in which it was taken")
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.ASKED)
    held_out = models.BooleanField(default=False, help_text="for validation, once people have decided")
    label = models.CharField(max_length=6, blank=True, help_text="first or second")
    before = models.CharField(max_length=6, blank=True, help_text="the label that the pool had")
    pulls = models.PositiveIntegerField(default=0, help_text="how many gold pairs pulled it")
    similarity = models.FloatField(null=True, blank=True, help_text="to the nearest of them")
    votes = models.JSONField(default=dict, blank=True, help_text="what each judge said")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["plan", "task"], name="plan_pair_once")]
        indexes = [models.Index(fields=["plan", "role", "task"], name="plan_pair_by_role")]

    def __str__(self) -> str:
        return f"task {self.task_id}: {self.get_role_display()}"


class PairAttributes(models.Model):
    """What is known of a pair besides its label: by a critic that did not see the label, or by a person."""

    pair = models.OneToOneField("curation.Pair", on_delete=models.PROTECT, related_name="attributes")
    category = models.CharField(max_length=20)
    objectivity = models.CharField(max_length=10)
    controversiality = models.CharField(max_length=10)
    desired = models.JSONField(default=list, help_text="what users want in a good answer here")
    guideline = models.TextField(help_text="by which a third person could choose")
    model = models.ForeignKey(
        "curation.ModelVersion", on_delete=models.PROTECT, null=True, blank=True, related_name="+", help_text="who said"
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "pair attributes"

    def __str__(self) -> str:
        return f"{self.category}, {self.objectivity}"


class AttributesEdit(models.Model):
    """One change of a pair's attributes by a person: what they were, and what they are since."""

    attributes = models.ForeignKey(PairAttributes, on_delete=models.CASCADE, related_name="edits")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"edit {self.pk} of the attributes of {self.attributes_id}"
