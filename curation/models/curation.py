"""What curators propose, and what people made of it."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone


class Proposal(models.Model):
    """One thing that a run would do with a pair, a response or an item. Nothing of it changes but what was decided.

    A version takes what was accepted by the moment at which it was asked for; what it took is not decided anew
    (services/curating/deciding.py).
    """

    class Action(models.TextChoices):
        KEEP = "keep", "Keep"
        FLIP = "flip", "Flip"
        DROP = "drop", "Drop"
        ASK = "ask", "Ask people again"

    class State(models.TextChoices):
        OPEN = "open", "Open"
        ACCEPTED = "accepted", "Accepted"
        REFUSED = "refused", "Refused"

    project = models.ForeignKey("curation.Project", on_delete=models.PROTECT, db_index=False, related_name="proposals")
    run = models.ForeignKey("curation.Run", on_delete=models.PROTECT, db_index=False, related_name="proposals")
    subject = models.CharField(max_length=50, help_text="what it is about, in one text; once in a run")
    item = models.ForeignKey("curation.Item", on_delete=models.PROTECT, db_index=False, related_name="proposals")
    pair = models.ForeignKey("curation.Pair", on_delete=models.PROTECT, null=True, db_index=False, related_name="+")
    response = models.ForeignKey(
        "curation.Response",
        on_delete=models.PROTECT,
        null=True,
        db_index=False,
        related_name="+",
        help_text="where it is about one alone",
    )
    chosen = models.ForeignKey(
        "curation.Response",
        on_delete=models.PROTECT,
        null=True,
        db_index=False,
        related_name="+",
        help_text="of two the one that was preferred when it was proposed",
    )
    rejected = models.ForeignKey(
        "curation.Response", on_delete=models.PROTECT, null=True, db_index=False, related_name="+"
    )
    action = models.CharField(max_length=4, choices=Action.choices)
    score = models.FloatField(help_text="how sure the method is, or the figure that it looked at")
    reason = models.CharField(max_length=500, help_text="in words, with the figures of this one")
    cause = models.CharField(max_length=60, help_text="in few words: what the card of a version counts")
    state = models.CharField(max_length=8, choices=State.choices, default=State.OPEN)
    decided_by = models.ForeignKey(
        "curation.User", on_delete=models.PROTECT, null=True, blank=True, db_index=False, related_name="+"
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "subject"], name="proposal_once_in_run"),
            models.CheckConstraint(
                condition=Q(state="open", decided_at=None) | (~Q(state="open") & Q(decided_at__isnull=False)),
                name="proposal_decided_at_a_moment",
            ),
        ]
        indexes = [
            models.Index(fields=["run", "id"], name="proposal_of_run"),
            models.Index(fields=["run", "item"], name="proposal_of_item"),
            models.Index(fields=["run", "action", "score", "id"], name="proposal_by_score"),
            models.Index(fields=["run", "state", "action", "score", "id"], name="proposal_by_state"),
        ]

    def __str__(self) -> str:
        return f"{self.get_action_display()}: {self.cause}"
