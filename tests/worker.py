"""The Celery application of a test's worker: the product's, writing where the test looks, and sweeping more often.

It knows two more programs: `slow` counts words as `length` does, two milliseconds for each text; `hang` does too, but
does not come back from a text that holds "hang here" until the file TOUCHSTONE_TEST_HUNG exists.
"""

import os
import time
from dataclasses import replace
from pathlib import Path

from curation.celery import app


def slow(text: str) -> float:
    time.sleep(0.002)
    return float(len(text.split()))


def hang(text: str) -> float:
    flag = Path(os.environ["TOUCHSTONE_TEST_HUNG"])
    if "hang here" in text and not flag.exists():
        flag.touch()
        time.sleep(600)
    return float(len(text.split()))


if folder := os.environ.get("TOUCHSTONE_TEST_VAR"):
    import django
    from django.conf import settings

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "curation.settings")
    django.setup()
    settings.VAR_DIR = Path(folder)

    from curation.services import sharding
    from curation.services.methods import METHODS
    from workers.judges.program import PROGRAMS

    sharding.MAX_ATTEMPTS = 20  # nobody kills workers as often as these tests do
    PROGRAMS.update(slow=slow, hang=hang)
    if limit := os.environ.get("TOUCHSTONE_TEST_LIMIT"):
        METHODS["score"] = replace(METHODS["score"], shard_seconds=int(limit))
    app.conf.beat_schedule["resume-lost-runs"]["schedule"] = 0.5

__all__ = ["app"]
