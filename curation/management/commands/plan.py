"""`manage.py plan METHOD SLUG --param k=v`: start a plan and do its runs here, as far as it goes without people."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse

from curation.errors import DomainError
from curation.management.commands.run import EVERY, parsed, project_called
from curation.models import Plan
from curation.services import here
from curation.services.planning import advancing, asking, telling


class Command(BaseCommand):
    help = "Start a plan, or go on with one, and do its runs in this process until it waits for people or ends."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("method", help="such as skywork-reward-v2")
        parser.add_argument("slug", help="the project")
        parser.add_argument("--param", action="append", default=[], metavar="NAME=VALUE", help="JSON, or else a word")
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--plan", type=int, help="go on with this one instead of starting another")
        parser.add_argument("--queue-only", action="store_true", help="leave it to the workers, and say its address")

    def handle(self, *_args: Any, method: str, slug: str, **options: Any) -> None:
        project = project_called(slug)
        assert project is not None
        try:
            if options["plan"]:
                plan = asking.go_on(asking.find(project, options["plan"]), None)
            else:
                params = dict(map(parsed, options["param"]))
                plan = asking.start(project=project, method=method, params=params, user=None, seed=options["seed"])
        except DomainError as error:
            raise CommandError(f"{error.field}: {error.detail}" if error.field else error.detail) from None
        self.stdout.write(f"plan {plan.pk} at {reverse('plan', args=[project.slug, plan.pk])}")
        if not options["queue_only"]:
            self.go_through(plan)

    def go_through(self, plan: Plan) -> None:
        """Do run after run, until nothing but people is missing."""
        while plan.state == Plan.State.RUNNING:
            step = asking.standing(plan)
            if step is None or step.run is None:
                raise CommandError(f"{plan} stands at {plan.stage} and does not go on")
            self.stdout.write(f"  round {step.round}: {step.stage}")
            for _ in here.do(step.run, every=EVERY):
                pass
            plan = advancing.advance(plan)
        if plan.state == Plan.State.WAITING:
            count = telling.open_tasks(plan)
            self.stdout.write(f"waiting for people: {count} pairs in the queue {plan.queue}, until {plan.deadline}")
        elif plan.state == Plan.State.FINISHED:
            for number, one in telling.board(plan).accuracies:
                self.stdout.write(f"  round {number}: {one.count} of {one.n} held-out pairs right")
            self.stdout.write(f"finished: {plan.version}")
        else:
            raise CommandError(f"{plan.get_state_display().lower()}: {plan.error}")
