"""The counters that follow from results on gold, set anew after what changes many of them.

Locks are taken in the order of a submit: tasks, then progress by id, then gold and its results.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from curation.models import Gold, GoldResult, Progress, Project


def begin_anew(progress: QuerySet[Progress]) -> None:
    """Let the sequence of tasks, in which gold has its places, begin here."""
    progress.update(gold_base=F("done") + F("skipped"), gold_before=F("gold_done"), gold_spent=0)


def trained(progress: QuerySet[Progress]) -> None:
    """Say that training is over, and begin with the tasks themselves."""
    untrained = progress.filter(trained_at=None)
    begin_anew(untrained)
    untrained.update(trained_at=timezone.now(), training_answered=0, training_right=0)


def hold(golds: Sequence[int]) -> list[int]:
    """Lock the progress of everybody who answered some gold; whose it is."""
    who = GoldResult.objects.filter(gold__in=golds).order_by().values("annotator")
    mine = Progress.objects.filter(annotator__in=who).order_by("pk").select_for_update(of=("self",))
    return [progress.annotator_id for progress in mine]


COUNTS = Q(gold__phase=Gold.Phase.HIDDEN, gold__retired_at=None, gold__suspect_at=None)
"""Results that count: on gold that stands and is not suspect. For a pause only what was not yet shown is counted."""


def recount(annotators: Sequence[int]) -> None:
    """Set the counters of some annotators, whose progress is locked, from their results."""
    rows = GoldResult.objects.filter(COUNTS, annotator=OuterRef("annotator_id")).order_by().values("annotator")
    unseen = rows.filter(revealed_at=None)
    sets = {
        "gold_total": rows,
        "gold_total_right": rows.filter(correct=True),
        "gold_answered": unseen,
        "gold_right": unseen.filter(correct=True),
    }
    counters: dict[str, Any] = {
        name: Coalesce(Subquery(some.annotate(n=Count("pk")).values("n")), 0) for name, some in sets.items()
    }
    Progress.objects.filter(annotator__in=annotators).update(**counters)


def recount_gold(golds: Sequence[int]) -> None:
    """Set how often some gold was answered and missed."""
    rows = GoldResult.objects.filter(gold=OuterRef("pk")).order_by().values("gold")
    counters: dict[str, Any] = {
        name: Coalesce(Subquery(some.annotate(n=Count("pk")).values("n")), 0)
        for name, some in (("answered", rows), ("missed", rows.filter(correct=False)))
    }
    Gold.objects.filter(pk__in=golds).update(**counters)


def count_gold(project_id: int) -> None:
    """Set how much gold a project has to ask, hidden and to train on."""
    live = Gold.objects.filter(project=project_id, retired_at=None, suspect_at=None)
    counts = dict(live.order_by().values_list("phase").annotate(n=Count("pk")))
    Project.objects.filter(pk=project_id).update(
        gold_count=counts.get(Gold.Phase.HIDDEN, 0), training_count=counts.get(Gold.Phase.TRAINING, 0)
    )
