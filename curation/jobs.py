"""What Celery calls: one line a job. Every job takes ids, and is safe to deliver twice."""

from collections.abc import Sequence
from typing import Any

from celery import shared_task

from curation import queue
from curation.services import assigning, delivering, running, scheduling, sharding, tidying
from curation.services.planning import advancing


@shared_task
def execute_run(run_id: str) -> None:
    running.execute(run_id)


@shared_task
def work_shards(served: str, sent: Sequence[Any] = ()) -> None:
    enough = queue.crowded(sent)
    if sharding.work(served, mortal=True) and not enough:
        queue.call_for_shards(served)


@shared_task
def resume_lost_runs() -> None:
    running.resume_lost()
    sharding.sweep()


@shared_task
def start_due_schedules() -> None:
    scheduling.start_due()


@shared_task
def advance_plans() -> None:
    advancing.advance_all()


@shared_task
def return_expired_assignments() -> None:
    assigning.return_expired()


@shared_task
def tidy() -> None:
    tidying.tidy()


@shared_task
def deliver_webhooks() -> None:
    delivering.deliver_due()
