"""Who did what: one row for each act that changes who may do what, or what leaves the house; only ever added."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils import timezone

from curation.errors import AppendOnly


class Act(models.TextChoices):
    """What is recorded. The part before the dot is the object, and a filter of its own."""

    SIGNED_IN = "session.signed-in", "Signed in"
    SIGNED_OUT = "session.signed-out", "Signed out"
    SIGN_IN_FAILED = "session.failed", "Sign-in failed"
    SIGN_IN_LINK_MADE = "session.link-made", "Sign-in link made"
    USER_MADE = "user.made", "User made"
    USER_CHANGED = "user.changed", "User changed"
    PASSWORD_CHANGED = "user.password", "Password changed"
    IDENTITY_LINKED = "user.linked", "Sign-in provider linked"
    IDENTITY_UNLINKED = "user.unlinked", "Sign-in provider unlinked"
    TWO_FACTOR_ON = "two-factor.on", "Two-factor turned on"
    TWO_FACTOR_OFF = "two-factor.off", "Two-factor turned off"
    TWO_FACTOR_RESET = "two-factor.reset", "Two-factor reset"
    RECOVERY_CODES = "two-factor.codes", "New recovery codes"
    RECOVERY_USED = "two-factor.recovery", "Recovery code used"
    JOINED = "member.joined", "Joined"
    ROLE_CHANGED = "member.role", "Role changed"
    MEMBER_REMOVED = "member.removed", "Member removed"
    INVITE_MADE = "invite.made", "Invite made"
    INVITE_WITHDRAWN = "invite.withdrawn", "Invite withdrawn"
    TOKEN_MADE = "token.made", "Token made"
    TOKEN_ROTATED = "token.rotated", "Token rotated"
    TOKEN_REVOKED = "token.revoked", "Token revoked"
    SERVICE_MADE = "service.made", "Service account made"
    SERVICE_REMOVED = "service.removed", "Service account removed"
    CROWD_MADE = "crowd.made", "Crowd link made"
    CROWD_CLOSED = "crowd.closed", "Crowd link closed"
    CROWD_OPENED = "crowd.opened", "Crowd link opened again"
    CROWD_JOINED = "crowd.joined", "Guest began"
    CROWD_FINISHED = "crowd.finished", "Guest finished"
    CROWD_EXCLUDED = "crowd.excluded", "Guest excluded"
    PROJECT_MADE = "project.made", "Project made"
    PROJECT_CHANGED = "project.changed", "Settings changed"
    PROJECT_REMOVED = "project.removed", "Project removed"
    PROJECT_RESTORED = "project.restored", "Project restored"
    PROTOCOL_CHANGED = "protocol.changed", "Protocol changed"
    WEBHOOK_CHANGED = "webhook.changed", "Webhook changed"
    SCHEDULE_CHANGED = "schedule.changed", "Schedule changed"
    IMPORTED = "import.asked", "Import asked for"
    RUN_STARTED = "run.started", "Run started"
    RUN_CANCELLED = "run.cancelled", "Run cancelled"
    RUN_RETRIED = "run.retried", "Run tried again"
    PLAN_STARTED = "plan.started", "Plan started"
    PLAN_SENT_ON = "plan.sent-on", "Plan sent on"
    PLAN_CANCELLED = "plan.cancelled", "Plan stopped"
    ATTRIBUTES_CHANGED = "plan.attributes", "Attributes of a pair changed"
    PROPOSALS_DECIDED = "proposals.decided", "Proposals decided"
    ITEMS_REMOVED = "items.removed", "Items removed"
    ITEMS_RESTORED = "items.restored", "Items brought back"
    DOWNLOADED = "version.downloaded", "Version downloaded"
    ROWS_READ = "rows.streamed", "Raw rows streamed"
    IN_ADMIN = "admin.changed", "Changed in the admin"


class Via(models.TextChoices):
    WEB = "web", "Browser"
    API = "api", "API token"
    SYSTEM = "system", "Command, worker or schedule"


class AuditQuerySet(models.QuerySet["AuditEvent"]):
    def update(self, **_values: Any) -> int:
        raise AppendOnly("the audit log is only ever added to")

    def delete(self) -> tuple[int, dict[str, int]]:
        raise AppendOnly("the audit log is only ever added to")


class AuditEvent(models.Model):
    """One act. Names are kept as they were, so that it reads the same whatever becomes of its people and objects.

    `address` is the caller's network, not the caller: the last 8 bits of an IPv4 address and the last 80 of an
    IPv6 address are zero.
    """

    at = models.DateTimeField(default=timezone.now, editable=False)
    act = models.CharField(max_length=32, help_text="one of Act")
    who = models.ForeignKey(
        "curation.User", on_delete=models.DO_NOTHING, db_constraint=False, null=True, related_name="+", db_index=False
    )
    who_name = models.CharField(max_length=150, blank=True)
    via = models.CharField(max_length=8, choices=Via.choices)
    token = models.CharField(max_length=12, blank=True, help_text="the first characters of the token that was used")
    address = models.CharField(max_length=49, blank=True)
    project = models.ForeignKey(
        "curation.Project",
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        null=True,
        related_name="+",
        db_index=False,
    )
    thing = models.CharField(max_length=64, blank=True, help_text="the object's id")
    thing_name = models.CharField(max_length=200, blank=True)
    details = models.JSONField(default=dict)

    objects = AuditQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["project", "id"], name="audit_project"),
            models.Index(fields=["project", "act", "id"], name="audit_project_act"),
            models.Index(fields=["project", "who", "id"], name="audit_project_who"),
            models.Index(fields=["act", "id"], name="audit_act"),
            models.Index(fields=["who", "id"], name="audit_who"),
        ]

    def __str__(self) -> str:
        return f"{self.label}: {self.who_name or 'nobody'}"

    @property
    def label(self) -> str:
        """The act in words; acts of versions that are no longer known by their name."""
        return Act(self.act).label if self.act in Act.values else self.act

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise AppendOnly("the audit log is only ever added to")
        super().save(*args, **kwargs)

    def delete(self, *_args: Any, **_kwargs: Any) -> tuple[int, dict[str, int]]:
        raise AppendOnly("the audit log is only ever added to")
