"""Loaded before the settings: tests keep what they write in a folder of their own, and call workers over a broker of
their own. Of several test processes at once each has both for itself: the workers of one never take another's calls."""

import os
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

os.environ.setdefault("TOUCHSTONE_VAR", tempfile.mkdtemp(prefix="touchstone-test-"))
if one := os.environ.get("PYTEST_XDIST_WORKER", ""):
    os.environ["TOUCHSTONE_VAR"] = str(Path(os.environ["TOUCHSTONE_VAR"]) / one)
    if (broker := os.environ.get("CELERY_BROKER_URL", "")).startswith("redis"):
        place = urlsplit(broker)
        database = int(place.path.strip("/") or 0) + int(one.removeprefix("gw"))
        os.environ["CELERY_BROKER_URL"] = place._replace(path=f"/{database}").geturl()
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # Playwright's loop runs beside the ORM
os.environ.setdefault("TOUCHSTONE_CONSUMERS", "light")  # tests/test_consumers.py asks them all
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
