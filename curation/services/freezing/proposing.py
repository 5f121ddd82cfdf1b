"""What the next version begins with: the choices of the last one, or for a first one whose answers decide."""

from __future__ import annotations

from django.db import connection
from django.db.models import Sum

from curation.models import Annotator, DatasetVersion, PlanStep, Progress, Project
from curation.services.deciding import ANSWERED, STANDING, last_annotation
from curation.services.filtering import WHO
from curation.statements import rows

EXACT = 20_000
"""Up to so many tasks it is looked up who answered which; beyond, the counters have to do."""
FEW = 16
"""Fewer rows are too few to train on: the trainers of our own refuse them."""
COVERED = f"""
SELECT COUNT(*), COALESCE(SUM(here), 0) FROM (
  SELECT MAX(CASE WHEN {WHO["signed-in"]} THEN 1 ELSE 0 END) AS here {ANSWERED}
  LEFT JOIN curation_pair q ON q.id = t.pair_id
  LEFT JOIN curation_response s ON s.id = t.response_id
  JOIN curation_item i ON i.id = COALESCE(t.item_id, q.item_id, s.item_id)
  {STANDING} AND {WHO["people"]} AND q.deleted_at IS NULL AND s.deleted_at IS NULL AND i.deleted_at IS NULL
  GROUP BY a.task_id
) AS each_task
"""


def last(project: Project, name: str = "", target: str = "") -> DatasetVersion | None:
    """The newest version of a dataset, or without a name of the whole project, but for those that plans made for
    themselves. What failed is nobody's example."""
    found = DatasetVersion.objects.filter(dataset__project=project).exclude(state=DatasetVersion.State.FAILED)
    if name:
        found = found.filter(dataset__name=name)
    else:
        steps = PlanStep.objects.filter(plan__project=project, run__isnull=False)
        found = found.exclude(run__in=steps.values("run"))
    if target:
        found = found.filter(target=target)
    return found.select_related("dataset").order_by("-pk").first()


def usual_deciders(project: Project) -> str:
    """Whose answers decide unless it is said: those of people, imported ones too. Once people who signed in have
    answered most of what is answered, theirs alone: an imported vote would else cancel the answer of one person."""
    here, answered = covered(project)
    return "signed-in" if 2 * here > answered else "people"


def only_imported(project: Project) -> int:
    """How many tasks have answers of people, none of whom signed in."""
    here, answered = covered(project)
    return answered - here


def covered(project: Project) -> tuple[int, int]:
    """On how many tasks people who signed in have an answer that stands, and on how many people at all.

    Of large projects it is what the counters allow, as if nobody had answered what another one did.
    """
    if project.vote_count and project.task_count <= EXACT:
        upto = last_annotation(project)
        ((answered, here),) = rows(COVERED, [project.pk, upto, upto])
        return here, answered
    mine = Progress.objects.filter(
        project=project, annotator__kind=Annotator.Kind.PERSON, annotator__user__isnull=False
    )
    here = min(project.task_count, mine.aggregate(n=Sum("done"))["n"] or 0)
    return here, min(project.task_count, here + project.vote_count)


def as_kept(splits: dict[str, float]) -> dict[str, float]:
    """Splits in the order in which the database gives them back, which decides what goes where: that of PostgreSQL's
    jsonb is its own."""
    if connection.vendor == "sqlite":
        return splits
    return dict(sorted(splits.items(), key=lambda one: (len(one[0].encode()), one[0].encode())))
