"""The Celery application. `manage.py worker` is how one starts a worker of it."""

import os
from typing import Any

from celery import Celery
from celery.signals import after_task_publish, beat_init, worker_ready, worker_shutdown

from curation import broker

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "curation.settings")

broker.install()
app = Celery("touchstone")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["curation"], related_name="jobs")

reporting: list[Any] = []


@worker_ready.connect
def enter(sender: Any, **_signal: Any) -> None:
    """A worker is there: it reports until it ends, and looks at once for what waits."""
    from curation import queue
    from curation.services import machines

    consumer = sender
    queues = tuple(sorted(consumer.app.amqp.queues.consume_from))
    me = machines.Self(consumer.hostname, queues, int(consumer.pool.num_processes), machines.device_of(queues))
    reporting.append(machines.Reporting(me))
    reporting[0].start()
    for served in queues:
        for _ in range(me.processes):
            queue.call_for_shards(served)


@worker_shutdown.connect
def leave(**_signal: Any) -> None:
    while reporting:
        reporting.pop().stop()


@beat_init.connect
def schedule(sender: Any, **_signal: Any) -> None:
    """A scheduler of its own reports as often as the broker takes a message of it."""
    from celery.utils.nodenames import gethostname

    from curation.services import machines

    said = machines.Seldom(machines.Self(f"scheduler@{gethostname()}", (), device=""))
    after_task_publish.connect(lambda **_signal: said(), weak=False)
