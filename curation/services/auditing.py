"""The audit log: verbs record what they did; who asked, through which door and from where, the door has said before.

A door (page, API) puts a `Caller` around its request. Verbs know nothing of requests: `record` reads it. Where there
is none, a command, a worker or a schedule is at work.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Model, QuerySet

from curation.models import Act, ApiToken, AuditEvent, Project, User, Via

HIDDEN_BITS = {4: 8, 6: 80}
"""So many bits at the end of an address are left out: what is kept names a network, not a device."""
CHUNK = 500

KINDS = {
    "session": "Signing in and out",
    "user": "Users",
    "two-factor": "Two-factor",
    "member": "Members and roles",
    "invite": "Invites",
    "token": "Tokens",
    "service": "Service accounts",
    "crowd": "Crowd links",
    "project": "Project settings",
    "protocol": "Protocol",
    "webhook": "Webhooks",
    "schedule": "Schedules",
    "import": "Imports",
    "run": "Runs",
    "plan": "Plans",
    "proposals": "Proposals accepted and refused",
    "items": "Items removed and brought back",
    "version": "Downloads",
    "rows": "Raw rows streamed",
    "admin": "The admin",
}
"""Objects of acts, as a filter names them."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is at the door. Both are asked for when something is recorded: a token is read after the door opened."""

    address: str
    user: Callable[[], User | None]
    token: Callable[[], ApiToken | None]


_caller: ContextVar[Caller | None] = ContextVar("caller", default=None)


@contextmanager
def at_the_door(caller: Caller) -> Iterator[None]:
    """What is recorded within was asked for by `caller`."""
    before = _caller.set(caller)
    try:
        yield
    finally:
        _caller.reset(before)


def network_of(address: str) -> str:
    """The network of an address, as it is kept: `192.0.2.0/24`, `2001:db8::/48`; "" for what is no address."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    return str(ipaddress.ip_network(f"{ip}/{ip.max_prefixlen - HIDDEN_BITS[ip.version]}", strict=False))


def calling_from() -> str:
    """The network of who is at the door; "" for commands and workers."""
    caller = _caller.get()
    return network_of(caller.address) if caller else ""


def record(
    act: Act, *, project: Project | None = None, by: User | None = None, thing: Model | None = None, **details: Any
) -> None:
    """Add one event, in the transaction of what it tells. `by` where the door does not know who (at sign-in).

    `details` are kept as JSON: names, numbers and short words, never secrets. The name of `thing` is kept as it is.
    """
    caller = _caller.get()
    who = by or (caller.user() if caller else None)
    token = caller.token() if caller else None
    AuditEvent.objects.create(
        act=act,
        who_id=who.pk if who else None,
        who_name=who.username if who else "",
        via=Via.SYSTEM if caller is None else Via.API if token else Via.WEB,
        token=token.hint if token else "",
        address=network_of(caller.address) if caller else "",
        project_id=project.pk if project else None,
        thing=str(thing.pk) if thing is not None else "",
        thing_name=str(thing)[:200] if thing is not None else "",
        details={name: value for name, value in details.items() if value not in (None, "", [], {})},
    )


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events: of a kind (`member`) or an act (`member.role`), by somebody, on something, in a time."""

    act: str = ""
    who: str = ""
    since: datetime | None = None
    until: datetime | None = None


def events(project: Project | None, wanted: Wanted) -> QuerySet[AuditEvent]:
    """The events of a project, or all; newest first, to be cut by id."""
    found = AuditEvent.objects.order_by("-pk")
    if project is not None:
        found = found.filter(project_id=project.pk)
    if wanted.act:
        kinds = [act for act in Act.values if act == wanted.act or act.startswith(f"{wanted.act}.")]
        found = found.filter(act__in=kinds)
    if wanted.who:
        found = found.filter(who__in=User.objects.filter(username=wanted.who).values("pk"))
    if wanted.since:
        found = found.filter(at__gte=wanted.since)
    if wanted.until:
        found = found.filter(at__lt=wanted.until)
    return found


def oldest_first(found: QuerySet[AuditEvent]) -> Iterator[AuditEvent]:
    """All of them in the order of time, some hundred at once, none twice."""
    last = 0
    while some := list(found.filter(pk__gt=last).order_by("pk")[:CHUNK]):
        yield from some
        last = some[-1].pk


def shown(event: AuditEvent, slugs: dict[int, str]) -> dict[str, Any]:
    """An event as API and files tell it; `slugs` names the projects."""
    return {
        "id": event.pk,
        "at": event.at,
        "act": event.act,
        "who": event.who_name or None,
        "via": event.via,
        "token": event.token or None,
        "address": event.address or None,
        "project": slugs.get(event.project_id or 0),
        "object": {"id": event.thing, "name": event.thing_name} if event.thing else None,
        "details": event.details,
    }


def slugs_of(found: list[AuditEvent]) -> dict[int, str]:
    """The addresses of the projects of some events, by id."""
    ids = {event.project_id for event in found if event.project_id}
    return dict(Project.objects.filter(pk__in=ids).values_list("pk", "slug"))
