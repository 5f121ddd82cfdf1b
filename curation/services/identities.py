"""People whom a sign-in provider vouches for: who is let in the first time, and what their groups give them here.

allauth speaks OpenID Connect; whom to believe what is decided here. Sign-up is closed: a stranger comes in by an
invite, by an e-mail domain, or by a group. No identity ever takes over an account by its e-mail address: whoever
has an account links the provider to it on the account page.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from curation.errors import Conflict, Forbidden, NotFound
from curation.models import Act, Membership, Project, Role, User
from curation.providers import EVERYBODY, Provider, claim
from curation.services import auditing, people

MOST_GROUPS = 2000


@dataclass(frozen=True, slots=True)
class Identity:
    """What a provider says of somebody: `subject` is who they are there, for ever."""

    provider: Provider
    subject: str
    email: str = ""
    verified: bool = False
    username: str = ""
    name: str = ""
    groups: frozenset[str] = frozenset()


def provider(key: str) -> Provider:
    found = next((one for one in settings.SIGN_IN_PROVIDERS if one.key == key), None)
    if found is None:
        raise NotFound("no such sign-in provider")
    return found  # type: ignore[no-any-return]


def identity_of(provider: Provider, claims: Mapping[str, Any]) -> Identity:
    """The claims of id token and user info as far as they are used here; nothing else is kept."""
    email = text(claims, "email")
    listed = claim(claims, provider.groups_claim)
    groups = [listed] if isinstance(listed, str) else listed if isinstance(listed, list) else []
    return Identity(
        provider=provider,
        subject=str(claims["sub"]),
        email=email if "@" in email else "",
        verified=provider.trust_email or claims.get("email_verified") in (True, "true"),
        username=text(claims, "preferred_username") or email.partition("@")[0],
        name=text(claims, "name"),
        groups=frozenset(str(group) for group in groups[:MOST_GROUPS]),
    )


def text(claims: Mapping[str, Any], name: str) -> str:
    found = claims.get(name)
    return found.replace("\0", "").strip() if isinstance(found, str) else ""


def sign_in(identity: Identity, *, invite: str = "") -> User:
    """The user behind an identity, made at first sight if they may come in. Raises Forbidden otherwise.

    Their groups' roles are brought up to date each time.
    """
    account = account_of(identity)
    if account is None:
        with suppress(IntegrityError), transaction.atomic():  # or another tab of this person was faster
            user = newcomer(identity, invite)
            SocialAccount.objects.create(user=user, provider=identity.provider.key, uid=identity.subject)
        account = account_of(identity)
        assert account is not None
    elif invite:
        with suppress(NotFound):
            people.accept_invite(secret=invite, user=account.user)
    user = account.user
    if not user.is_active or user.kind != User.Kind.PERSON:
        raise Forbidden("this account is switched off")
    follow_groups(user, identity)
    return user  # type: ignore[no-any-return]


def account_of(identity: Identity) -> SocialAccount | None:
    mine = SocialAccount.objects.select_related("user")
    return mine.filter(provider=identity.provider.key, uid=identity.subject).first()


def newcomer(identity: Identity, invite: str) -> User:
    """A new user, let in by an invite, an e-mail domain or a group."""
    if not invite and not by_domain(identity) and not given(identity, everybody=False):
        raise Forbidden(
            f"{identity.provider.name} knows you, but you have no account here: ask for an invite link, or sign in "
            "with your password and link the provider on your account page"
        )
    if invite:
        people.open_invite(secret=invite)
    user = people.create_user(
        username=free_name(identity),
        display_name=identity.name[:120],
        email=identity.email[:254] if identity.verified else "",
    )
    if invite:
        people.accept_invite(secret=invite, user=user)
    return user


def by_domain(identity: Identity) -> bool:
    domain = identity.email.rpartition("@")[2].lower()
    return identity.verified and bool(domain) and domain in identity.provider.domains


def free_name(identity: Identity) -> str:
    """A user name that nobody has, near to what the provider calls them."""
    wanted = re.sub(r"[^\w.@+-]+", "-", identity.username)[:140].strip("-") or "user"
    name, count = wanted, 1
    while User.objects.filter(username=name).exists():
        count += 1
        name = f"{wanted}-{count}"
    return name


# --- Groups -------------------------------------------------------------------------------------------


def given(identity: Identity, *, everybody: bool) -> dict[str, str]:
    """The highest role that somebody's groups give, by project."""
    roles: dict[str, str] = {}
    for group, projects in identity.provider.groups.items():
        if group in identity.groups or (everybody and group == EVERYBODY):
            for slug, role in projects.items():
                if slug not in roles or people.RANK[role] > people.RANK[roles[slug]]:
                    roles[slug] = role
    return roles


@transaction.atomic
def follow_groups(user: User, identity: Identity) -> None:
    """Give what the groups give, and take back what they gave and no longer give.

    Roles that people were given here, by hand or invite, are never touched; the last owner stays one.
    """
    if not identity.provider.groups:
        return
    wanted = given(identity, everybody=True)
    projects = {project.slug: project for project in Project.objects.filter(slug__in=wanted, deleted_at__isnull=True)}
    held = {one.project_id: one for one in Membership.objects.filter(user=user).select_related("project")}
    for slug, project in projects.items():
        member = held.pop(project.pk, None)
        if member is None:
            made = Membership.objects.create(
                user=user, project=project, role=wanted[slug], given_by=identity.provider.key
            )
            auditing.record(Act.JOINED, project=project, by=user, role=made.role, groups_of=identity.provider.key)
        elif member.given_by == identity.provider.key and member.role != wanted[slug]:
            regrade(member, wanted[slug])
    for member in held.values():
        if member.given_by == identity.provider.key:
            regrade(member, "")


def regrade(member: Membership, role: str) -> None:
    """Another role for a member whom groups let in, or none. Who is the last owner is left as they are."""
    with suppress(Conflict), transaction.atomic():
        if member.role == Role.OWNER:
            people.keep_an_owner(member.project)
        before, member.role = member.role, role
        if role:
            member.save(update_fields=["role"])
        else:
            member.delete()
        act = Act.ROLE_CHANGED if role else Act.MEMBER_REMOVED
        told = {"before": before, "role": role, "groups_of": member.given_by}
        auditing.record(act, project=member.project, by=member.user, thing=member.user, **told)


# --- Accounts that are there already ------------------------------------------------------------------


def linked(user: User) -> QuerySet[SocialAccount]:
    return SocialAccount.objects.filter(user=user).order_by("provider")


def link(*, user: User, identity: Identity) -> None:
    """Let `user` sign in as `identity` from now on. Raises Conflict if somebody else does."""
    found = account_of(identity)
    if found is not None and found.user_id != user.pk:
        raise Conflict(f"another account here is linked to this identity at {identity.provider.name}")
    if found is None:
        with transaction.atomic():
            SocialAccount.objects.create(user=user, provider=identity.provider.key, uid=identity.subject)
            auditing.record(Act.IDENTITY_LINKED, by=user, provider=identity.provider.key)
    follow_groups(user, identity)


@transaction.atomic
def unlink(*, user: User, account_id: int) -> None:
    """Take a provider away from an account. Raises Conflict if the person could not sign in without it."""
    found = linked(user).filter(pk=account_id).first()
    if found is None:
        raise NotFound("no such provider")
    if not user.has_usable_password() and linked(user).count() < 2:
        raise Conflict("set a password first: without it you could not sign in any more")
    found.delete()
    auditing.record(Act.IDENTITY_UNLINKED, by=user, provider=found.provider)
