"""Units of work in a queue, who holds them, and how far everyone is."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from curation.models.projects import TaskKind


class Task(models.Model):
    """One unit of work on a pair, a response or an item.

    `taken` counts live assignments and counted answers, `done` the counted answers.

    `position` is the place in the queue, lower first; it holds the priority in its high part, so that one
    partial index gives the next open task at any size (see `queue_position`).
    """

    Kind = TaskKind

    class State(models.TextChoices):
        OPEN = "open", "Open"
        COMPLETE = "complete", "Complete"
        RETIRED = "retired", "Retired"
        GOLD = "gold", "Gold, out of the queue"

    project = models.ForeignKey("curation.Project", on_delete=models.PROTECT, related_name="tasks")
    kind = models.CharField(max_length=12, choices=Kind.choices, default=Kind.PREFERENCE)
    pair = models.ForeignKey(
        "curation.Pair", on_delete=models.PROTECT, null=True, blank=True, related_name="tasks", db_index=False
    )
    response = models.ForeignKey(
        "curation.Response", on_delete=models.PROTECT, null=True, blank=True, related_name="tasks", db_index=False
    )
    item = models.ForeignKey(
        "curation.Item", on_delete=models.PROTECT, null=True, blank=True, related_name="tasks", db_index=False
    )
    queue = models.ForeignKey(
        "curation.Queue",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="tasks",
        db_index=False,
        help_text="empty: the project's own",
    )
    priority = models.IntegerField(default=0)
    pick = models.CharField(
        max_length=12, blank=True, db_default="", default="", help_text="what set the priority: margin, spread … random"
    )
    position = models.BigIntegerField()
    overlap = models.PositiveSmallIntegerField(default=1)
    cap = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="while it is undecided the overlap grows up to this; empty: it stays"
    )
    taken = models.PositiveSmallIntegerField(default=0)
    done = models.PositiveSmallIntegerField(default=0)
    state = models.CharField(max_length=8, choices=State.choices, default=State.OPEN)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["pair", "kind"], name="task_once_per_pair"),
            models.UniqueConstraint(fields=["response", "kind"], name="task_once_per_response"),
            models.UniqueConstraint(fields=["item", "kind"], name="task_once_per_item"),
            models.CheckConstraint(
                condition=Q(kind="preference", pair__isnull=False, response__isnull=True, item__isnull=True)
                | Q(kind="response", pair__isnull=True, response__isnull=False, item__isnull=True)
                | Q(kind="ranking", pair__isnull=True, response__isnull=True, item__isnull=False),
                name="task_on_what_its_kind_says",
            ),
            models.CheckConstraint(condition=Q(done__lte=F("taken")), name="task_done_within_taken"),
            models.CheckConstraint(condition=Q(overlap__gte=1, overlap__lte=50), name="task_overlap_1_50"),
            models.CheckConstraint(
                condition=Q(priority__gte=-(2**20), priority__lte=2**20), name="task_priority_bounds"
            ),
        ]
        indexes = [
            models.Index(
                fields=["project", "kind", "position"],
                condition=Q(state="open", taken__lt=F("overlap"), queue=None),
                name="task_own_queue",
            ),
            models.Index(
                fields=["queue", "position"],
                condition=Q(state="open", taken__lt=F("overlap"), queue__isnull=False),
                name="task_in_queue",
            ),
            models.Index(fields=["queue", "id"], condition=Q(queue__isnull=False), name="task_by_queue"),
        ]

    def __str__(self) -> str:
        return f"task {self.pk}"


GONE = (
    Q(pair__deleted_at__isnull=False) | Q(pair__item__deleted_at__isnull=False)
    | Q(response__deleted_at__isnull=False) | Q(response__item__deleted_at__isnull=False)
    | Q(item__deleted_at__isnull=False)
)  # fmt: skip
"""Of tasks: what they ask of was taken out, so that nobody is asked, whatever becomes of them."""


def queue_position(priority: int, task_id: int) -> int:
    """Sort key of a task: higher priority first, then older first, in one integer."""
    return -priority * 2**42 + task_id


class Assignment(models.Model):
    """A task in one annotator's hands: a lease with an expiry, and the order in which the pair is shown."""

    class State(models.TextChoices):
        RESERVED = "reserved", "Reserved"
        ANSWERED = "answered", "Answered"
        SKIPPED = "skipped", "Skipped"
        RELEASED = "released", "Released"
        MOVED = "moved", "Given to somebody else"

    class Order(models.TextChoices):
        AS_STORED = "ab", "First response on the left"
        SWAPPED = "ba", "Second response on the left"

    task = models.ForeignKey(Task, on_delete=models.PROTECT, related_name="assignments", db_index=False)
    annotator = models.ForeignKey("curation.Annotator", on_delete=models.PROTECT, related_name="assignments")
    state = models.CharField(max_length=8, choices=State.choices, default=State.RESERVED)
    order = models.CharField(max_length=2, choices=Order.choices)
    expires_at = models.DateTimeField()
    current = models.ForeignKey(
        "curation.Annotation", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    review = models.ForeignKey(
        "curation.Review",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="what put the task into these hands: an answer that was returned, or one to be fixed",
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["task", "annotator"], name="assignment_once")]
        indexes = [
            models.Index(fields=["annotator", "id"], condition=Q(state="reserved"), name="assignment_in_hand"),
            models.Index(fields=["expires_at"], condition=Q(state="reserved"), name="assignment_expiry"),
        ]

    def __str__(self) -> str:
        return f"{self.task_id} with {self.annotator_id}: {self.state}"


class Draft(models.Model):
    """An answer under way, as its annotator's screen last saved it; gone once it is committed."""

    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="drafts", db_index=False)
    annotator = models.ForeignKey("curation.Annotator", on_delete=models.CASCADE, related_name="drafts")
    body = models.JSONField()
    saved_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["task", "annotator"], name="draft_once")]


class Progress(models.Model):
    """How far one annotator is in a project: counters kept by the submit that changes them.

    An annotator's own row is written by that annotator's submits alone, so that people do not wait for each
    other. The only exception is `settled` under overlap (see services/counting.py).
    """

    project = models.ForeignKey("curation.Project", on_delete=models.PROTECT, related_name="progress")
    annotator = models.OneToOneField("curation.Annotator", on_delete=models.PROTECT, related_name="progress")
    done = models.PositiveIntegerField(default=0, help_text="tasks with a counted answer of this annotator")
    skipped = models.PositiveIntegerField(default=0)
    closed = models.IntegerField(default=0, help_text="tasks completed by this annotator, less those reopened")
    settled = models.IntegerField(default=0, help_text="tasks answered or skipped here that are complete by now")
    cursor = models.BigIntegerField(default=-(2**62), help_text="where the search for the next task goes on")
    queue = models.ForeignKey(
        "curation.Queue",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        help_text="in which queue it goes on; empty: the project's own",
    )
    looking = models.BooleanField(default=True, db_default=True, help_text="whether a queue is chosen anew")
    queue_closed = models.IntegerField(default=0, db_default=0, help_text="of `closed` those in queues")
    queue_waiting = models.IntegerField(
        default=0, db_default=0, help_text="tasks in queues answered or skipped here that are still open"
    )
    accepted = models.PositiveIntegerField(default=0, db_default=0, help_text="answers that a reviewer accepted")
    fixed = models.PositiveIntegerField(default=0, db_default=0)
    returned = models.PositiveIntegerField(default=0, db_default=0, help_text="to the same person, or to another")
    active_ms = models.PositiveBigIntegerField(default=0)
    last_at = models.DateTimeField(null=True, blank=True)
    gold_served = models.PositiveIntegerField(default=0, help_text="hidden gold that was ever put into these hands")
    gold_done = models.PositiveIntegerField(default=0, help_text="hidden gold answered or skipped")
    gold_before = models.PositiveIntegerField(default=0, help_text="of these, before the rate was last set")
    gold_base = models.PositiveIntegerField(default=0, help_text="tasks done and skipped before the rate was last set")
    gold_spent = models.PositiveIntegerField(default=0, help_text="how many there were when none was left unseen here")
    gold_answered = models.PositiveIntegerField(default=0, help_text="hidden gold answered since it was last shown")
    gold_right = models.PositiveIntegerField(default=0)
    gold_total = models.PositiveIntegerField(default=0, help_text="hidden gold ever answered that still counts")
    gold_total_right = models.PositiveIntegerField(default=0)
    training_answered = models.PositiveSmallIntegerField(default=0, help_text="in the round of training under way")
    training_right = models.PositiveSmallIntegerField(default=0)
    training_round = models.PositiveSmallIntegerField(default=0, help_text="rounds not passed")
    trained_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "progress"


class Tally(models.Model):
    """Answers per annotator, day, axis and outcome: what the plots of a project are drawn from."""

    project = models.ForeignKey("curation.Project", on_delete=models.PROTECT, related_name="tallies", db_index=False)
    annotator = models.ForeignKey("curation.Annotator", on_delete=models.PROTECT, db_index=False)
    day = models.DateField()
    axis = models.CharField(max_length=60, help_text="an axis, a question, critique, or nothing for the whole answer")
    outcome = models.CharField(max_length=60, help_text="-3…3, both_bad, skip, a label or answered")
    count = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name_plural = "tallies"
        constraints = [
            models.UniqueConstraint(fields=["annotator", "day", "axis", "outcome"], name="tally_once"),
        ]
        indexes = [models.Index(fields=["project", "day"], name="tally_by_day")]
