"""Pausing a person: no task is given out to them until somebody resumes them. What they answered stays."""

from __future__ import annotations

from django.utils import timezone

from curation.models import Annotator, User

LONGEST = 500


def pause(annotator: Annotator, reason: str, by: User | None = None) -> bool:
    """Give out nothing more to a person, for a reason that both sides are told; whether they were at work until now."""
    at_work = Annotator.objects.filter(pk=annotator.pk, paused_at=None)
    changed = at_work.update(paused_at=timezone.now(), paused_why=reason[:LONGEST])
    annotator.refresh_from_db(fields=["paused_at", "paused_why"])
    return bool(changed)


def resume(annotator: Annotator, by: User | None = None) -> bool:
    """Give out tasks again; whether they were paused."""
    changed = Annotator.objects.filter(pk=annotator.pk, paused_at__isnull=False).update(paused_at=None, paused_why="")
    annotator.refresh_from_db(fields=["paused_at", "paused_why"])
    return bool(changed)
