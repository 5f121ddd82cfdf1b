"""Service accounts: users of one project that cannot sign in, and whose tokens its managers keep.

A script that runs for a project should not stop when the person who set it up leaves, and should not be able to do
what that person may do elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Max, QuerySet
from django.utils import timezone

from curation.errors import Conflict, Invalid, NotFound
from curation.models import Act, ApiToken, Membership, Project, Role, User
from curation.services import auditing, people

ROTATION_HOURS = 24
MOST = 50


def of(project: Project) -> QuerySet[Membership]:
    """The service accounts of a project, each with the day when one of its tokens was last used."""
    mine = project.memberships.select_related("user").filter(user__kind=User.Kind.SERVICE)
    return mine.annotate(last_used=Max("user__api_tokens__last_used_on")).order_by("user__display_name", "pk")


def find(project: Project, membership_id: int) -> Membership:
    found = of(project).filter(pk=membership_id).first() if membership_id < 2**63 else None
    if found is None:
        raise NotFound("no such service account")
    return found


@transaction.atomic
def make(*, project: Project, by: User, name: str) -> Membership:
    """A service account called `name`, which nobody can sign in as."""
    name = name.strip()
    if not name or len(name) > 60:
        raise Invalid("give it a name of up to 60 characters, for what it is there", field="name")
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    names = list(of(project).values_list("user__display_name", flat=True)[: MOST + 1])
    if name in names:
        raise Invalid("there is one of this name already", field="name")
    if len(names) >= MOST:
        raise Conflict(f"a project has at most {MOST} service accounts")
    user = User(username=free_name(project, name), display_name=name, kind=User.Kind.SERVICE)
    user.set_unusable_password()
    user.save(force_insert=True)
    member = Membership.objects.create(user=user, project=project, role=Role.SERVICE)
    auditing.record(Act.SERVICE_MADE, project=project, by=by, thing=user)
    return member


def free_name(project: Project, name: str) -> str:
    base = f"service-{project.slug[:60]}-{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')[:50] or 'account'}"
    found, count = base, 1
    while User.objects.filter(username=found).exists():
        count += 1
        found = f"{base}-{count}"
    return found


@transaction.atomic
def remove(member: Membership) -> None:
    """Take a service account out: its tokens end at once. What it brought in stays, under its name."""
    member.user.api_tokens.filter(revoked_at__isnull=True).update(revoked_at=timezone.now())
    User.objects.filter(pk=member.user_id).update(is_active=False)
    Membership.objects.filter(pk=member.pk).delete()
    auditing.record(Act.SERVICE_REMOVED, project=member.project, thing=member.user)


# --- Tokens -------------------------------------------------------------------------------------------


def make_token(
    member: Membership, *, name: str, scopes: Sequence[str], expires_at: datetime | None
) -> tuple[ApiToken, str]:
    """A token of a service account and its secret, which is stored nowhere."""
    return people.issue_token(user=member.user, name=name, scopes=scopes, expires_at=expires_at, project=member.project)


def token_of(member: Membership, token_id: int) -> ApiToken:
    found = member.user.api_tokens.filter(pk=token_id).first() if token_id < 2**63 else None
    if found is None:
        raise NotFound("no such token")
    return found


def revoke_token(member: Membership, token_id: int) -> None:
    people.revoke_token(user=member.user, token_id=token_id, project=member.project)


@transaction.atomic
def rotate_token(member: Membership, token_id: int) -> tuple[ApiToken, str]:
    """Another secret with the same name, scopes and span of life; the old one works for a day, to be replaced in."""
    old = ApiToken.objects.select_for_update().get(pk=token_of(member, token_id).pk)
    now = timezone.now()
    if old.revoked_at or (old.expires_at and old.expires_at <= now):
        raise Conflict("this token is over: make a new one")
    lifetime = old.expires_at - old.created_at if old.expires_at else None
    made, secret = people.issue_token(
        user=member.user,
        name=old.name,
        scopes=old.scopes,
        expires_at=now + lifetime if lifetime else None,
        project=member.project,
        replaces=old,
    )
    ends = now + timedelta(hours=ROTATION_HOURS)
    if old.expires_at is None or old.expires_at > ends:
        ApiToken.objects.filter(pk=old.pk).update(expires_at=ends)
    return made, secret
