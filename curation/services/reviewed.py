"""What a submit has to do with reviews: whether the answer is drawn for one, comes out of one, or overtakes one.

Nothing here costs anything where no review is wanted and none put the task into somebody's hands.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import F
from django.utils import timezone

from curation.errors import Conflict
from curation.models import Annotation, Annotator, Assignment, Progress, Project, Review
from curation.statements import Statement

if TYPE_CHECKING:
    from curation.services.counting import Held
    from curation.services.desk import Desk

Outcome = Review.Outcome
DRAWN_FROM = (Annotation.Source.WEB, Annotation.Source.API)


def drawn(desk: Desk, held: Held, made: int, source: str) -> list[Statement]:
    """Puts an answer before a reviewer where a coin, the same at every look, falls so."""
    rules = desk.rules
    if not rules.review_levels or source not in DRAWN_FROM:
        return []
    digest = hashlib.md5(f"{desk.seed}:{held.task_id}:{desk.annotator_id}:review".encode()).digest()
    if int.from_bytes(digest[:8], "big") / 2**64 >= rules.review_share:
        return []
    return [waiting(desk.project_id, made, desk.annotator_id)]


def waiting(
    project_id: int, annotation_id: int, annotator_id: int, *, level: int = 1, why: str = Review.Why.SAMPLE
) -> Statement:
    """One answer more that waits for a reviewer; nothing where it does already."""
    return (
        "INSERT INTO curation_review (project_id, annotation_id, annotator_id, level, why, outcome, reason, created_at)"
        " VALUES (%s, %s, %s, %s, %s, '', '', %s) ON CONFLICT (annotation_id, level) DO NOTHING",
        [project_id, annotation_id, annotator_id, level, why, timezone.now()],
    )


def overtaken(annotation_id: int) -> Statement:
    """What waits for a reviewer is no longer there: its annotator took it back, or answered anew."""
    return (
        "UPDATE curation_review SET outcome = 'overtaken', decided_at = %s WHERE annotation_id = %s AND outcome = ''",
        [timezone.now(), annotation_id],
    )


def fixing(desk: Desk, held: Held) -> int | None:
    """The answer that this one is said in place of, where a reviewer is fixing it; None for an answer of one's own.

    Raises Conflict when the answer was fixed, or decided on, by somebody else meanwhile.
    """
    review = Review.objects.select_related("annotation").get(pk=held.review_id or 0)
    if review.annotator_id == desk.annotator_id:
        if review.outcome == Outcome.FIXED:
            raise Conflict("a reviewer fixed your answer; the fix stands")
        return None
    if review.outcome in (Outcome.RETURNED, Outcome.REASSIGNED):
        return None  # somebody else's answer, given to this person to answer anew
    if review.outcome:
        raise Conflict("this answer was reviewed meanwhile")
    return review.annotation_id


@dataclass(frozen=True, slots=True)
class Told:
    """What somebody reads above a task that a review put into their hands."""

    words: str
    reason: str
    annotation: Annotation | None
    """The answer to go on from: the own one that was returned, or the one that is to be fixed."""
    fixing: bool = False


def told(review_id: int, annotator_id: int) -> Told:
    """Why a task came back to an annotator, or came to them after somebody else, or what they are fixing."""
    related = ("reviewer", "annotator__user", "annotation__annotator")
    review = Review.objects.select_related(*related).get(pk=review_id)
    if review.annotator_id == annotator_id:
        return Told(f"Returned by {review.reviewer}", review.reason, review.annotation)
    if review.outcome == Outcome.REASSIGNED:
        return Told("Given to you by a reviewer", "", None)
    name = review.annotator.user or review.annotator.name
    return Told(f"You are fixing the answer of {name}", "", review.annotation, fixing=True)


def fixed_on(tasks: Collection[int]) -> set[tuple[int, int]]:
    """Where a reviewer's fix stands in place of an answer: task and annotator. An import leaves it there."""
    rows = Review.objects.filter(outcome=Outcome.FIXED, annotation__task__in=tasks)
    return set(rows.values_list("annotation__task", "annotator"))


def fixed(review_id: int, made: int) -> None:
    """A reviewer's answer stands in place of the one that was reviewed, whose annotator cannot take it up again."""
    review = Review.objects.select_related("annotation").get(pk=review_id)
    reviewer = Annotator.objects.get(project=review.project_id, annotations=made).user
    close(review, Outcome.FIXED, reviewer_id=reviewer.pk if reviewer else None, reason=review.reason, fix_id=made)
    mine = Assignment.objects.filter(task=review.annotation.task_id, annotator=review.annotator_id)
    mine.update(current=made, review=review)


def close(review: Review, outcome: str, *, reviewer_id: int | None, reason: str, fix_id: int | None = None) -> None:
    """Say what became of an answer, once. Raises Conflict when somebody else was faster."""
    still = Review.objects.filter(pk=review.pk, outcome=Outcome.WAITING)
    given = {"outcome": outcome, "reviewer": reviewer_id, "reason": reason, "fix": fix_id}
    if not still.update(**given, held_until=None, decided_at=timezone.now()):
        now = Review.objects.select_related("reviewer").get(pk=review.pk)
        raise Conflict(f"{now.reviewer or 'somebody'} was faster: {now.get_outcome_display().lower()}")
    counter = {Outcome.ACCEPTED: "accepted", Outcome.FIXED: "fixed"}.get(Outcome(outcome), "returned")
    Progress.objects.filter(annotator=review.annotator_id).update(**{counter: F(counter) + 1})
    again(review, outcome, fix_id)


def again(review: Review, outcome: str, fix_id: int | None) -> None:
    """The second level, where the project has one: what the first accepted or fixed."""
    levels = Project.objects.values_list("review_levels", flat=True).get(pk=review.project_id)
    if levels < 2 or review.level != 1 or outcome not in (Outcome.ACCEPTED, Outcome.FIXED):
        return
    standing = Annotation.objects.get(pk=fix_id or review.annotation_id)
    Review.objects.get_or_create(
        annotation=standing,
        level=2,
        defaults={"project_id": review.project_id, "annotator_id": standing.annotator_id, "why": Review.Why.SECOND},
    )
