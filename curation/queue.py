"""How a run wakes a worker: after commit, by id."""

from __future__ import annotations

import logging

from django.db import transaction
from kombu.exceptions import OperationalError

from curation.models import Run

log = logging.getLogger("touchstone.queue")


def wake(run: Run) -> None:
    """Ask a worker to look at `run` once the surrounding transaction has committed.

    A broker that does not answer loses nothing: the sweeper finds the queued row (services/running.py).
    """
    transaction.on_commit(lambda: _send(str(run.pk)))


def _send(run_id: str) -> None:
    from curation.celery import app

    try:
        app.send_task("curation.jobs.execute_run", [run_id], retry=False)
    except (OperationalError, OSError) as error:
        log.warning("the broker did not take run %s (%s); the sweeper will find it", run_id, error)
