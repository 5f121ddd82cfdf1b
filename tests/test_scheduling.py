"""Runs by the clock: cron lines, one run for each due time, and what is said when there is none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from curation import jobs
from curation.errors import Forbidden, Invalid
from curation.models import Membership, Run, Schedule
from curation.services import methods, running, scheduling
from curation.services.method import Method
from tests.cast import Cast

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
"""A Wednesday."""


@pytest.fixture(autouse=True)
def echo(monkeypatch: pytest.MonkeyPatch) -> None:
    """A method that does nothing, to be scheduled."""
    done = Method(name="echo", title="Echo", execute=lambda run, report: {"ok": 1})
    monkeypatch.setitem(methods.METHODS, "echo", done)


def scheduled(cast: Cast, cron: str = "0 3 * * *", **fields: Any) -> Schedule:
    """A schedule whose time has come, unless a test says otherwise."""
    schedule = scheduling.add(project=cast.project, method="echo", params={}, cron=cron, user=cast.olga)
    fields.setdefault("next_at", timezone.now() - timedelta(minutes=1))
    Schedule.objects.filter(pk=schedule.pk).update(**fields)
    schedule.refresh_from_db()
    return schedule


@pytest.mark.parametrize(
    ("line", "then"),
    [
        ("* * * * *", NOON + timedelta(minutes=1)),
        ("*/15 * * * *", NOON + timedelta(minutes=15)),
        ("0 12 * * *", NOON + timedelta(days=1)),
        ("30 2 1 * *", datetime(2026, 4, 1, 2, 30, tzinfo=UTC)),
        ("0 3 * * mon-fri", datetime(2026, 3, 5, 3, 0, tzinfo=UTC)),
        ("0 3 * * 0", datetime(2026, 3, 8, 3, 0, tzinfo=UTC)),
        ("0 0 29 2 *", datetime(2028, 2, 29, tzinfo=UTC)),
        ("5,10 12-13 4 3 *", NOON + timedelta(minutes=5)),
    ],
)
def test_the_next_time_of_a_line_is_found(line: str, then: datetime) -> None:
    assert scheduling.following(line, NOON + timedelta(seconds=20)) == then


def test_a_line_speaks_of_utc_wherever_one_is() -> None:
    tokyo = NOON.astimezone(timezone.get_fixed_timezone(9 * 60))
    assert scheduling.following("0 13 * * *", tokyo) == NOON + timedelta(hours=1)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("0 3 * *", "five fields are wanted (minute hour day month weekday), not 4"),
        ("61 * * * *", "minute '61'"),
        ("0 24 * * *", "hour '24'"),
        ("0 0 0 * *", "day '0'"),
        ("0 0 * 13 *", "month '13'"),
        ("0 0 * * someday", "weekday 'someday'"),
        ("*/0 * * * *", "minute '*/0'"),
        ("1,,2 * * * *", "minute '1,,2'"),
        ("-5 * * * *", "minute '-5'"),
        ("0 0 30 2 *", "there is no day 30 in month 2"),
    ],
)
def test_a_wrong_line_is_refused_by_its_field(cast: Cast, line: str, words: str) -> None:
    with pytest.raises(Invalid) as told:
        scheduled(cast, line)
    assert words in told.value.detail and told.value.field == "cron"


@pytest.mark.parametrize(
    ("given", "field"),
    [({"method": "nonsense"}, "method"), ({"method": "import"}, "method"), ({"params": {"size": 3}}, "params.size")],
)
def test_what_could_not_start_is_refused_at_once(cast: Cast, given: dict[str, Any], field: str) -> None:
    whole = {"method": "echo", "params": {}, "cron": "0 3 * * *", **given}
    with pytest.raises(Invalid) as told:
        scheduling.add(project=cast.project, user=cast.olga, **whole)
    assert told.value.field == field


def test_what_one_may_not_start_one_may_not_schedule(cast: Cast) -> None:
    with pytest.raises(Forbidden):
        scheduling.add(project=cast.project, method="echo", params={}, cron="0 3 * * *", user=cast.ann)


def test_a_due_schedule_starts_one_run_and_waits_for_its_next_time(cast: Cast) -> None:
    schedule = scheduled(cast)
    jobs.start_due_schedules()
    run = Run.objects.get()
    assert (run.method, run.schedule, run.created_by, run.state) == ("echo", schedule, cast.olga, "queued")
    schedule.refresh_from_db()
    assert schedule.next_at and schedule.next_at > timezone.now() and schedule.last_at and not schedule.problem
    assert scheduling.start_due() == 0 and Run.objects.count() == 1


def test_two_schedulers_start_one_run(cast: Cast) -> None:
    schedule = scheduled(cast)
    the_same = Schedule.objects.select_related("project", "created_by").get(pk=schedule.pk)
    assert scheduling.start(schedule) and not scheduling.start(the_same)
    assert Run.objects.count() == 1


def test_times_that_were_missed_are_made_up_for_by_one_run(cast: Cast) -> None:
    schedule = scheduled(cast, "* * * * *", next_at=timezone.now() - timedelta(days=3))
    assert scheduling.start_due() == 1
    running.execute(str(Run.objects.get().pk))
    assert scheduling.start_due() == 0
    schedule.refresh_from_db()
    assert schedule.next_at and schedule.next_at > timezone.now()


def test_a_run_still_at_work_is_not_started_again(cast: Cast) -> None:
    schedule = scheduled(cast)
    assert scheduling.start_due() == 1
    due = timezone.now() - timedelta(minutes=1)
    Schedule.objects.update(next_at=due)
    assert scheduling.start_due() == 0
    schedule.refresh_from_db()
    assert "skipped: the run before" in schedule.problem and schedule.next_at and schedule.next_at > timezone.now()
    running.execute(str(Run.objects.get().pk))
    Schedule.objects.update(next_at=due)
    assert scheduling.start_due() == 1
    schedule.refresh_from_db()
    assert schedule.problem == ""


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (lambda cast: Membership.objects.filter(user=cast.olga).delete(), "no such project"),
        (lambda cast: Membership.objects.filter(user=cast.olga).update(role="viewer"), "your role does not let you"),
        (lambda cast: type(cast.olga).objects.filter(pk=cast.olga.pk).update(is_active=False), "account is closed"),
        (lambda cast: methods.METHODS.pop("echo"), "no method 'echo'"),
    ],
)
def test_why_a_run_could_not_start_is_kept(cast: Cast, left: Any, words: str) -> None:
    schedule = scheduled(cast)
    left(cast)
    assert scheduling.start_due() == 0 and not Run.objects.exists()
    schedule.refresh_from_db()
    assert words in schedule.problem and schedule.next_at and schedule.next_at > timezone.now()


def test_one_that_fails_does_not_hold_up_the_others(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(project: Any, params: Any, user: Any) -> Run:
        raise RuntimeError("out of order")

    wrong = Method(name="wrong", title="Wrong", execute=lambda run, report: {}, begin=broken)
    monkeypatch.setitem(methods.METHODS, "wrong", wrong)
    first = scheduled(cast, method="wrong", next_at=timezone.now() - timedelta(hours=1))
    scheduled(cast)
    assert scheduling.start_due() == 1
    first.refresh_from_db()
    assert first.problem == "RuntimeError: out of order"


def test_a_paused_schedule_and_a_removed_project_start_nothing(cast: Cast) -> None:
    schedule = scheduled(cast)
    scheduling.change(schedule, user=cast.olga, enabled=False)
    assert schedule.next_at is None and scheduling.start_due() == 0
    scheduling.change(schedule, user=cast.mia, enabled=True)
    assert schedule.next_at and schedule.next_at > timezone.now() and schedule.created_by == cast.mia
    scheduled(cast)
    cast.project.deleted_at = timezone.now()
    cast.project.save()
    assert scheduling.start_due() == 0


def test_the_runs_of_a_removed_schedule_stay(cast: Cast) -> None:
    schedule = scheduled(cast)
    scheduling.start_due()
    scheduling.remove(schedule)
    assert Run.objects.get().schedule is None and not Schedule.objects.exists()
