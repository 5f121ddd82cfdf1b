"""How right an answer to gold was: kept by the commit that changes it, judged again when the gold is.

Result and counters are written in the transaction of the answer, its edit or its undo, each in as many statements
whatever the size of the project. What its annotator was shown already counts no more, and is not mended by an undo.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from curation.models import Annotation, Assignment, Gold, GoldResult, Progress
from curation.services.counting import Held
from curation.services.desk import Desk
from curation.services.gold import checking
from curation.services.gold.counters import hold, recount, recount_gold
from curation.services.gold.reading import answer_of, expected_of, names_for, with_all
from curation.services.gold.rules import rules_of
from workers.gold import Judged, judge

AT_ONCE = 200


def settle(desk: Desk, held: Held, annotation_id: int | None) -> None:
    """Write how right an answer to gold is, or that it was taken back (None). Inside the commit's transaction."""
    gold = gold_on(held.task_id, desk.annotator_id)
    if gold is None:
        return
    count_over(gold, desk, held, Assignment.State.RESERVED if annotation_id is None else Assignment.State.ANSWERED)
    before = GoldResult.objects.filter(gold=gold, annotator=desk.annotator_id).first()
    if before is not None and before.revealed_at is not None:
        return
    after = None if annotation_id is None else judged_one(gold, annotation_id)
    write(gold, desk.annotator_id, before, annotation_id, after)
    if gold.phase == Gold.Phase.TRAINING:
        if after is not None:
            checking.after_training(desk, gold, correct=after.correct)
        return
    step = int(after is not None) - int(before is not None)
    right = int(after is not None and after.correct) - int(before is not None and before.correct)
    if gold.live and (step or right):
        Progress.objects.filter(annotator=desk.annotator_id).update(
            gold_answered=F("gold_answered") + step,
            gold_right=F("gold_right") + right,
            gold_total=F("gold_total") + step,
            gold_total_right=F("gold_total_right") + right,
        )
        Gold.objects.filter(pk=gold.pk).update(answered=F("answered") + step, missed=F("missed") + step - right)
    if after is not None and not after.correct:
        checking.after_miss(desk, gold)


def skipped(desk: Desk, held: Held) -> None:
    """Count that gold was skipped. Nothing else follows from it."""
    if gold := gold_on(held.task_id, desk.annotator_id):
        count_over(gold, desk, held, Assignment.State.SKIPPED)


def count_over(gold: Gold, desk: Desk, held: Held, state: str) -> None:
    """Keep the counter of hidden gold that was answered or skipped, as an assignment moves to another state."""
    over = (Assignment.State.ANSWERED, Assignment.State.SKIPPED)
    step = int(state in over) - int(held.state in over)
    if step and gold.phase == Gold.Phase.HIDDEN:
        Progress.objects.filter(annotator=desk.annotator_id).update(gold_done=F("gold_done") + step)


def gold_on(task_id: int, annotator_id: int) -> Gold | None:
    """The gold that somebody was asked with a task. An answer from before it was gold is none to it, however it is
    edited."""
    gold = Gold.objects.select_related("project__protocol").filter(task=task_id, retired_at=None).first()
    if gold is None:
        return None
    mine = Assignment.objects.filter(task=task_id, annotator=annotator_id, created_at__gte=gold.created_at)
    return gold if mine.exists() else None


def judged_one(gold: Gold, annotation_id: int) -> Judged:
    annotation = with_all(Annotation.objects.filter(pk=annotation_id)).get()
    return judged(gold, [annotation])[0]


def judged(gold: Gold, annotations: Sequence[Annotation]) -> list[Judged]:
    """Answers to one gold task beside what is expected, all under the present names of labels."""
    names = names_for(gold.project, [gold.protocol_id, *(one.protocol_id for one in annotations)])
    expected, strict = expected_of(gold, names), rules_of(gold.project).strict
    return [judge(expected, answer_of(one, names), strict) for one in annotations]


def write(
    gold: Gold, annotator_id: int, before: GoldResult | None, annotation_id: int | None, after: Judged | None
) -> None:
    """The result as it stands now. That of training is shown at once."""
    if after is None or annotation_id is None:
        if before is not None:
            before.delete()
        return
    shown = timezone.now() if gold.phase == Gold.Phase.TRAINING else None
    GoldResult.objects.update_or_create(
        gold=gold,
        annotator_id=annotator_id,
        defaults={
            "annotation_id": annotation_id,
            "correct": after.correct,
            "score": after.score,
            "parts": after.parts,
            "revealed_at": shown,
            "at": timezone.now(),
        },
    )


# --- Again ----------------------------------------------------------------------------------------------


@transaction.atomic
def rescore(golds: Sequence[int]) -> None:
    """Judge the answers to some gold anew, and set the counters that follow from all results."""
    everybody = hold(golds)
    for gold in Gold.objects.filter(pk__in=golds).select_related("project__protocol").order_by("pk"):
        results = list(gold.results.order_by("pk"))
        for start in range(0, len(results), AT_ONCE):
            some = results[start : start + AT_ONCE]
            standing = with_all(Annotation.objects.filter(pk__in=[one.annotation_id for one in some])).in_bulk()
            found = judged(gold, [standing[one.annotation_id] for one in some])
            for result, now in zip(some, found, strict=True):
                result.correct, result.score, result.parts = now.correct, now.score, now.parts
            GoldResult.objects.bulk_update(some, ["correct", "score", "parts"])
    recount(everybody)
    recount_gold(golds)
