"""Comments beside items, and whom they are for. Answers stay blind: an annotator sees the own comments and what is
replied to them, and nothing of anybody else's.

A name after an @ tells that person, if they may read the comment. A reply tells whom it answers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from curation import access
from curation.errors import Forbidden, Invalid, NotFound
from curation.models import Assignment, Comment, Item, Membership, Mention, Project, Repeat, Task, User
from curation.models.repeats import REPEATED

LONGEST = 5000
MOST_MENTIONS = 20
SHOWN = 200
NAMED = re.compile(r"(?<![\w@])@([\w.+-]+)")


@dataclass(frozen=True, slots=True)
class Written:
    """A comment, whom it told, and the names in it that it could not tell: nobody's, or of who may not read it."""

    comment: Comment
    told: list[User] = field(default_factory=list)
    untold: list[str] = field(default_factory=list)


def reads_all(user: User, project: Project) -> bool:
    return access.READ in access.capabilities(user, project)


def on(item: Item, user: User) -> list[Comment]:
    """The comments on an item that `user` may read, oldest first; the latest of very many."""
    rows = item.comments.filter(deleted_at=None).select_related("author", "reply_to__author")
    return list(seen_by(user, item.project, rows).order_by("-pk")[:SHOWN])[::-1]


def seen_by(user: User, project: Project, rows: QuerySet[Comment]) -> QuerySet[Comment]:
    return rows if reads_all(user, project) else rows.filter(Q(author=user) | Q(reply_to__author=user))


def item_for(user: User, task_id: int) -> tuple[Project, Item]:
    """The project and item of a task that is or was in the user's hands. Raises NotFound for anybody else's."""
    if task_id >= REPEATED:
        again = Repeat.objects.filter(pk=task_id - REPEATED, annotator__user=user).first() if task_id < 2**63 else None
        if again is None:
            raise NotFound("no such task")
        task_id = again.task_id
    related = ("project", "pair__item", "response__item", "item")
    task = Task.objects.select_related(*related).filter(pk=task_id).first() if task_id < 2**63 else None
    if task is None:
        raise NotFound("no such task")
    access.allow(user, task.project, access.ANNOTATE)
    mine = Assignment.objects.filter(task=task, annotator__user=user)
    if not mine.exists() and not reads_all(user, task.project):
        raise NotFound("this task is not yours")
    return task.project, task.item or (task.pair or task.response).item  # type: ignore[union-attr]


@transaction.atomic
def write(*, item: Item, user: User, text: str, reply_to: int | None = None) -> Written:
    """Write a comment, or a reply to one, and tell whom it is for. Raises Invalid naming the field."""
    text = text.strip()
    if not text or len(text) > LONGEST or "\0" in text:
        raise Invalid(f"needs 1 to {LONGEST} characters, and no NUL", field="text")
    parent = None
    if reply_to is not None:
        rows = item.comments.filter(deleted_at=None).select_related("author")
        parent = seen_by(user, item.project, rows).filter(pk=reply_to).first() if reply_to < 2**63 else None
        if parent is None:
            raise Invalid("there is no such comment on this item", field="reply_to")
    comment = Comment.objects.create(project=item.project, item=item, author=user, text=text, reply_to=parent)
    names = list(dict.fromkeys(name.rstrip(".") for name in NAMED.findall(text)))[:MOST_MENTIONS]
    members = Membership.objects.filter(project=item.project, deactivated_at=None, user__is_active=True)
    members = members.filter(user__username__in=names)
    found = {member.user.username: member.user for member in members.select_related("user")}
    readable = {name: one for name, one in found.items() if may_read(one, comment)}
    told = {one.pk: one for one in readable.values()}
    if parent and may_read(parent.author, comment):
        told[parent.author_id] = parent.author
    told.pop(user.pk, None)
    Mention.objects.bulk_create([Mention(comment=comment, user=one) for one in told.values()])
    return Written(comment, list(told.values()), [name for name in names if name not in readable])


def may_read(user: User, comment: Comment) -> bool:
    """Whether a comment may be told to somebody: who reads answers, and whom it replies to."""
    replied = comment.reply_to is not None and comment.reply_to.author_id == user.pk
    can = access.capabilities(user, comment.project)
    return access.READ in can or (replied and access.SEE in can)


def remove(*, project: Project, user: User, comment_id: int) -> None:
    """Take a comment out of sight: the own, or anybody's for who manages the project."""
    found = project.comments.filter(pk=comment_id, deleted_at=None).first() if comment_id < 2**63 else None
    if found is None or not seen_by(user, project, project.comments.filter(pk=comment_id)).exists():
        raise NotFound("no such comment")
    if found.author_id != user.pk and access.MANAGE not in access.capabilities(user, project):
        raise Forbidden("only its author, or who manages the project, removes a comment")
    found.deleted_at = timezone.now()
    found.save(update_fields=["deleted_at"])
    Mention.objects.filter(comment=found).delete()


def inbox(user: User, before: int = 0, limit: int = 50) -> tuple[list[Mention], int | None]:
    """What others wrote to somebody, the latest first, and the key of the page behind. What they may no longer read is
    left out."""
    rows = Mention.objects.filter(user=user, comment__project__deleted_at=None)
    rows = rows.select_related("comment__author", "comment__project", "comment__item", "comment__reply_to")
    found = list((rows.filter(pk__lt=before) if before else rows).order_by("-pk")[: limit + 1])
    shown = [mention for mention in found[:limit] if may_read(user, mention.comment)]
    return shown, found[limit - 1].pk if len(found) > limit else None


def read(user: User, ids: Sequence[int] | None = None) -> int:
    """Mark what was written to somebody as read, all of it unless some are named; how many."""
    unread = Mention.objects.filter(user=user, read_at=None)
    return (unread if ids is None else unread.filter(pk__in=ids)).update(read_at=timezone.now())


def unread(user: User, most: int = 10) -> int:
    """How many are unread, counted up to `most`."""
    return len(Mention.objects.filter(user=user, read_at=None).values_list("pk", flat=True)[:most])
