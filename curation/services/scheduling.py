"""Runs that start by the clock: a cron line in UTC, a method with its parameters, and who asked for it.

The scheduler asks twice a minute what is due. An UPDATE that names the time it found claims it, so two schedulers
start one run; the run is made in the same transaction, so a time is neither lost nor started twice. Times that were
missed while nothing ran are made up for by one run, not by many.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from celery.schedules import ParseException, crontab
from django.db import transaction
from django.utils import timezone

from curation import access
from curation.errors import Conflict, DomainError, Forbidden, Invalid
from curation.models import Act, Project, Run, Schedule, User
from curation.services import auditing, starting

log = logging.getLogger("touchstone.schedules")

PARTS = ("minute", "hour", "day", "month", "weekday")
"""The fields of a cron line. A day and a weekday must both fit."""
MOST = 100
"""Schedules of one project; and how many due ones are started at a time."""
LOOKED_AHEAD = timedelta(days=9 * 366)
"""A line that fits no day in so long (29 February on a Monday takes up to 40 years) is refused."""


def add(*, project: Project, method: str, params: dict[str, Any], cron: str, user: User | None) -> Schedule:
    """A schedule of a method that `user` may start. Raises Invalid naming what is wrong, Forbidden, Conflict."""
    if Schedule.objects.filter(project=project).count() >= MOST:
        raise Conflict(f"a project has at most {MOST} schedules")
    schedule = Schedule(project=project, method=method, params=params, cron=cron, created_by=user)
    check(schedule, user)
    schedule.next_at = following(schedule.cron, timezone.now())
    schedule.save()
    note(schedule, user, "made")
    return schedule


def note(schedule: Schedule, user: User | None, what: str) -> None:
    told = {"method": schedule.method, "cron": schedule.cron}
    auditing.record(Act.SCHEDULE_CHANGED, project=schedule.project, by=user, thing=schedule, what=what, **told)


def change(
    schedule: Schedule,
    *,
    user: User | None,
    method: str | None = None,
    params: dict[str, Any] | None = None,
    cron: str | None = None,
    enabled: bool | None = None,
) -> Schedule:
    """Change what is given. Whoever changes it answers for its runs from now on."""
    given = {"method": method, "params": params, "cron": cron, "enabled": enabled}
    for name, value in given.items():
        if value is not None:
            setattr(schedule, name, value)
    check(schedule, user)
    schedule.created_by = user
    schedule.problem = ""
    schedule.next_at = following(schedule.cron, timezone.now()) if schedule.enabled else None
    schedule.save()
    note(schedule, user, "changed" if schedule.enabled else "paused")
    return schedule


def remove(schedule: Schedule) -> None:
    """Its runs stay."""
    note(schedule, None, "removed")
    schedule.delete()


def check(schedule: Schedule, user: User | None) -> None:
    """Put its words in order. Raises Invalid for a method, parameters or a line that cannot be, Forbidden."""
    method = starting.startable(schedule.method)
    if user is not None:
        access.allow(user, schedule.project, method.capability)
    params = starting.validated(method, schedule.params)
    starting.model_for(method, params, schedule.project)
    schedule.params = params.model_dump(mode="json")
    schedule.cron = " ".join(schedule.cron.split())
    if len(schedule.cron) > 100:
        raise Invalid("at most 100 characters", field="cron")
    following(schedule.cron, timezone.now())


# --- Times ------------------------------------------------------------------------------------------


def parsed(line: str) -> crontab:
    """A cron line of five fields. Raises Invalid that says which of them is wrong."""
    given = line.split()
    if len(given) != len(PARTS):
        raise Invalid(f"five fields are wanted ({' '.join(PARTS)}), not {len(given)}", field="cron")
    names = dict(zip(PARTS, ("minute", "hour", "day_of_month", "month_of_year", "day_of_week"), strict=True))
    for part, value in zip(PARTS, given, strict=True):
        try:
            if not getattr(crontab(**{names[part]: value}), names[part]):
                raise ValueError("it names no time")
        except (ParseException, ValueError, IndexError, TypeError) as error:
            raise Invalid(f"{part} {value!r}: {str(error)[:1].lower() + str(error)[1:]}", field="cron") from None
    try:
        return crontab(**{names[part]: value for part, value in zip(PARTS, given, strict=True)})
    except ValueError:
        raise Invalid(f"there is no day {given[2]} in month {given[3]}", field="cron") from None


def following(line: str, after: datetime) -> datetime:
    """The first time after `after` that fits the line, in UTC. Raises Invalid when there is none in nine years."""
    cron = parsed(line)
    first = after.astimezone(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
    day = first.replace(hour=0, minute=0)
    while day < first + LOOKED_AHEAD:
        if fits(cron, day):
            for hour in sorted(cron.hour):
                for minute in sorted(cron.minute):
                    if (moment := day.replace(hour=hour, minute=minute)) >= first:
                        return moment
        day += timedelta(days=1)
    raise Invalid("no such day comes in the next nine years", field="cron")


def fits(cron: crontab, day: datetime) -> bool:
    """Whether a day is one of the line; a week begins with Sunday as 0."""
    weekday = day.isoweekday() % 7
    return day.month in cron.month_of_year and day.day in cron.day_of_month and weekday in cron.day_of_week


# --- Starting ---------------------------------------------------------------------------------------


def start_due() -> int:
    """Start what is due, each once however many ask; how many runs were started."""
    due = Schedule.objects.filter(enabled=True, next_at__lte=timezone.now(), project__deleted_at=None)
    return sum(start(schedule) for schedule in due.select_related("project", "created_by").order_by("next_at")[:MOST])


def start(schedule: Schedule) -> bool:
    """Claim the time that a schedule is due and start its run, or say in the schedule why not."""
    now = timezone.now()
    with transaction.atomic():
        mine = Schedule.objects.filter(pk=schedule.pk, enabled=True, next_at=schedule.next_at)
        if not mine.update(next_at=following(schedule.cron, now), last_at=now):
            return False
        problem = begin(schedule)
        Schedule.objects.filter(pk=schedule.pk).update(problem=problem)
    return not problem


def begin(schedule: Schedule) -> str:
    """Start the run; why it could not be, or nothing. One of the places that catch everything."""
    if (before := Run.objects.filter(schedule=schedule, state__in=Run.LIVE).first()) is not None:
        return f"skipped: the run before, {str(before.pk)[:8]}, was still at work"
    try:
        with transaction.atomic():
            run = starting.start(
                project=schedule.project, method=schedule.method, params=schedule.params, user=answerable(schedule)
            )
            Run.objects.filter(pk=run.pk).update(schedule=schedule)
    except DomainError as error:
        return error.detail
    except Exception as error:
        log.exception("%s could not be started", schedule)
        return f"{type(error).__name__}: {error}"
    return ""


def answerable(schedule: Schedule) -> User | None:
    """Who asked for it. Raises Forbidden or NotFound when they may no longer start its method."""
    user = schedule.created_by
    if user is None:
        return None
    if not user.is_active:
        raise Forbidden(f"{user} made it, whose account is closed")
    access.allow(user, schedule.project, starting.startable(schedule.method).capability)
    return user
