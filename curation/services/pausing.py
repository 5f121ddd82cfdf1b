"""People who are to get no tasks for a while, and members who are let in no longer. Every answer of theirs stays."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from curation import access
from curation.errors import Conflict, Invalid, NotFound
from curation.models import Annotator, Assignment, Membership, Project, Role, User
from curation.services.people import keep_an_owner, membership
from curation.services.queueing import start_over
from curation.services.retiring import take_from

LONGEST = 500
TO_ASK = 5


def find(project: Project, annotator_id: int) -> Annotator:
    """A person who annotates in a project. Raises NotFound."""
    people = project.annotators.select_related("user", "project").filter(kind=Annotator.Kind.PERSON)
    found = people.filter(pk=annotator_id).first() if annotator_id < 2**63 else None
    if found is None:
        raise NotFound("no such annotator")
    return found


@transaction.atomic
def pause(annotator: Annotator, reason: str, by: User | None) -> Annotator:
    """Give this person no more tasks until they are resumed. The reason is shown to them; `by` None is the program.

    What they hold goes back to the queue; an answer that they send all the same counts if there is still room.
    Pausing again changes the reason.
    """
    reason = reason.strip()
    if len(reason) > LONGEST or "\0" in reason:
        raise Invalid(f"at most {LONGEST} characters, and no NUL", field="reason")
    annotator.paused_at = annotator.paused_at or timezone.now()
    annotator.paused_reason, annotator.paused_by = reason, by
    annotator.save(update_fields=["paused_at", "paused_reason", "paused_by"])
    let_go(annotator)
    return annotator


def resume(annotator: Annotator) -> Annotator:
    """Let this person go on. Resuming twice is the same as once."""
    annotator.paused_at, annotator.paused_reason, annotator.paused_by = None, "", None
    annotator.save(update_fields=["paused_at", "paused_reason", "paused_by"])
    return annotator


def let_go(annotator: Annotator) -> None:
    """Take everything that this person holds back into the queue."""
    take_from(Assignment.objects.filter(annotator=annotator))
    start_over([annotator.project_id])


def to_ask(project: Project, annotator_id: int | None = None) -> list[User]:
    """Whom a paused person can ask: who paused them, then managers and owners; a few."""
    by = project.annotators.filter(pk=annotator_id or 0, paused_by__isnull=False).select_related("paused_by").first()
    first = [by.paused_by] if by and by.paused_by else []
    managing = [role for role, can in access.CAN.items() if access.MANAGE in can]
    members = project.memberships.filter(role__in=managing, deactivated_at=None).select_related("user")
    others = [member.user for member in members.order_by("pk")[:TO_ASK] if member.user not in first]
    return (first + others)[:TO_ASK]


@transaction.atomic
def deactivate(*, project: Project, by: User, membership_id: int) -> Membership:
    """Let a member in no longer, and keep everything else: role, answers, groups. Raises Conflict for the last owner
    and for oneself."""
    member = membership(project, by, membership_id)
    if member.user_id == by.pk:
        raise Conflict("you cannot shut yourself out; ask another manager")
    if member.role == Role.OWNER:
        keep_an_owner(project)
    if member.deactivated_at is None:
        member.deactivated_at = timezone.now()
        member.save(update_fields=["deactivated_at"])
    for annotator in Annotator.objects.filter(project=project, user=member.user_id):
        let_go(annotator)
    return member


@transaction.atomic
def reactivate(*, project: Project, by: User, membership_id: int) -> Membership:
    """Let a member in again, with the role they had."""
    member = membership(project, by, membership_id)
    member.deactivated_at = None
    member.save(update_fields=["deactivated_at"])
    return member
