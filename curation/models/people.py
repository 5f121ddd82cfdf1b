"""Who uses Touchstone: users, their memberships, invites and tokens, and everyone who judges."""

from __future__ import annotations

import hashlib
import secrets

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils import timezone


def digest(secret: str) -> str:
    """What is stored of a token or link: SHA-256 of a random secret of 256 bits, so no salt is needed."""
    return hashlib.sha256(secret.encode()).hexdigest()


def new_secret(prefix: str) -> str:
    return prefix + secrets.token_urlsafe(32)


class User(AbstractUser):
    """A person who signs in, a service account that only has tokens, or a guest who came by a crowd link."""

    class Kind(models.TextChoices):
        PERSON = "person", "Person"
        SERVICE = "service", "Service account"
        GUEST = "guest", "Guest"

    entered: str | None = None
    """How this browser's session got past a second step: `totp`, `recovery` or `provider`; "" if it did not, None where
    there is no session (tokens, commands). No column: the session says it (`curation/views/doors.py`)."""

    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.PERSON, db_default=Kind.PERSON)
    display_name = models.CharField(max_length=120, blank=True)
    theme = models.CharField(
        max_length=8,
        default="auto",
        choices=[("auto", "As the system"), ("light", "Light"), ("dark", "Dark")],
    )
    keys = models.JSONField(default=dict, blank=True, help_text="keys of the annotation screen, where changed")

    class Meta(AbstractUser.Meta):
        constraints = [
            models.CheckConstraint(condition=models.Q(kind__in=["person", "service", "guest"]), name="user_kind_known"),
            models.CheckConstraint(
                condition=models.Q(kind="person") | models.Q(is_staff=False, is_superuser=False),
                name="user_staff_is_person",
            ),
        ]

    def __str__(self) -> str:
        return self.display_name or self.username


class Role(models.TextChoices):
    VIEWER = "viewer", "Viewer"
    ANNOTATOR = "annotator", "Annotator"
    REVIEWER = "reviewer", "Reviewer"
    MANAGER = "manager", "Manager"
    OWNER = "owner", "Owner"
    SERVICE = "service", "Service account"


class Membership(models.Model):
    """A user's role in one project."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    project = models.ForeignKey("curation.Project", on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=12, choices=Role.choices)
    given_by = models.CharField(
        max_length=40,
        blank=True,
        default="",
        db_default="",
        help_text="the sign-in provider whose groups gave the role",
    )
    created_at = models.DateTimeField(default=timezone.now)
    deactivated_at = models.DateTimeField(null=True, blank=True, help_text="since when it lets nobody in")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "project"], name="membership_once"),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="membership_role_known"),
        ]

    @property
    def active(self) -> bool:
        return self.deactivated_at is None

    def __str__(self) -> str:
        return f"{self.user} is {self.get_role_display().lower()} of {self.project}"


class Invite(models.Model):
    """A link that makes its reader a member with a role, until it expires or is used up."""

    project = models.ForeignKey("curation.Project", on_delete=models.CASCADE, related_name="invites")
    role = models.CharField(max_length=12, choices=Role.choices)
    digest = models.CharField(max_length=64, unique=True)
    group = models.ForeignKey(
        "curation.Group", on_delete=models.SET_NULL, null=True, blank=True, help_text="into which its readers come"
    )
    note = models.CharField(max_length=200, blank=True)
    uses_left = models.PositiveIntegerField(default=1)
    expires_at = models.DateTimeField()
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"invite to {self.project} as {self.role}"


class SignInLink(models.Model):
    """A one-time link that signs one user in; `make run` prints one."""

    user = models.ForeignKey(User, on_delete=models.CASCADE)
    digest = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)


class Scope(models.TextChoices):
    READ = "read", "Read projects, annotations and datasets"
    WRITE = "write", "Import, annotate, start runs, make versions"
    MANAGE = "manage", "Create and change projects"


class ApiToken(models.Model):
    """A key for scripts. Only its digest is stored; the secret is shown once."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=120)
    digest = models.CharField(max_length=64, unique=True)
    hint = models.CharField(max_length=12, help_text="its first characters, to tell tokens apart")
    scopes = models.JSONField(default=list)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_on = models.DateField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.name} ({self.hint}…)"


class Annotator(models.Model):
    """Whoever judges in a project: a person, a model or a program; all write the same kinds of row."""

    class Kind(models.TextChoices):
        PERSON = "person", "Person"
        MODEL = "model", "Model"
        PROGRAM = "program", "Program"

    project = models.ForeignKey("curation.Project", on_delete=models.PROTECT, related_name="annotators")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    name = models.CharField(max_length=200, help_text="user name, pseudonym of an imported vote, or model name")
    user = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="annotators")
    reliability = models.FloatField(
        null=True, blank=True, help_text="how often this annotator is right, 0 to 1, as last estimated; empty: not yet"
    )
    paused_at = models.DateTimeField(null=True, blank=True)
    paused_reason = models.CharField(max_length=500, blank=True, db_default="", default="")
    paused_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "kind", "name"], name="annotator_name_once"),
            models.UniqueConstraint(
                fields=["project", "user"], condition=models.Q(user__isnull=False), name="annotator_user_once"
            ),
            models.CheckConstraint(
                condition=models.Q(kind="person") | models.Q(user__isnull=True),
                name="annotator_user_is_person",
            ),
        ]

    def __str__(self) -> str:
        return self.name if self.kind == self.Kind.PERSON else f"{self.kind}:{self.name}"
