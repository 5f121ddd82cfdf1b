"""Crowd links: guests of a crowd platform annotate without an account, up to a quota, and get a code for it.

A guest is a user who cannot sign in, with the role of an annotator in one project; only the session in which they
began lets them in, or the platform's id in the address, which the platform gives to nobody else. What a guest may
open is a list (`access.GUESTS_OPEN`), and work is over once the quota is reached and the code is shown.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import timedelta
from urllib.parse import quote, urlsplit

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.db.models import Count, F, QuerySet
from django.utils import timezone

from curation import access
from curation.errors import Conflict, Forbidden, Invalid, NotFound, TooMany
from curation.models import Act, CrowdLink, CrowdPerson, Group, Membership, Progress, Project, Repeat, Role, User
from curation.models.people import digest
from curation.models.people import new_secret as fresh
from curation.services import auditing, people
from curation.services.desk import ProgressNow

MOST_PEOPLE, MOST_QUOTA, MOST_DAYS = 5000, 10_000, 90
LONGEST_WELCOME = 20_000
PARAMETER = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,39}")
PLATFORM_ID = re.compile(r"[A-Za-z0-9_.@-]{1,64}")
CODE = re.compile(r"[A-Za-z0-9_-]{1,64}")
LETTERS = "ABCDEFGHJKMNPQRSTVWXYZ23456789"
"""Of codes: none that looks like another."""


# --- Links --------------------------------------------------------------------------------------------


@transaction.atomic
def make_link(
    *,
    project: Project,
    by: User,
    name: str,
    quota: int,
    most_people: int,
    days: int,
    parameter: str = "",
    code: str = "",
    return_url: str = "",
    welcome: str = "",
    group: Group | None = None,
) -> tuple[CrowdLink, str]:
    """A link and the secret of its address, which is stored nowhere. Raises Invalid with the field at fault."""
    name, parameter, code, return_url = (given.strip() for given in (name, parameter, code, return_url))
    for field, value, most in (("quota", quota, MOST_QUOTA), ("most_people", most_people, MOST_PEOPLE)):
        if not 1 <= value <= most:
            raise Invalid(f"must be from 1 to {most}", field=field)
    if not 1 <= days <= MOST_DAYS:
        raise Invalid(f"must be from 1 to {MOST_DAYS} days", field="days")
    if not name:
        raise Invalid("give it a name, so that you know later what it was for", field="name")
    if parameter and not PARAMETER.fullmatch(parameter):
        raise Invalid("letters, digits and _ . - only", field="parameter")
    if code and not CODE.fullmatch(code):
        raise Invalid("letters, digits, _ and - only", field="code")
    check_return(return_url)
    if group is not None:
        people.check_group(project, Role.ANNOTATOR, group)
    secret = fresh("")
    link = CrowdLink.objects.create(
        project=project,
        name=name[:120],
        group=group,
        digest=digest(secret),
        welcome=welcome.strip()[:LONGEST_WELCOME],
        quota=quota,
        most_people=most_people,
        parameter=parameter,
        code=code,
        return_url=return_url,
        expires_at=timezone.now() + timedelta(days=days),
        created_by=by,
    )
    auditing.record(Act.CROWD_MADE, project=project, by=by, thing=link, quota=quota, people=most_people)
    return link, secret


def check_return(url: str) -> None:
    """Raises Invalid unless `url` leads to a page of the web over HTTPS, or is empty."""
    if not url:
        return
    try:
        parts = urlsplit(url.replace("{code}", "x"))
    except ValueError:
        raise Invalid("is no address", field="return_url") from None
    if parts.scheme != "https" or not parts.hostname or len(url) > 500 or re.search(r"\s", url):
        raise Invalid("must be an https address", field="return_url")


def links_of(project: Project) -> QuerySet[CrowdLink]:
    return project.crowd_links.select_related("created_by").order_by("-pk")


def find(project: Project, link_id: int) -> CrowdLink:
    found = links_of(project).filter(pk=link_id).first() if link_id < 2**63 else None
    if found is None:
        raise NotFound("no such crowd link")
    return found


@transaction.atomic
def close(link: CrowdLink) -> None:
    """Let nobody new begin. Who has begun may finish, and is owed a code."""
    if CrowdLink.objects.filter(pk=link.pk, closed_at__isnull=True).update(closed_at=timezone.now()):
        auditing.record(Act.CROWD_CLOSED, project=link.project, thing=link)


@transaction.atomic
def reopen(link: CrowdLink) -> None:
    if CrowdLink.objects.filter(pk=link.pk, closed_at__isnull=False).update(closed_at=None):
        auditing.record(Act.CROWD_OPENED, project=link.project, thing=link)


# --- Guests -------------------------------------------------------------------------------------------


def open_link(secret: str) -> CrowdLink:
    """The link behind an address, open or not. Raises NotFound."""
    live = CrowdLink.objects.select_related("project__protocol").filter(project__deleted_at__isnull=True)
    found = live.filter(digest=digest(secret)).first()
    if found is None:
        raise NotFound("this link is unknown; copy the whole of it, or ask whoever sent it")
    return found


def named(link: CrowdLink, platform_id: str) -> str:
    """The person's id as the platform gave it. Raises Invalid for one that is missing or none."""
    if not link.parameter:
        return ""
    if not PLATFORM_ID.fullmatch(platform_id):
        raise Invalid(f"open this page from the platform: its address lacks {link.parameter}", field=link.parameter)
    return platform_id


@transaction.atomic
def begin(link: CrowdLink, *, platform_id: str = "", guest: User | None = None) -> CrowdPerson:
    """The person who opened the link: the one they were before, or a new one.

    `guest` is who this browser's session already is. One of an earlier link of the project goes on as the same
    annotator, once that link's answers are given. Raises Conflict when nobody new may begin, TooMany when too many
    came from one network, Forbidden for who was excluded.
    """
    link = CrowdLink.objects.select_for_update(of=("self",)).select_related("project", "group").get(pk=link.pk)
    platform_id = named(link, platform_id)
    earlier = CrowdPerson.objects.filter(link__project=link.project).select_related("link__project", "user")
    earlier = earlier.filter(platform_id=platform_id) if platform_id else earlier.filter(user=guest)
    before = list(earlier.order_by("-pk"))
    if any(person.excluded_at for person in before):
        raise Forbidden("you were asked not to go on here")
    here = next((person for person in before if person.link_id == link.pk), None)
    unfinished = next((person for person in before if person.finished_at is None), None)
    if here or unfinished:
        return unfinished or here  # type: ignore[return-value]
    return newcomer(link, platform_id, before[0] if before else None)


def newcomer(link: CrowdLink, platform_id: str, before: CrowdPerson | None) -> CrowdPerson:
    address = auditing.calling_from()
    check_room(link, address)
    CrowdLink.objects.filter(pk=link.pk).update(person_count=F("person_count") + 1)
    user, base = (before.user, done_of(before)) if before else (make_guest(link.project), 0)
    person = CrowdPerson.objects.create(
        link=link,
        user=user,
        platform_id=platform_id or None,
        base=base,
        code=link.code or "".join(secrets.choice(LETTERS) for _ in range(10)),
        address=address,
    )
    if link.group:
        link.group.members.add(access.annotator_for(user, link.project))
    auditing.record(Act.CROWD_JOINED, project=link.project, by=user, thing=link)
    return person


def check_room(link: CrowdLink, address: str) -> None:
    """Raises Conflict or TooMany, unless somebody new may begin now."""
    if link.person_count >= link.most_people:
        raise Conflict("as many people as were wanted have begun; there is no more room")
    if not link.is_open:
        raise Conflict("this link is closed: nobody new may begin")
    lately = link.people.filter(address=address, created_at__gt=timezone.now() - timedelta(hours=1))
    if address and len(lately.values_list("pk")[: settings.CROWD_PER_HOUR]) >= settings.CROWD_PER_HOUR:
        raise TooMany("too many people began from your network within an hour; try again later")


def make_guest(project: Project) -> User:
    """A user without password, address or name, who is an annotator in one project."""
    name = secrets.token_hex(4)
    while User.objects.filter(username=f"guest-{name}").exists():
        name = secrets.token_hex(4)
    user = User(username=f"guest-{name}", display_name=f"Guest {name}", kind=User.Kind.GUEST)
    user.set_unusable_password()
    user.save(force_insert=True)
    Membership.objects.create(user=user, project=project, role=Role.ANNOTATOR)
    return user


def done_of(person: CrowdPerson) -> int:
    """How many answers of theirs stand in the project."""
    return answers_of(person.link.project_id, [person.user_id]).get(person.user_id, 0)


def answers_of(project_id: int, users: Collection[int]) -> dict[int, int]:
    """By user, how many answers stand. One that was asked again counts as any other, for it is paid as any other; a
    guest whose count stood still would know which one it was."""
    mine = {"annotator__project": project_id, "annotator__user__in": users}
    done = dict(Progress.objects.filter(**mine).values_list("annotator__user", "done"))
    again = Repeat.objects.filter(**mine, state=Repeat.State.ANSWERED).values("annotator__user")
    for user, n in again.annotate(n=Count("pk")).values_list("annotator__user", "n"):
        done[user] = done.get(user, 0) + n
    return done


# --- Their work ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Seat:
    """How far a guest is with the link that they work on."""

    person: CrowdPerson
    link: CrowdLink
    done: int

    @property
    def left(self) -> int:
        return max(0, self.link.quota - self.done)

    @property
    def finished(self) -> bool:
        return self.person.finished_at is not None

    @property
    def return_url(self) -> str:
        return self.link.return_url.replace("{code}", quote(self.person.code, safe=""))


def seat_of(user: User | AnonymousUser) -> Seat | None:
    """The seat of a guest: at the link that they opened last. None for anybody else, and who was excluded."""
    if not isinstance(user, User) or user.kind != User.Kind.GUEST:
        return None
    people = CrowdPerson.objects.filter(user=user, excluded_at__isnull=True, link__project__deleted_at__isnull=True)
    person = people.select_related("link__project", "user").order_by("-pk").first()
    return Seat(person, person.link, max(0, done_of(person) - person.base)) if person else None


def may_work(user: User) -> bool:
    """Whether a guest has something left to do."""
    seat = seat_of(user)
    return seat is not None and not seat.finished


def wants_more(user: User | AnonymousUser, in_hand: Collection[int]) -> bool:
    """Whether another task may be given: to guests only while what they hold does not fill their quota."""
    seat = seat_of(user)
    return seat is None or seat.done + len(in_hand) < seat.link.quota


def measured(user: User | AnonymousUser, now: ProgressNow) -> ProgressNow:
    """Progress as it is told: a guest's goes up to the quota, whatever else is in the project."""
    if not isinstance(user, User) or user.kind != User.Kind.GUEST:
        return now
    seat = seat_of(user)
    return replace(now, done=seat.done, left=min(now.left, seat.left)) if seat else now


def finish(user: User | AnonymousUser) -> Seat:
    """The end of a guest's work, from where there is no way back; the code is shown from now on.

    Raises Conflict while answers are missing.
    """
    seat = seat_of(user)
    if seat is None:
        raise NotFound("there is no work of yours here")
    if seat.left and not seat.finished:
        raise Conflict(f"{seat.left} of {seat.link.quota} answers are still missing")
    complete(seat.person)
    return seat


@transaction.atomic
def complete(person: CrowdPerson) -> None:
    now = timezone.now()
    if CrowdPerson.objects.filter(pk=person.pk, finished_at__isnull=True).update(finished_at=now):
        person.finished_at = now
        auditing.record(Act.CROWD_FINISHED, project=person.link.project, thing=person, link=person.link.name)


# --- What a manager does ------------------------------------------------------------------------------


def person_of(link: CrowdLink, person_id: int) -> CrowdPerson:
    mine = link.people.select_related("user", "link__project")
    found = mine.filter(pk=person_id).first() if person_id < 2**63 else None
    if found is None:
        raise NotFound("no such person")
    return found


@transaction.atomic
def exclude(person: CrowdPerson) -> None:
    """End somebody's work at once, and their way in. What they answered stays."""
    if CrowdPerson.objects.filter(pk=person.pk, excluded_at__isnull=True).update(excluded_at=timezone.now()):
        Membership.objects.filter(user=person.user, project=person.link.project).delete()
        User.objects.filter(pk=person.user_id).update(is_active=False)
        auditing.record(Act.CROWD_EXCLUDED, project=person.link.project, thing=person)


def with_progress(people: list[CrowdPerson]) -> list[tuple[CrowdPerson, int]]:
    """People of one link with their answers for it, in two queries."""
    if not people:
        return []
    done = answers_of(people[0].link.project_id, [one.user_id for one in people])
    return [(one, min(one.link.quota, max(0, done.get(one.user_id, 0) - one.base))) for one in people]
