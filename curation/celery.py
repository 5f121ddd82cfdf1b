"""The Celery application: `celery -A curation worker -B`."""

import os
from typing import Any

from celery import Celery
from celery.signals import heartbeat_sent

from curation import broker

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "curation.settings")

broker.install()
app = Celery("touchstone")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["curation"], related_name="jobs")


@heartbeat_sent.connect
def seen(**_signal: Any) -> None:
    """Sent every few seconds by the worker's own thread, however busy its processes are."""
    from curation.services import health

    health.touch_worker()
