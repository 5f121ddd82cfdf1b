"""Runs are claimed once, fenced by their lease, resumed, cancelled and tried again."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from curation.errors import Conflict, Invalid
from curation.models import Run
from curation.services import methods, running
from curation.services.method import Method
from tests.cast import Cast


@pytest.fixture
def method(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A method `echo` whose steps the test gives: each is called with (run, report)."""
    steps: list[Any] = []

    def echo(run: Run, report: running.Report) -> dict[str, Any]:
        for step in steps:
            step(run, report)
        return {"steps": len(steps)}

    monkeypatch.setitem(methods.METHODS, "echo", Method(name="echo", title="Echo", execute=echo))
    return steps


def queued(cast: Cast) -> Run:
    return running.start(project=cast.project, method="echo", params={}, user=cast.olga)


def test_a_run_ends_with_its_result(cast: Cast, method: list[Any]) -> None:
    method.append(lambda run, report: report.checkpoint(done=3, total=4, at={"line": 3}))
    run = queued(cast)
    running.execute(str(run.pk))
    run.refresh_from_db()
    assert (run.state, run.result, run.done, run.checkpoint) == ("succeeded", {"steps": 1}, 3, {"line": 3})


def test_a_second_delivery_changes_nothing(cast: Cast, method: list[Any]) -> None:
    run = queued(cast)
    running.execute(str(run.pk))
    running.execute(str(run.pk))
    run.refresh_from_db()
    assert run.attempts == 1


def test_a_run_in_other_hands_cannot_checkpoint(cast: Cast, method: list[Any]) -> None:
    def robbed(run: Run, report: running.Report) -> None:
        Run.objects.filter(pk=run.pk).update(holder="somebody else")
        report.checkpoint(done=99)

    method.append(robbed)
    run = queued(cast)
    running.execute(str(run.pk))
    run.refresh_from_db()
    assert (run.state, run.done, run.holder) == ("running", 0, "somebody else")


def test_an_abandoned_run_is_claimed_after_its_lease(cast: Cast, method: list[Any]) -> None:
    run = queued(cast)
    assert running.claim(str(run.pk)) is not None
    assert running.claim(str(run.pk)) is None
    Run.objects.filter(pk=run.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert running.resume_lost() == 1
    running.execute(str(run.pk))
    run.refresh_from_db()
    assert (run.state, run.attempts) == ("succeeded", 2)


def test_a_run_whose_workers_keep_dying_is_given_up(cast: Cast, method: list[Any]) -> None:
    run = queued(cast)
    Run.objects.filter(pk=run.pk).update(attempts=running.MAX_ATTEMPTS)
    running.execute(str(run.pk))
    run.refresh_from_db()
    assert run.state == "failed" and "given up" in run.error


def test_a_mistake_of_the_person_is_told_without_a_traceback(cast: Cast, method: list[Any]) -> None:
    def refuse(run: Run, report: running.Report) -> None:
        raise Invalid("the file is empty")

    method.append(refuse)
    run = queued(cast)
    running.execute(str(run.pk))
    run.refresh_from_db()
    assert (run.state, run.error) == ("failed", "the file is empty")
    assert not run.lines.filter(text__contains="Traceback").exists()


def test_a_fault_leaves_its_traceback_in_the_log_and_can_be_tried_again(cast: Cast, method: list[Any]) -> None:
    method.append(lambda run, report: 1 / 0)
    run = queued(cast)
    running.execute(str(run.pk))
    run.refresh_from_db()
    assert run.state == "failed" and run.lines.filter(text__contains="ZeroDivisionError")
    method.clear()
    running.retry(run)
    running.execute(str(run.pk))
    run.refresh_from_db()
    assert run.state == "succeeded"


def test_a_running_run_stops_at_its_next_checkpoint(cast: Cast, method: list[Any]) -> None:
    method.append(lambda run, report: running.cancel(run))
    method.append(lambda run, report: report.checkpoint(done=1))
    run = queued(cast)
    running.execute(str(run.pk))
    run.refresh_from_db()
    assert (run.state, run.done) == ("cancelled", 0)
    with pytest.raises(Conflict):
        running.cancel(run)


def test_a_queued_run_is_cancelled_at_once(cast: Cast, method: list[Any]) -> None:
    run = running.cancel(queued(cast))
    running.execute(str(run.pk))
    run.refresh_from_db()
    assert (run.state, run.attempts) == ("cancelled", 0)
