"""`manage.py doctor`: what is configured, reachable and missing, in words."""

from __future__ import annotations

import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from curation.services import health

SIGNS = {True: "ok", False: "!!", None: "--"}


class Command(BaseCommand):
    help = "Say what is configured, reachable and missing. Ends with 1 if something must be mended."
    requires_system_checks: list[str] = []

    def handle(self, *_args: Any, **_options: Any) -> None:
        self.stdout.write(f"Touchstone {settings.VERSION}, data in {settings.VAR_DIR}\n\n")
        checks = list(health.everything())
        for check in checks:
            line = f"{SIGNS[check.ok]}  {check.name:<18} {check.words}"
            self.stdout.write(self.style.ERROR(line) if check.ok is False else line)
        wrong = [check.name for check in checks if check.ok is False]
        self.stdout.write("\n" + (f"To mend: {', '.join(wrong)}." if wrong else "Everything needed is there."))
        if wrong:
            sys.exit(1)
