"""Reviewing answers: which one is next, and what becomes of it: accepted, fixed, returned, or given to somebody else.

An answer is reviewed by others than who gave it; a second level by others than the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from curation import access
from curation.errors import Conflict, Invalid, NotFound
from curation.models import Annotation, Annotator, Assignment, Membership, Project, Review, Task, User
from curation.services import annotating
from curation.services.annotating import NOTHING, Commit, Judgement
from curation.services.answering import Answer
from curation.services.desk import desk_of
from curation.services.reviewed import close
from curation.services.taking import shown_order

HELD_MINUTES = 15
LONGEST = 1000
Outcome = Review.Outcome


def find(project: Project, review_id: int) -> Review:
    related = ("annotation__task", "annotator__user", "reviewer", "project__protocol")
    reviews = Review.objects.select_related(*related).filter(project=project)
    found = reviews.filter(pk=review_id).first() if review_id < 2**63 else None
    if found is None:
        raise NotFound("no such review")
    return found


def open_to(project: Project, user: User) -> QuerySet[Review]:
    """What waits for a reviewer such as `user`, who has not given the answer nor reviewed it before; in order."""
    before = Review.objects.filter(annotation=OuterRef("annotation"), reviewer=user, decided_at__isnull=False)
    free = Q(held_until=None) | Q(held_until__lt=timezone.now()) | Q(reviewer=user)
    waiting = Review.objects.filter(project=project, outcome=Outcome.WAITING).filter(free)
    others = waiting.filter(Q(annotator__user=None) | ~Q(annotator__user=user))
    return others.exclude(Exists(before)).order_by("level", "pk")


@transaction.atomic
def next_for(project: Project, user: User, after: int = 0) -> Review | None:
    """The next answer to review behind the review `after`, held for this reviewer for a while; where there is none the
    first, and None where nothing waits for them. What they held before is free again."""
    mine = Review.objects.filter(project=project, outcome=Outcome.WAITING, reviewer=user)
    mine.filter(pk__lte=after).update(reviewer=None, held_until=None)
    waiting = open_to(project, user).select_for_update(skip_locked=True, of=("self",))
    found = (after and waiting.filter(pk__gt=after).first()) or waiting.first()
    if not found:
        return None
    found.reviewer, found.held_until = user, timezone.now() + timedelta(minutes=HELD_MINUTES)
    found.save(update_fields=["reviewer", "held_until"])
    return find(project, found.pk)


def check(review: Review, by: User, reason: str) -> None:
    """Raises Conflict for what this person may not review, Invalid for a reason that cannot be kept."""
    if review.annotator.user_id == by.pk:
        raise Conflict("this answer is your own; somebody else reviews it")
    if len(reason) > LONGEST or "\0" in reason:
        raise Invalid(f"at most {LONGEST} characters, and no NUL", field="reason")
    if Annotation.objects.filter(supersedes=review.annotation_id).exists() and not review.outcome:
        raise Conflict("this answer was changed meanwhile")


@transaction.atomic
def accept(review: Review, by: User, reason: str = "") -> Review:
    """The answer is right as it is."""
    check(review, by, reason)
    close(review, Outcome.ACCEPTED, reviewer_id=by.pk, reason=reason)
    return find(review.project, review.pk)


@transaction.atomic
def give_back(review: Review, by: User, reason: str) -> Review:
    """Take the answer back and ask the same person anew, first of all, with the reason on their screen.

    It waits for them for RETURN_DAYS; then the task goes back to everybody.
    """
    check(review, by, reason)
    if not reason.strip():
        raise Invalid("say what is wrong, so that it can be done better", field="reason")
    annotator = review.annotator
    member = Membership.objects.filter(project=review.project_id, user=annotator.user_id, deactivated_at=None)
    if annotator.user_id is None or annotator.paused_at or not member.exists():
        raise Conflict(f"{name_of(annotator)} gets no tasks now; fix it, or give it to somebody else")
    close(review, Outcome.RETURNED, reviewer_id=by.pk, reason=reason.strip())
    take_back(review)
    mine = Assignment.objects.filter(task=review.annotation.task_id, annotator=annotator)
    mine.update(review=review, expires_at=timezone.now() + timedelta(days=settings.RETURN_DAYS))
    return find(review.project, review.pk)


@transaction.atomic
def reassign(review: Review, by: User, reason: str = "", to: int | None = None) -> Review:
    """Take the answer back and let somebody else answer: one annotator by id, or whoever comes next."""
    check(review, by, reason)
    close(review, Outcome.REASSIGNED, reviewer_id=by.pk, reason=reason.strip())
    take_back(review)
    task_id = review.annotation.task_id
    mine = Assignment.objects.filter(task=task_id, annotator=review.annotator_id)
    mine.update(state=Assignment.State.MOVED, current=None, review=review)
    Task.objects.filter(pk=task_id).update(taken=F("taken") - 1)
    if to is not None:
        other = Annotator.objects.filter(project=review.project_id, kind=Annotator.Kind.PERSON, pk=to).first()
        if other is None or other.pk == review.annotator_id:
            raise Invalid("must be another annotator of this project", field="to")
        hand(review, other, days=settings.RETURN_DAYS)
    return find(review.project, review.pk)


def take_back(review: Review) -> None:
    """Take the reviewed answer back in its annotator's name. Raises Conflict for one that never was in their hands."""
    annotation = review.annotation
    if annotation.source == Annotation.Source.REVIEW:
        raise Conflict("this is a reviewer's fix: accept it, or fix it again")
    commit = Commit(key=f"review-{review.pk}", source=Annotation.Source.REVIEW)
    try:
        annotating.undo(desk=desk_of(review.project, review.annotator), annotation_id=annotation.pk, commit=commit)
    except NotFound:
        raise Conflict("this answer came with an import; accept it or fix it") from None


def hand(review: Review, annotator: Annotator, *, days: float = 0, order: str = "") -> Assignment:
    """Put the reviewed task into somebody's hands, whatever its overlap. Raises Conflict when it was there before."""
    task_id = review.annotation.task_id
    minutes = timedelta(days=days) or timedelta(minutes=settings.ASSIGNMENT_MINUTES)
    found = Assignment.objects.select_for_update().filter(task=task_id, annotator=annotator).first()
    if found and found.state == Assignment.State.RESERVED and found.review_id == review.pk:
        return found
    if found and found.state in (Assignment.State.ANSWERED, Assignment.State.SKIPPED, Assignment.State.RESERVED):
        raise Conflict(f"{name_of(annotator)} has had this task already; choose somebody else")
    Task.objects.filter(pk=task_id).update(taken=F("taken") + 1)
    given = {"state": Assignment.State.RESERVED, "expires_at": timezone.now() + minutes, "review": review}
    order = order or shown_order(review.project.seed, task_id, annotator.pk)
    made, _ = Assignment.objects.update_or_create(
        task_id=task_id, annotator=annotator, defaults={**given, "current": None, "order": order}
    )
    desk_of(review.project, annotator)  # with their counters, where it is the first they hold
    return made


@transaction.atomic
def open_fix(review: Review, by: User) -> int:
    """Put the task on the reviewer's own screen: what they answer there stands in place of the answer. The task."""
    check(review, by, "")
    if review.outcome:
        raise Conflict("this answer was reviewed already")
    annotator = access.annotator_for(by, review.project)
    hand(review, annotator, order=Assignment.Order.AS_STORED)
    Review.objects.filter(pk=review.pk).update(
        reviewer=by, held_until=timezone.now() + timedelta(minutes=settings.ASSIGNMENT_MINUTES)
    )
    return review.annotation.task_id


@transaction.atomic
def fix(
    review: Review,
    by: User,
    judgements: Sequence[Judgement] = (),
    *,
    rationale: str = "",
    more: Answer = NOTHING,
    active_ms: int | None = None,
) -> Review:
    """Say the right answer in place of the reviewed one, in stored order: a negative value prefers the first response.

    Raises Invalid when it does not fit the protocol.
    """
    task_id = open_fix(review, by)
    desk = desk_of(review.project, access.annotator_for(by, review.project))
    commit = Commit(key=f"fix-{review.pk}", active_ms=active_ms)
    annotating.submit(desk=desk, task_id=task_id, judgements=judgements, rationale=rationale, more=more, commit=commit)
    return find(review.project, review.pk)


def ask(project: Project, annotation_id: int) -> Review:
    """Let a person's standing answer be reviewed, whatever the coin said."""
    answers = Annotation.objects.answers().filter(project=project, annotator__kind=Annotator.Kind.PERSON)
    found = answers.filter(pk=annotation_id).first() if annotation_id < 2**63 else None
    if found is None:
        raise NotFound("no such answer stands")
    given = {"project": project, "annotator_id": found.annotator_id, "why": Review.Why.ASKED}
    made, _ = Review.objects.get_or_create(annotation=found, level=1, defaults=given)
    return find(project, made.pk)


def name_of(annotator: Annotator) -> str:
    return str(annotator.user) if annotator.user else annotator.name
