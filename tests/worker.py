"""The Celery application of a test's worker: the product's, writing where the test looks."""

import os
from pathlib import Path

from curation.celery import app

if folder := os.environ.get("TOUCHSTONE_TEST_VAR"):
    import django
    from django.conf import settings

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "curation.settings")
    django.setup()
    settings.VAR_DIR = Path(folder)

__all__ = ["app"]
