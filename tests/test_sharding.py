"""Shards are laid once, taken once, finished once; what fails is tried again, set aside or cut; runs end right."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.db.models import F
from django.utils import timezone

from curation import queue
from curation.models import Run, RunLine, Shard, Worker
from curation.services import beating, laying, methods, running, sharding
from curation.services.beating import Beat, TimedOut
from curation.services.sharding import ShardReport
from tests import sharded
from tests.cast import Cast
from tests.sharded import Deed, begin, counters_are_right, numbers_method, through, written


@pytest.fixture
def deeds(monkeypatch: pytest.MonkeyPatch, settings: Any) -> dict[int, Deed]:
    """What happens in the shard that begins at a number; shards that failed need not wait."""
    settings.SHARD_PAUSE_SECONDS = 0
    found: dict[int, Deed] = {}
    monkeypatch.setitem(methods.METHODS, "numbers", numbers_method(found))
    return found


def states(run: Run) -> list[str]:
    return list(Shard.objects.filter(run=run).order_by("number").values_list("state", flat=True))


def test_a_run_is_planned_worked_and_closed(cast: Cast, deeds: dict[int, Deed]) -> None:
    run = through(begin(cast.project))
    assert (run.state, run.phase, run.result) == ("succeeded", "close", {"written": 40})
    assert written(run) == list(range(40)) and counters_are_right(run)
    assert (run.done, run.total, run.shards_done, run.tokens) == (40, 40, 4, 80)


def test_a_run_without_rows_succeeds(cast: Cast, deeds: dict[int, Deed]) -> None:
    run = through(begin(cast.project, count=0))
    assert (run.state, run.shards_total) == ("succeeded", 0)


def test_a_poison_shard_is_set_aside_with_its_traceback_while_the_rest_finishes(
    cast: Cast, deeds: dict[int, Deed]
) -> None:
    deeds[10] = sharded.break_down
    run = through(begin(cast.project))
    assert run.state == "failed" and "1 of 4 shards" in run.error and run.result == {"written": 30}
    aside = Shard.objects.get(run=run, state="failed")
    assert (aside.spec["from"], aside.attempts) == (10, sharding.MAX_FAILURES)
    assert "ZeroDivisionError: a poisoned number" in aside.error and "in break_down" in aside.error
    assert written(run) == [n for n in range(40) if not 10 <= n < 20] and counters_are_right(run)
    deeds.clear()
    running.retry(run)
    assert through(run).state == "succeeded"
    assert written(run) == list(range(40)) and counters_are_right(run) and run.result == {"written": 40}


def test_a_mistake_of_the_person_is_not_tried_again(cast: Cast, deeds: dict[int, Deed]) -> None:
    deeds[0] = sharded.refuse
    run = through(begin(cast.project))
    aside = Shard.objects.get(run=run, state="failed")
    assert (aside.attempts, aside.error) == (1, "these numbers are not wanted")


def test_a_shard_that_fails_waits_twice_as_long_each_time(cast: Cast, deeds: dict[int, Deed], settings: Any) -> None:
    settings.SHARD_PAUSE_SECONDS = 100
    deeds[0] = sharded.fail_twice
    run = begin(cast.project, count=10)
    waits = []
    running.execute(str(run.pk))
    for _ in range(2):
        sharding.work("cpu")
        shard = Shard.objects.get(run=run)
        assert (shard.state, "ConnectionError: not now" in shard.error) == ("queued", True)
        waits.append((shard.not_before - timezone.now()).total_seconds())
        assert sharding.take("cpu") is None
        Shard.objects.update(not_before=timezone.now())
    assert 75 < waits[0] < 125 and 155 < waits[1] < 245
    assert through(run).state == "succeeded" and written(run) == list(range(10))


def test_what_does_not_fit_into_memory_is_cut_until_it_fits(cast: Cast, deeds: dict[int, Deed]) -> None:
    def too_large(shard: Shard, report: ShardReport) -> None:
        if shard.size > 3:
            sharded.fill_memory(shard, report)

    deeds.update(dict.fromkeys(range(40), too_large))
    run = through(begin(cast.project, count=20))
    assert run.state == "succeeded" and written(run) == list(range(20)) and counters_are_right(run)
    assert Shard.objects.filter(run=run, state="split").count() == 6


def test_what_cannot_be_cut_smaller_is_set_aside(cast: Cast, deeds: dict[int, Deed]) -> None:
    deeds[0] = sharded.fill_memory
    run = through(begin(cast.project, count=3, per_shard=1))
    assert Shard.objects.get(run=run, state="failed").error.startswith("out of memory")
    assert written(run) == [1, 2] and counters_are_right(run)


def test_a_shard_cut_while_others_are_laid_takes_no_number_of_theirs(
    cast: Cast, deeds: dict[int, Deed], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(laying, "LAID_AT_ONCE", 1)
    deeds[0] = sharded.fill_memory
    run = begin(cast.project)
    claimed = running.claim(str(run.pk))
    assert claimed is not None
    original = queue.wake_shards

    def meanwhile(served: str, **more: Any) -> None:
        original(served, **more)
        if shard := sharding.take("cpu"):
            sharding.perform(shard)
            deeds.clear()

    monkeypatch.setattr(queue, "wake_shards", meanwhile)
    running.perform(claimed, running.Report(claimed, claimed.holder))
    monkeypatch.setattr(queue, "wake_shards", original)
    assert through(run).state == "succeeded" and written(run) == list(range(40)) and counters_are_right(run)


def test_a_run_whose_first_shards_all_fail_is_given_up(cast: Cast, deeds: dict[int, Deed]) -> None:
    deeds.update(dict.fromkeys(range(100), sharded.refuse))
    run = through(begin(cast.project, count=100, per_shard=1))
    assert run.state == "failed" and "the rest was not tried" in run.error and "not wanted" in run.error
    assert states(run).count("failed") == sharding.HOPELESS and states(run).count("cancelled") == 80
    deeds.clear()
    running.retry(run)
    assert through(run).state == "succeeded" and written(run) == list(range(100)) and counters_are_right(run)


# --- Cancelling -------------------------------------------------------------------------------------


def test_a_run_cancelled_in_mid_shard_keeps_whole_shards_only_and_completes_when_tried_again(
    cast: Cast, deeds: dict[int, Deed]
) -> None:
    deeds[20] = sharded.cancel
    run = through(begin(cast.project))
    assert run.state == "cancelled" and states(run) == ["done", "done", "cancelled", "cancelled"]
    assert written(run) == list(range(20)) and counters_are_right(run)
    deeds.clear()
    running.retry(run)
    assert through(run).state == "succeeded"
    assert written(run) == list(range(40)) and counters_are_right(run)


def test_a_run_cancelled_while_a_shard_commits_does_not_get_its_rows(cast: Cast, deeds: dict[int, Deed]) -> None:
    deeds[0] = lambda shard, report: running.cancel(shard.run) and None
    run = through(begin(cast.project))
    assert (run.state, written(run), run.done) == ("cancelled", [], 0) and counters_are_right(run)


def test_a_run_cancelled_between_two_shards_ends_without_a_worker(cast: Cast, deeds: dict[int, Deed]) -> None:
    run = begin(cast.project)
    running.execute(str(run.pk))
    assert running.cancel(run).state == "cancelled"
    assert set(states(run)) == {"cancelled"} and run.ended_at


def test_a_run_cancelled_while_planned_goes_on_with_its_plan(
    cast: Cast, deeds: dict[int, Deed], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(laying, "LAID_AT_ONCE", 2)
    run = begin(cast.project)
    original = queue.wake_shards
    monkeypatch.setattr(queue, "wake_shards", lambda served, **more: running.cancel(run))
    running.execute(str(run.pk))
    monkeypatch.setattr(queue, "wake_shards", original)
    run.refresh_from_db()
    assert (run.state, run.phase, states(run)) == ("cancelled", "plan", ["cancelled"] * 2)
    assert running.retry(run).state == "running"
    assert through(run).state == "succeeded" and written(run) == list(range(40)) and counters_are_right(run)


def test_a_shard_let_go_after_its_run_was_tried_again_is_not_forgotten(cast: Cast, deeds: dict[int, Deed]) -> None:
    """It heard of the cancelling, and told so only when the run had been started again."""
    run = begin(cast.project, count=10)
    running.execute(str(run.pk))
    shard = sharding.take("cpu")
    assert shard is not None
    sharding.give_back(shard, "cancelled")
    laying.advance(run)
    assert states(run) == ["queued"]
    assert through(run).state == "succeeded" and written(run) == list(range(10))


def test_a_dead_workers_run_is_cancelled_at_once(cast: Cast, deeds: dict[int, Deed]) -> None:
    run = begin(cast.project)
    assert running.claim(str(run.pk)) is not None
    Run.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert running.cancel(run).state == "cancelled"


# --- Leases -----------------------------------------------------------------------------------------


def test_two_deliveries_of_one_shard_end_with_one_set_of_rows(cast: Cast, deeds: dict[int, Deed]) -> None:
    run = begin(cast.project, count=10)
    running.execute(str(run.pk))
    first = sharding.take("cpu")
    assert first is not None
    Shard.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert sharding.sweep() == 1 and Shard.objects.get(run=run).state == "queued"
    second = sharding.take("cpu")
    assert second is not None and second.pk == first.pk
    sharding.perform(first)
    assert written(run) == [] and Shard.objects.get(run=run).holder == second.holder
    sharding.perform(second)
    sharding.perform(second)
    assert written(run) == list(range(10)) and counters_are_right(run)


def test_a_shard_whose_workers_keep_dying_is_set_aside(cast: Cast, deeds: dict[int, Deed]) -> None:
    run = begin(cast.project, count=20)
    running.execute(str(run.pk))
    for _ in range(sharding.MAX_ATTEMPTS):
        assert sharding.take("cpu") is not None
        Shard.objects.filter(state="running").update(lease_until=timezone.now() - timedelta(seconds=1))
        sharding.sweep()
    assert states(run) == ["failed", "queued"] and "workers died" in Shard.objects.get(run=run, number=0).error
    assert through(run).state == "failed" and counters_are_right(run)


def test_the_sweeper_cancels_the_lost_shard_of_a_cancelled_run_and_ends_it(cast: Cast, deeds: dict[int, Deed]) -> None:
    run = begin(cast.project)
    running.execute(str(run.pk))
    assert sharding.take("cpu") is not None
    assert running.cancel(run).state == "running"
    Shard.objects.filter(state="running").update(lease_until=timezone.now() - timedelta(seconds=1))
    sharding.sweep()
    run.refresh_from_db()
    assert run.state == "cancelled" and set(states(run)) == {"cancelled"}


def test_the_sweeper_closes_a_run_that_nobody_closed(
    cast: Cast, deeds: dict[int, Deed], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker died between the commit of the last shard and the look whether it was the last."""
    run = begin(cast.project)
    running.execute(str(run.pk))
    with monkeypatch.context() as patch:
        patch.setattr(laying, "advance", lambda run: None)
        sharding.work("cpu")
    run.refresh_from_db()
    assert (run.phase, run.shards_done) == ("work", 4)
    sharding.sweep()
    running.execute(str(run.pk))
    run.refresh_from_db()
    assert run.state == "succeeded"


def test_a_database_that_does_not_answer_marks_nothing(
    cast: Cast, deeds: dict[int, Deed], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begin(cast.project, count=20)
    running.execute(str(run.pk))

    def gone(*_args: Any, **_more: Any) -> None:
        raise OperationalError("server closed the connection unexpectedly")

    deeds[0] = gone
    shard = sharding.take("cpu")
    assert shard is not None
    with monkeypatch.context() as patch:
        patch.setattr(sharding, "give_back", gone)
        sharding.perform(shard)
    deeds.clear()
    assert states(run) == ["running", "queued"]
    Shard.objects.filter(state="running").update(lease_until=timezone.now() - timedelta(seconds=1))
    sharding.sweep()
    assert through(run).state == "succeeded" and written(run) == list(range(20)) and counters_are_right(run)


def test_a_run_whose_database_did_not_answer_is_not_failed(
    cast: Cast, deeds: dict[int, Deed], monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_args: Any) -> None:
        raise OperationalError("terminating connection due to administrator command")

    run = begin(cast.project)
    with monkeypatch.context() as patch:
        patch.setattr(laying, "lay", gone)
        running.execute(str(run.pk))
    run.refresh_from_db()
    assert (run.state, run.attempts) == ("running", 1)
    Run.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert through(run).state == "succeeded"


def test_a_failure_inside_the_transaction_of_the_rows_undoes_the_shards_end(
    cast: Cast, deeds: dict[int, Deed], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = RunLine.objects.bulk_create
    calls: list[int] = []

    def broken(rows: Any) -> Any:
        made = original(rows)
        calls.append(1)
        if len(calls) == 1:
            RunLine.objects.create(pk=made[0].pk or RunLine.objects.latest("id").pk, run=run, text="twice")
        return made

    run = begin(cast.project)
    monkeypatch.setattr(RunLine.objects, "bulk_create", broken)
    assert through(run).state == "succeeded"
    assert Shard.objects.get(run=run, number=0).attempts == 2
    assert written(run) == list(range(40)) and counters_are_right(run)


def test_a_shard_over_its_time_is_stopped(cast: Cast, deeds: dict[int, Deed]) -> None:
    shard = Shard(run=begin(cast.project))
    beat = Beat(shard, limit=0.01)
    time.sleep(0.02)
    with pytest.raises(TimedOut):
        ShardReport(shard, beat).progress(1)


def test_a_process_ends_itself_when_a_shard_hangs_and_only_if_it_may(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[int] = []
    monkeypatch.setattr(beating.os, "_exit", ended.append)
    for mortal in (False, True):
        beat = Beat(Shard(), limit=0.01, mortal=mortal)
        time.sleep(0.02)
        beat.end_if_hung()
    assert ended == [70]


# --- Waking -----------------------------------------------------------------------------------------


def test_only_idle_processes_are_called(cast: Cast, deeds: dict[int, Deed], monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    monkeypatch.setattr(queue, "send", lambda task, args, queue, **more: sent.append(task.rpartition(".")[2]))
    monkeypatch.setattr(transaction, "on_commit", lambda call: call())
    Worker.objects.create(name="one", queues="cpu,gpu", processes=3)
    run = begin(cast.project)
    running.execute(str(run.pk))
    sent.clear()
    assert sharding.take("cpu") is not None
    sharding.sweep()
    assert sent == ["work_shards"] * 2
    for _ in range(2):
        assert sharding.take("cpu") is not None
    sent.clear()
    sharding.sweep()
    assert sent == []


def test_a_call_that_waited_long_is_one_too_many() -> None:
    import socket

    here = socket.gethostname()
    assert not queue.crowded([here, time.time()]) and queue.crowded([here, time.time() - 5])
    assert not queue.crowded(["elsewhere", 0.0]) and not queue.crowded([])


# --- Side by side -----------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_shards_done_side_by_side_are_each_done_once_and_the_last_closes_the_run(
    deeds: dict[int, Deed],
) -> None:
    """Four workers, and every shard is delivered twice at once."""
    from tests.cast import make_project

    for round_ in range(5):
        run = begin(make_project(f"side-{round_}"), count=24, per_shard=2)
        running.execute(str(run.pk))
        start = threading.Barrier(4)

        def worker(start: threading.Barrier = start) -> None:
            start.wait()
            try:
                while shard := sharding.take("cpu"):
                    twice = [threading.Thread(target=deliver, args=(shard,)) for _ in range(2)]
                    for thread in twice:
                        thread.start()
                    for thread in twice:
                        thread.join()
            finally:
                connection.close()

        workers = [threading.Thread(target=worker) for _ in range(4)]
        for thread in workers:
            thread.start()
        for thread in workers:
            thread.join()
        run.refresh_from_db()
        assert run.phase == "close", (run.phase, states(run))
        running.execute(str(run.pk))
        assert written(run) == list(range(24)) and counters_are_right(run)
        assert run.state == "succeeded"


def deliver(shard: Shard) -> None:
    try:
        sharding.perform(Shard.objects.select_related("run__project").get(pk=shard.pk))
    finally:
        connection.close()


@pytest.mark.django_db(transaction=True)
def test_a_run_is_not_closed_over_shards_that_somebody_queues_at_that_moment(deeds: dict[int, Deed]) -> None:
    """`advance` saw no shard left; before it has the row, a retry has queued them all again."""
    from tests.cast import make_project

    run = begin(make_project("closing"))
    running.execute(str(run.pk))
    Shard.objects.filter(run=run).update(state="failed")
    Run.objects.filter(pk=run.pk).update(shards_failed=F("shards_total"))
    entered = threading.Event()

    def retry() -> None:
        try:
            with transaction.atomic():
                found = laying.locked(run)
                entered.set()
                time.sleep(0.3)
                laying.requeue(found, "failed")
        finally:
            connection.close()

    thread = threading.Thread(target=retry)
    thread.start()
    entered.wait()
    laying.advance(run)
    thread.join()
    run.refresh_from_db()
    assert run.phase == "work" and set(states(run)) == {"queued"}
    assert through(run).state == "succeeded" and counters_are_right(run)
