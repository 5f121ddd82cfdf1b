"""What follows from answers to gold: training passed or not, a pause, and doubt about the gold itself."""

from __future__ import annotations

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from curation.models import Annotator, Gold, GoldResult, Progress, Project
from curation.services import pausing
from curation.services.desk import Desk
from curation.services.gold.counters import count_gold, hold, recount, trained
from curation.services.gold.rules import GoldRules, rules_of
from workers.intervals import wilson

GOOD_AFTER = 5
"""Answers to other gold from which on an annotator can be called good."""
GOOD_SHARE = 0.8
MISSED_BY = 3
"""Good annotators who must have missed gold before it is doubted; more than half of the good ones besides."""
LOOKED_AT = 200


# --- Annotators -----------------------------------------------------------------------------------------


def after_miss(desk: Desk, gold: Gold) -> None:
    """Pause who is right too seldom, and look at gold that others missed too, once the answer is committed."""
    pause_if_careless(desk.annotator_id, rules_of(gold.project))
    if Gold.objects.filter(pk=gold.pk, missed__gte=MISSED_BY, suspect_at=None).exists():
        transaction.on_commit(lambda: doubt(gold.pk))


def pause_if_careless(annotator_id: int, rules: GoldRules) -> bool:
    """Pause somebody of whom it can be said, with 95 % confidence, that they are right on less than is asked for."""
    found = Progress.objects.filter(annotator=annotator_id).values_list("gold_right", "gold_answered").first()
    if found is None or not careless(*found, rules):
        return False
    right, answered = found
    high = wilson(right, answered).high
    why = (
        f"{right} of {answered} checks were right: with 95 % confidence at most {100 * (high or 0):.0f} %, and "
        f"{rules.pause_below} % are needed."
    )
    return paused(annotator_id, why)


def careless(right: int, answered: int, rules: GoldRules) -> bool:
    """Whether the upper end of Wilson's 95 % interval lies below the share that is needed."""
    if not rules.pause_below or answered < rules.pause_after:
        return False
    high = wilson(right, answered).high
    return high is not None and high < rules.pause_below / 100


def paused(annotator_id: int, why: str) -> bool:
    """Pause, and show what was asked: from then on it is known to its annotator, and a new count begins."""
    annotator = Annotator.objects.get(pk=annotator_id)
    if annotator.paused_at is not None:
        return False
    pausing.pause(annotator, why, None)
    reveal(annotator_id)
    return True


def reveal(annotator_id: int) -> None:
    GoldResult.objects.filter(annotator=annotator_id, revealed_at=None).update(revealed_at=timezone.now())
    Progress.objects.filter(annotator=annotator_id).update(gold_answered=0, gold_right=0)


def resume(annotator: Annotator) -> bool:
    """Let a paused annotator go on; nobody who was let in by hand has to train again."""
    resumed = annotator.paused_at is not None
    pausing.resume(annotator)
    if resumed:
        trained(Progress.objects.filter(annotator=annotator))
    return resumed


def after_training(desk: Desk, gold: Gold, *, correct: bool) -> None:
    """Count one answer of a round of training, and at its end say what comes of it."""
    mine = Progress.objects.filter(annotator=desk.annotator_id, trained_at=None)
    mine.update(training_answered=F("training_answered") + 1, training_right=F("training_right") + int(correct))
    found = mine.values_list("training_answered", "training_right", "training_round").first()
    rules = rules_of(gold.project)
    if found is None or found[0] < min(rules.training, gold.project.training_count):
        return
    answered, right, before = found
    if 100 * right >= rules.pass_share * answered:
        trained(mine)
        return
    mine.update(training_answered=0, training_right=0, training_round=before + 1)
    left = left_to_train(gold.project, desk.annotator_id)
    if before + 1 < rules.tries and left >= answered:
        return
    why = f"{right} of {answered} tasks of the training were right, and {rules.pass_share} % are needed."
    mine.update(training_round=0)
    paused(desk.annotator_id, why)


def left_to_train(project: Project, annotator_id: int) -> int:
    """How much gold to train on somebody has not seen."""
    live = Gold.objects.filter(project=project, phase=Gold.Phase.TRAINING, retired_at=None, suspect_at=None)
    return live.exclude(results__annotator=annotator_id).count()


# --- Gold -----------------------------------------------------------------------------------------------


@transaction.atomic
def doubt(gold_id: int) -> bool:
    """Flag gold that most of the good annotators missed: it is asked no more and counts for nobody, until somebody
    has looked at it. Good is who was right on most other gold."""
    gold = Gold.objects.filter(pk=gold_id, suspect_at=None, retired_at=None).first()
    if gold is None:
        return False
    good, missed, names = good_on(gold)
    if missed < MISSED_BY or 2 * missed <= good:
        return False
    suspicion = {"good": good, "missed": missed, "annotators": names[:20]}
    everybody = hold([gold_id])
    if not Gold.objects.filter(pk=gold_id, suspect_at=None).update(suspect_at=timezone.now(), suspicion=suspicion):
        return False
    recount(everybody)
    count_gold(gold.project_id)
    return True


def good_on(gold: Gold) -> tuple[int, int, list[int]]:
    """How many good annotators answered gold, how many of them missed it, and who these are (ids)."""
    rows = GoldResult.objects.filter(gold=gold, revealed_at=None)
    if gold.kept_at:
        rows = rows.filter(at__gt=gold.kept_at)
    good, missed = 0, []
    values = ("correct", "annotator", "annotator__progress__gold_total", "annotator__progress__gold_total_right")
    for correct, annotator, answered, right in rows.order_by("-pk").values_list(*values)[:LOOKED_AT]:
        others, right_there = (answered or 0) - 1, (right or 0) - int(correct)
        if others >= GOOD_AFTER and right_there >= GOOD_SHARE * others:
            good += 1
            if not correct:
                missed.append(annotator)
    return good, len(missed), missed
