"""Pairs, responses and items that people are asked again: one answer more each."""

from __future__ import annotations

from django.db import transaction
from django.db.models import QuerySet

from curation.models import Project, Proposal, Task, TaskKind
from curation.services import queueing

ON = {TaskKind.PREFERENCE: "pair", TaskKind.RESPONSE: "response", TaskKind.RANKING: "item"}


@transaction.atomic
def again(project: Project, proposals: QuerySet[Proposal]) -> int:
    """Open the complete tasks of what is proposed for one answer more each; how many. Open ones are asked anyhow, and
    those set aside stay so."""
    on = ON[TaskKind(project.kind)]
    about = proposals.exclude(**{on: None}).order_by().values(on)
    return queueing.ask_again(tasks=Task.objects.filter(project=project, kind=project.kind, **{f"{on}__in": about}))
