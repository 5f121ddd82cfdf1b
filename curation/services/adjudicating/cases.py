"""Decided cases quoted in the guidelines, so that the next annotator decides alike."""

from __future__ import annotations

from django.db.models import QuerySet
from django.utils import timezone

from curation.errors import Invalid, NotFound
from curation.models import Adjudication, GuidelineCase, Project, User

LONGEST = 4_000
MOST = 100
"""So many cases are shown, the latest: guidelines that are longer are not read."""


def quote(*, project: Project, adjudication: Adjudication, words: str, user: User) -> GuidelineCase:
    """Quote a case, or say it in other words. Raises Invalid without words."""
    if not words.strip():
        raise Invalid("say in a few words what the case shows", field="words")
    if len(words) > LONGEST:
        raise Invalid(f"must have at most {LONGEST} characters", field="words")
    if adjudication.annotation.project_id != project.pk:
        raise NotFound("no such adjudication")
    made, _ = GuidelineCase.objects.update_or_create(
        adjudication=adjudication,
        defaults={"project": project, "words": words.strip(), "made_by": user, "withdrawn_at": None},
    )
    return made


def withdraw(*, project: Project, case_id: int) -> None:
    """Take a case out of the guidelines; it stays in the table."""
    if not GuidelineCase.objects.filter(project=project, pk=case_id).update(withdrawn_at=timezone.now()):
        raise NotFound("no such case")


def of(project: Project) -> QuerySet[GuidelineCase]:
    """The cases that stand, the latest first."""
    found = GuidelineCase.objects.filter(project=project, withdrawn_at=None, adjudication__undone_at=None)
    related = ("adjudication__annotation__task__pair__item", "made_by")
    return found.select_related(*related).order_by("-pk")
