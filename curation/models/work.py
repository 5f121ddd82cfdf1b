"""Who works on what: groups of people, queues of tasks, and each person's share of a queue."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

ANSWERS = [MinValueValidator(1), MaxValueValidator(50)]


class Group(models.Model):
    """Some of the people of a project: a team, a language, a skill. A skill is a group of those who have it."""

    project = models.ForeignKey("curation.Project", on_delete=models.PROTECT, related_name="groups")
    name = models.CharField(max_length=80)
    about = models.CharField(max_length=300, blank=True, db_default="", default="")
    members = models.ManyToManyField("curation.Annotator", blank=True, related_name="member_of")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="group_name_once")]

    def __str__(self) -> str:
        return self.name


class Queue(models.Model):
    """Tasks of a project that are given out apart from the others: to whom, how often, in which order, until when.

    A batch is a queue with a deadline. Nobody named means everybody who annotates in the project.
    """

    project = models.ForeignKey("curation.Project", on_delete=models.PROTECT, related_name="queues")
    name = models.CharField(max_length=120)
    about = models.CharField(max_length=500, blank=True, db_default="", default="", help_text="shown to its people")
    overlap = models.PositiveSmallIntegerField(
        null=True, blank=True, validators=ANSWERS, help_text="answers for each task; empty: as in the project"
    )
    cap = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=ANSWERS,
        help_text="most answers while a task is undecided; empty: as the project",
    )
    priority = models.SmallIntegerField(default=0, help_text="higher comes first; the project's own queue has 0")
    deadline = models.DateTimeField(null=True, blank=True)
    quota = models.PositiveIntegerField(null=True, blank=True, help_text="most answers of one person")
    groups = models.ManyToManyField(Group, blank=True, related_name="queues")
    people = models.ManyToManyField("curation.Annotator", blank=True, related_name="queues")
    skill = models.ForeignKey(
        Group, on_delete=models.PROTECT, null=True, blank=True, related_name="skilled", help_text="only who is in it"
    )
    paused_at = models.DateTimeField(null=True, blank=True)
    task_count = models.PositiveIntegerField(default=0, editable=False, help_text="tasks in it, but for retired ones")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], name="queue_name_once"),
            models.CheckConstraint(
                condition=Q(overlap__isnull=True) | Q(overlap__gte=1, overlap__lte=50), name="queue_overlap_1_50"
            ),
            models.CheckConstraint(condition=Q(cap__isnull=True) | Q(cap__gte=1, cap__lte=50), name="queue_cap_1_50"),
        ]

    def __str__(self) -> str:
        return self.name


class Share(models.Model):
    """What one annotator did in one queue: counters kept by the submit that changes them, as in `Progress`."""

    queue = models.ForeignKey(Queue, on_delete=models.CASCADE, related_name="shares")
    annotator = models.ForeignKey("curation.Annotator", on_delete=models.PROTECT, related_name="shares")
    done = models.IntegerField(default=0)
    skipped = models.IntegerField(default=0)
    closed = models.IntegerField(default=0, help_text="tasks completed by this annotator, less those reopened")
    settled = models.IntegerField(default=0, help_text="tasks answered or skipped here that are complete by now")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["queue", "annotator"], name="share_once")]


class Review(models.Model):
    """A second pair of eyes on one answer: waiting until `outcome` says what became of it.

    A fix is an answer of the reviewer's own on the same task; it decides. A returned answer is taken back and its task
    is in the hands of its annotator again, with the reason.
    """

    class Outcome(models.TextChoices):
        WAITING = "", "Waiting"
        ACCEPTED = "accepted", "Accepted"
        FIXED = "fixed", "Fixed"
        RETURNED = "returned", "Returned"
        REASSIGNED = "reassigned", "Given to somebody else"
        OVERTAKEN = "overtaken", "Answered anew before anybody looked"

    class Why(models.TextChoices):
        SAMPLE = "sample", "Drawn from the answers"
        AUDIT = "audit", "Drawn from a bulk acceptance"
        SECOND = "second", "Second level"
        ASKED = "asked", "Asked for"

    project = models.ForeignKey("curation.Project", on_delete=models.PROTECT, related_name="reviews")
    annotation = models.ForeignKey("curation.Annotation", on_delete=models.PROTECT, related_name="reviews")
    annotator = models.ForeignKey("curation.Annotator", on_delete=models.PROTECT, related_name="reviews")
    level = models.PositiveSmallIntegerField(default=1)
    why = models.CharField(max_length=6, choices=Why.choices, default=Why.SAMPLE)
    outcome = models.CharField(max_length=10, choices=Outcome.choices, blank=True, default=Outcome.WAITING)
    reason = models.CharField(max_length=1000, blank=True, default="")
    reviewer = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="reviews"
    )
    fix = models.ForeignKey(
        "curation.Annotation", on_delete=models.PROTECT, null=True, blank=True, related_name="fixes"
    )
    held_until = models.DateTimeField(null=True, blank=True, help_text="so long `reviewer` alone has it on the screen")
    created_at = models.DateTimeField(default=timezone.now)
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["annotation", "level"], name="review_once_a_level"),
            models.CheckConstraint(condition=Q(level__gte=1, level__lte=2), name="review_level_1_2"),
        ]
        indexes = [
            models.Index(fields=["project", "level", "id"], condition=Q(outcome=""), name="review_waiting"),
            models.Index(fields=["project", "-id"], name="review_by_project"),
        ]

    def __str__(self) -> str:
        return f"review {self.pk} of annotation {self.annotation_id}"


class Comment(models.Model):
    """What somebody wrote beside an item. An annotator sees the own ones and replies to them, and no others."""

    project = models.ForeignKey("curation.Project", on_delete=models.PROTECT, related_name="comments")
    item = models.ForeignKey("curation.Item", on_delete=models.PROTECT, related_name="comments", db_index=False)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="comments")
    reply_to = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="replies")
    text = models.TextField()
    created_at = models.DateTimeField(default=timezone.now)
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["item", "id"], name="comment_by_item")]

    def __str__(self) -> str:
        return f"comment {self.pk}"


class Mention(models.Model):
    """One person whom a comment is for: named in it with an @, or answered by it."""

    comment = models.ForeignKey(Comment, on_delete=models.CASCADE, related_name="mentions")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="mentions")
    read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["comment", "user"], name="mention_once")]
        indexes = [
            models.Index(fields=["user", "-id"], name="mention_by_user"),
            models.Index(fields=["user"], condition=Q(read_at=None), name="mention_unread"),
        ]
