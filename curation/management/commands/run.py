"""`manage.py run METHOD [SLUG] --param k=v`: start a method and do it here, or leave it to the workers."""

from __future__ import annotations

import json
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from curation.errors import DomainError
from curation.models import Project, Run
from curation.services import here, starting
from curation.services.methods import METHODS
from curation.services.pacing import pace_of
from curation.templatetags.chrome import duration, number

EVERY = 2.0
"""Seconds between two lines of progress."""


class Command(BaseCommand):
    help = "Start a run and do it in this process, printing its progress; without a method: list what there is."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("method", nargs="?")
        parser.add_argument("slug", nargs="?", help="the project")
        parser.add_argument("--param", action="append", default=[], metavar="NAME=VALUE", help="JSON, or else a word")
        parser.add_argument("--queue", default="", choices=["", "cpu", "gpu"], help="whose workers do its shards")
        parser.add_argument("--seed", type=int, default=0)
        where = parser.add_mutually_exclusive_group()
        where.add_argument("--queue-only", action="store_true", help="leave it to the workers, and say its address")
        where.add_argument("--wait", action="store_true", help="leave it to the workers, and watch it to its end")

    def handle(self, *_args: Any, method: str | None, slug: str | None, **options: Any) -> None:
        if method is None:
            self.list()
            return
        try:
            run = starting.start(
                project=project_called(slug),
                method=method,
                params=dict(map(parsed, options["param"])),
                user=None,
                queue=options["queue"],
                seed=options["seed"],
            )
        except DomainError as error:
            raise CommandError(f"{error.field}: {error.detail}" if error.field else error.detail) from None
        self.stdout.write(f"{run} at {run.address}")
        if options["queue_only"]:
            return
        try:
            for _ in here.watch(run, every=EVERY) if options["wait"] else here.do(run, every=EVERY):
                self.progress(run)
        except KeyboardInterrupt:
            raise CommandError(f"stopped watching; {run} goes on when a worker takes it up") from None
        self.tell_end(run)

    def list(self) -> None:
        for method in sorted(METHODS.values(), key=lambda method: method.name):
            if method.startable:
                names = ", ".join(method.params.model_fields) or "none"
                self.stdout.write(f"{method.name:16} {method.title}. Parameters: {names}")

    def progress(self, run: Run) -> None:
        pace = pace_of(run)
        words = [f"{number(pace.done)} of {number(run.total)}" if run.total else number(pace.done)]
        words[0] += f" {run.unit}"
        if pace.lately or pace.overall:
            words.append(f"{pace.lately or pace.overall:.4g}/s")
        if pace.left is not None:
            words.append(f"{duration(int(1000 * pace.left))} left")
        self.stdout.write(f"  {time.strftime('%H:%M:%S')}  " + ", ".join(words))

    def tell_end(self, run: Run) -> None:
        run.refresh_from_db()
        if run.state != Run.State.SUCCEEDED:
            raise CommandError(f"{run.get_state_display().lower()}: {run.error or 'see its log'}")
        told = ", ".join(
            f"{name} {value}" for name, value in run.result.items() if isinstance(value, int | float | str)
        )
        self.stdout.write(f"succeeded: {told}" if told else "succeeded")


def project_called(slug: str | None) -> Project | None:
    if slug is None:
        return None
    found = Project.objects.select_related("protocol").filter(slug=slug, deleted_at=None).first()
    if found is None:
        raise CommandError(f"no project {slug}; make one with: manage.py create_project {slug}")
    return found


def parsed(given: str) -> tuple[str, Any]:
    """`model=3` as a number, `axis=overall` as a word."""
    name, equals, value = given.partition("=")
    if not equals:
        raise CommandError(f"--param {given}: say it as NAME=VALUE")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value
