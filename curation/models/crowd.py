"""Crowd links: people of a crowd platform who annotate without an account, and the codes by which they are paid."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from curation.models.people import User


class CrowdLink(models.Model):
    """An address that lets its readers annotate in one project, each up to a quota of answers."""

    project = models.ForeignKey("curation.Project", on_delete=models.CASCADE, related_name="crowd_links")
    name = models.CharField(max_length=120)
    group = models.ForeignKey(
        "curation.Group", on_delete=models.SET_NULL, null=True, blank=True, help_text="into which its people come"
    )
    digest = models.CharField(max_length=64, unique=True)
    welcome = models.TextField(blank=True, help_text="Markdown, shown before somebody begins")
    quota = models.PositiveIntegerField(help_text="answers of each person, after which the code is shown")
    most_people = models.PositiveIntegerField()
    person_count = models.PositiveIntegerField(default=0, editable=False)
    parameter = models.CharField(
        max_length=40, blank=True, help_text="of the address, by which the platform names the person"
    )
    code = models.CharField(max_length=64, blank=True, help_text="for everybody; without one each person has their own")
    return_url = models.CharField(
        max_length=500, blank=True, help_text="where people go afterwards; {code} is the code"
    )
    expires_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(quota__gte=1), name="crowd_quota_1"),
            models.CheckConstraint(
                condition=models.Q(person_count__lte=models.F("most_people")), name="crowd_not_too_many"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_open(self) -> bool:
        """Whether somebody new may begin."""
        return self.closed_at is None and self.expires_at > timezone.now() and self.person_count < self.most_people


class CrowdPerson(models.Model):
    """One person of one link: a guest without account, known by what the platform calls them."""

    link = models.ForeignKey(CrowdLink, on_delete=models.CASCADE, related_name="people")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="crowd")
    platform_id = models.CharField(max_length=64, null=True, blank=True)
    base = models.PositiveIntegerField(default=0, help_text="answers that count for earlier links of the project")
    code = models.CharField(max_length=64)
    address = models.CharField(max_length=49, blank=True, help_text="network from which they began; see AuditEvent")
    excluded_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["link", "user"], name="crowd_person_once"),
            models.UniqueConstraint(fields=["link", "platform_id"], name="crowd_platform_id_once"),
        ]
        indexes = [models.Index(fields=["link", "address", "created_at"], name="crowd_from_one_network")]

    def __str__(self) -> str:
        return f"{self.user} at {self.link}"
