"""What Celery calls: one line a job. Every job takes ids, and is safe to deliver twice."""

from celery import shared_task

from curation import queue
from curation.services import assigning, running, sharding, tidying


@shared_task
def execute_run(run_id: str) -> None:
    running.execute(run_id)


@shared_task
def work_shards(served: str) -> None:
    if sharding.work(served, mortal=True):
        queue.send("curation.jobs.work_shards", [served], served)


@shared_task
def resume_lost_runs() -> None:
    running.resume_lost()
    sharding.sweep()


@shared_task
def return_expired_assignments() -> None:
    assigning.return_expired()


@shared_task
def tidy() -> None:
    tidying.tidy()
