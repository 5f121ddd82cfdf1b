"""`manage.py healthy web|worker|scheduler`: whether that part works on this machine; for health checks."""

from __future__ import annotations

import os
import urllib.request
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from celery.utils.nodenames import gethostname
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from curation.models import Worker
from curation.services import machines


class Command(BaseCommand):
    help = "End with 0 if the web server, the workers or the scheduler of this machine gave a sign of life lately."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("part", choices=("web", "worker", "scheduler"))

    def handle(self, *_args: Any, part: str, **_options: Any) -> None:
        if part == "web":
            answers(int(os.environ.get("PORT") or 8000))
        elif not heard(part):
            raise CommandError(f"a {part} on {gethostname()} was not heard of for {machines.SILENT_AFTER} s")


def answers(port: int) -> None:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5).close()
    except OSError as error:
        raise CommandError(f"the web server does not answer: {error}") from None


def heard(part: str) -> bool:
    since = timezone.now() - timedelta(seconds=machines.SILENT_AFTER)
    here = Worker.objects.filter(name__endswith=f"@{gethostname()}", seen_at__gt=since)
    return (here.filter(queues="") if part == "scheduler" else here.exclude(queues="")).exists()
