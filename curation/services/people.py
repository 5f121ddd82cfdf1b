"""People: users, sign-in links, invites, roles and tokens. A secret is returned once and stored as its digest."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import orjson
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.utils import timezone

from curation import access
from curation.errors import Conflict, Forbidden, Invalid, NotFound
from curation.models import Act, ApiToken, Group, Invite, Membership, Project, Role, Scope, SignInLink, User
from curation.models.people import digest, new_secret
from curation.services import auditing

SIGN_IN_HOURS = 24
TOKEN_DAYS = 90
INVITE_DAYS = 7
MOST_INVITE_DAYS = 90
MOST_USES = 1000
MOST_KEYS, LONGEST_KEYS = 60, 10_000

RANK = {role: place for place, role in enumerate(["viewer", "annotator", "reviewer", "service", "manager", "owner"])}
"""Roles by how much they allow; an invite never lowers one."""


# --- Users and their sign-in --------------------------------------------------------------------------


def create_user(
    *, username: str, password: str | None = None, display_name: str = "", email: str = "", superuser: bool = False
) -> User:
    """A new user. Without a password only a sign-in link lets them in. Raises Invalid with the field at fault."""
    user = User(username=username.strip(), display_name=display_name.strip(), email=email.strip())
    user.is_staff = user.is_superuser = superuser
    set_password(user, password)
    try:
        user.full_clean(exclude=["password"])
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise Invalid(messages[0], field=field) from error
    try:
        with transaction.atomic():
            user.save(force_insert=True)
            auditing.record(Act.USER_MADE, thing=user, superuser=superuser or None)
    except IntegrityError as error:
        raise Invalid("this user name is taken", field="username") from error
    return user


def set_password(user: User, password: str | None) -> None:
    """Set (not save) a password that passes the validators; None makes one that nobody has."""
    if password is None:
        user.set_unusable_password()
        return
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise Invalid(" ".join(error.messages), field="password") from error
    user.set_password(password)


def change_password(*, user: User, current: str, password: str) -> None:
    """Change the own password. Who never had one (came by a link) need not name it."""
    if user.has_usable_password() and not user.check_password(current):
        raise Invalid("this is not your current password", field="current")
    set_password(user, password)
    user.save(update_fields=["password"])
    auditing.record(Act.PASSWORD_CHANGED, by=user)


def change_profile(*, user: User, display_name: str) -> None:
    user.display_name = display_name.strip()
    user.save(update_fields=["display_name"])


def change_keys(*, user: User, body: bytes) -> None:
    """Keep the keys of the annotation screen: `off`, and a key for each act that has another one.

    Raises Invalid for anything else.
    """
    try:
        given = orjson.loads(body[:LONGEST_KEYS])
    except orjson.JSONDecodeError:
        raise Invalid("is no JSON", field="body") from None
    if not isinstance(given, dict) or not isinstance(given.get("map", {}), dict):
        raise Invalid("must be an object with off and map", field="body")
    chosen = given.get("map", {})
    if any(
        not isinstance(key, str) or len(act) > 20 or not 1 <= len(key) <= 12 or "\0" in act + key
        for act, key in chosen.items()
    ):
        raise Invalid("must be a key for each act", field="map")
    if len(chosen) > MOST_KEYS:
        raise Invalid(f"at most {MOST_KEYS}", field="map")
    user.keys = {"off": given.get("off") is True, "map": chosen}
    user.save(update_fields=["keys"])


def change_theme(*, user: User, theme: str) -> None:
    known = [value for value, _ in User._meta.get_field("theme").choices or []]
    if theme not in known:
        raise Invalid(f"must be one of {', '.join(known)}", field="theme")
    user.theme = theme
    user.save(update_fields=["theme"])


def make_sign_in_link(*, user: User, hours: int = SIGN_IN_HOURS) -> str:
    """The secret of a link that signs `user` in once, within `hours`. Raises Invalid for who never signs in."""
    if user.kind != User.Kind.PERSON:
        raise Invalid(f"{user} is a {user.get_kind_display().lower()} and cannot sign in", field="user")
    secret = new_secret("")
    SignInLink.objects.create(user=user, digest=digest(secret), expires_at=timezone.now() + timedelta(hours=hours))
    auditing.record(Act.SIGN_IN_LINK_MADE, thing=user)
    return secret


def use_sign_in_link(*, secret: str) -> User:
    """The user of an unused link, which is used up by this; of two at once, one gets in. Raises NotFound."""
    now = timezone.now()
    mine = SignInLink.objects.filter(digest=digest(secret))
    if not mine.filter(used_at__isnull=True, expires_at__gt=now, user__is_active=True).update(used_at=now):
        raise NotFound("this sign-in link is unknown, expired or already used")
    return mine.select_related("user").get().user


# --- Tokens -------------------------------------------------------------------------------------------


def issue_token(
    *,
    user: User,
    name: str,
    scopes: Sequence[str],
    expires_at: datetime | None,
    project: Project | None = None,
    replaces: ApiToken | None = None,
) -> tuple[ApiToken, str]:
    """A new token and its secret, which is stored nowhere. `project`: whose service account `user` is."""
    if user.entered == "" and owes_second_step(user):
        raise Forbidden("a project that you manage asks for two-factor sign-in: turn it on before you make a token")
    if not name.strip():
        raise Invalid("give it a name, so that you know later what it is for", field="name")
    if not scopes or set(scopes) - set(Scope.values):
        raise Invalid(f"choose from {', '.join(Scope.values)}", field="scopes")
    if expires_at is not None and expires_at <= timezone.now():
        raise Invalid("must lie in the future", field="expires_at")
    secret = new_secret("ts_")
    token = ApiToken.objects.create(
        user=user,
        name=name.strip()[:120],
        digest=digest(secret),
        hint=secret[:8],
        scopes=[scope for scope in Scope.values if scope in scopes],
        expires_at=expires_at,
    )
    act = Act.TOKEN_ROTATED if replaces else Act.TOKEN_MADE
    told = {"of": user.username, "scopes": token.scopes, "ends": expires_at and expires_at.isoformat()}
    auditing.record(act, project=project, thing=token, replaces=replaces and replaces.hint, **told)
    return token, secret


def owes_second_step(user: User) -> bool:
    """Whether a project asks this person for a second step at sign-in."""
    roles = Membership.objects.filter(user=user, role__in=access.STEPPED, project__deleted_at__isnull=True)
    return roles.filter(project__two_factor=True).exists()


@transaction.atomic
def revoke_token(*, user: User, token_id: int, project: Project | None = None) -> None:
    """End one of a user's tokens. Revoking twice is the same as once."""
    mine = ApiToken.objects.filter(pk=token_id, user=user)
    found = mine.first()
    if found is None:
        raise NotFound("no such token")
    if mine.filter(revoked_at__isnull=True).update(revoked_at=timezone.now()):
        auditing.record(Act.TOKEN_REVOKED, project=project, thing=found, of=user.username)


# --- Invites ------------------------------------------------------------------------------------------


def make_invite(
    *,
    project: Project,
    by: User,
    role: str,
    days: int = INVITE_DAYS,
    uses: int = 1,
    note: str = "",
    group: Group | None = None,
) -> tuple[Invite, str]:
    """An invite and its secret. Only owners invite owners. Whoever accepts it is also put into `group`."""
    check_may_give(by, project, role)
    if group is not None:
        check_group(project, role, group)
    if not 1 <= days <= MOST_INVITE_DAYS:
        raise Invalid(f"must be from 1 to {MOST_INVITE_DAYS} days", field="days")
    if not 1 <= uses <= MOST_USES:
        raise Invalid(f"must be from 1 to {MOST_USES}", field="uses")
    secret = new_secret("inv_")
    invite = Invite.objects.create(
        project=project,
        role=role,
        group=group,
        digest=digest(secret),
        note=note.strip()[:200],
        uses_left=uses,
        expires_at=timezone.now() + timedelta(days=days),
        created_by=by,
    )
    auditing.record(Act.INVITE_MADE, project=project, by=by, thing=invite, role=role, uses=uses)
    return invite, secret


def check_group(project: Project, role: str, group: Group) -> None:
    """Raises Invalid for a group of another project, or one that is of no use since nobody of the role annotates."""
    if group.project_id != project.pk:
        raise Invalid("no such group", field="group")
    if access.ANNOTATE not in access.CAN[role]:
        raise Invalid("groups are of people who annotate; choose another role, or no group", field="group")


def open_invite(*, secret: str) -> Invite:
    """The invite behind a link, if it may still be used. Raises NotFound."""
    live = Q(expires_at__gt=timezone.now(), uses_left__gt=0, project__deleted_at__isnull=True)
    found = Invite.objects.select_related("project", "created_by", "group").filter(live, digest=digest(secret)).first()
    if found is None:
        raise NotFound("this invite is unknown, expired or used up")
    return found


@transaction.atomic
def accept_invite(*, secret: str, user: User) -> Membership:
    """Make `user` a member as the invite says; a higher role is kept. Who gains nothing uses nothing up."""
    invite = open_invite(secret=secret)
    found = Membership.objects.select_for_update().filter(project=invite.project, user=user).first()
    if found is not None and found.deactivated_at is not None:
        raise Forbidden("a manager of the project deactivated your membership; ask them")
    higher = found is not None and RANK[found.role] >= RANK[invite.role]
    if found is not None and higher and not comes_into(invite, user):
        return found
    if not Invite.objects.filter(pk=invite.pk, uses_left__gt=0).update(uses_left=F("uses_left") - 1):
        raise NotFound("this invite is unknown, expired or used up")
    if invite.group:
        invite.group.members.add(access.annotator_for(user, invite.project))
    if found is not None and higher:
        return found
    given = {"role": invite.role, "given_by": ""}
    member, _ = Membership.objects.update_or_create(project=invite.project, user=user, defaults=given)
    before = found.role if found else None
    auditing.record(Act.JOINED, project=invite.project, by=user, thing=invite, role=invite.role, before=before)
    return member


def comes_into(invite: Invite, user: User) -> bool:
    """Whether an invite would put somebody into a group in which they are not yet."""
    return invite.group is not None and not invite.group.members.filter(user=user).exists()


@transaction.atomic
def join_as_newcomer(*, secret: str, username: str, password: str, display_name: str = "") -> User:
    """Make a user through an invite; neither without the other."""
    open_invite(secret=secret)
    user = create_user(username=username, password=password, display_name=display_name)
    accept_invite(secret=secret, user=user)
    return user


@transaction.atomic
def withdraw_invite(*, project: Project, invite_id: int) -> None:
    found = Invite.objects.filter(project=project, pk=invite_id).first()
    if found is None:
        raise NotFound("no such invite")
    auditing.record(Act.INVITE_WITHDRAWN, project=project, thing=found)
    found.delete()


# --- Members ------------------------------------------------------------------------------------------


def check_may_give(by: User, project: Project, role: str) -> None:
    if role not in Role.values:
        raise Invalid(f"must be one of {', '.join(Role.values)}", field="role")
    if role == Role.OWNER and access.OWN not in access.capabilities(by, project):
        raise Forbidden("only an owner makes owners")


@transaction.atomic
def change_role(*, project: Project, by: User, membership_id: int, role: str) -> Membership:
    """Give a member another role. Only owners make, change or remove owners; the last owner stays one."""
    check_may_give(by, project, role)
    member = membership(project, by, membership_id)
    if member.role == Role.OWNER and role != Role.OWNER and member.deactivated_at is None:
        keep_an_owner(project)
    before, member.role, member.given_by = member.role, role, ""
    member.save(update_fields=["role", "given_by"])
    auditing.record(Act.ROLE_CHANGED, project=project, by=by, thing=member.user, before=before, role=role)
    return member


@transaction.atomic
def remove_member(*, project: Project, by: User, membership_id: int) -> None:
    """Take a member out; what they annotated stays."""
    member = membership(project, by, membership_id)
    if member.role == Role.OWNER and member.deactivated_at is None:
        keep_an_owner(project)
    member.delete()
    auditing.record(Act.MEMBER_REMOVED, project=project, by=by, thing=member.user, role=member.role)


def membership(project: Project, by: User, membership_id: int) -> Membership:
    """One membership, which `by` may change."""
    found = project.memberships.select_related("user").filter(pk=membership_id).first()
    if found is None:
        raise NotFound("no such member")
    if found.user.kind != User.Kind.PERSON:
        raise Conflict("service accounts and guests have no other role; they are kept on pages of their own")
    if found.role == Role.OWNER and access.OWN not in access.capabilities(by, project):
        raise Forbidden("only an owner changes owners")
    return found


def keep_an_owner(project: Project) -> None:
    """Raises Conflict unless another owner remains. Locks the owners, so that two cannot leave at once."""
    owners = project.memberships.filter(role=Role.OWNER, deactivated_at=None).order_by("pk").select_for_update()
    if len(owners) < 2:
        raise Conflict("a project needs an owner: make somebody else an owner first")
