"""The Celery application: `celery -A curation worker -B`."""

import os

from celery import Celery

from curation import broker

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "curation.settings")

broker.install()
app = Celery("touchstone")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["curation"], related_name="jobs")
