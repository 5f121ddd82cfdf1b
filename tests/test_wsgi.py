"""The web server's entry point: what it loads is there before the first request, and is not searched for cycles."""

from __future__ import annotations

import os
import subprocess
import sys

from django.conf import settings

LOOK = """
import gc, sys
import curation.wsgi
assert "curation.views.projects" in sys.modules and "curation.api.urls" in sys.modules
frozen, left = gc.get_freeze_count(), len(gc.get_objects())
assert frozen > 50_000 and left < frozen / 10, (frozen, left)
"""


def test_what_is_loaded_is_not_searched_for_cycles() -> None:
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "curation.settings"}
    done = subprocess.run([sys.executable, "-c", LOOK], cwd=settings.BASE_DIR, env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
