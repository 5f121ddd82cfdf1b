"""Groups: some of the people of a project."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


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
