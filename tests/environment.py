"""Loaded before the settings: tests keep what they write in a folder of their own, and call workers over a broker of
their own. Of several test processes at once each has both for itself: the workers of one never take another's calls."""

import os
import tempfile
from pathlib import Path

os.environ.setdefault("TOUCHSTONE_VAR", tempfile.mkdtemp(prefix="touchstone-test-"))
if one := os.environ.get("PYTEST_XDIST_WORKER", ""):
    os.environ["TOUCHSTONE_VAR"] = str(Path(os.environ["TOUCHSTONE_VAR"]) / one)
    if (broker := os.environ.get("CELERY_BROKER_URL", "")).startswith("redis"):
        address, database = broker.rsplit("/", 1)
        os.environ["CELERY_BROKER_URL"] = f"{address}/{int(database) + int(one.removeprefix('gw'))}"
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # Playwright's loop runs beside the ORM
os.environ.setdefault("TOUCHSTONE_CONSUMERS", "light")  # tests/test_consumers.py asks them all
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
