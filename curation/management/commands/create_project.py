"""`manage.py create_project SLUG --preset NAME`: a new project with its protocol and owner."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from curation.errors import DomainError
from curation.models import User
from curation.presets import DEFAULT, PRESETS
from curation.services import projects


class Command(BaseCommand):
    help = "Make a project."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("--name", default="", help="by default made from the slug")
        parser.add_argument("--preset", default=DEFAULT, choices=PRESETS)
        parser.add_argument("--description", default="")
        parser.add_argument("--owner", default="", help="user name; by default the first superuser")
        parser.add_argument("--sample", action="store_true", help="import what Touchstone ships for the preset")

    def handle(self, *_args: Any, slug: str, name: str, owner: str, sample: bool, **options: Any) -> None:
        user = owner_named(owner)
        try:
            project = projects.create_project(
                slug=slug,
                name=name or slug.replace("-", " ").replace("_", " ").capitalize(),
                user=user,
                preset=options["preset"],
                description=options["description"],
            )
        except DomainError as error:
            raise CommandError(f"{error.field}: {error.detail}" if error.field else error.detail) from None
        self.stdout.write(f"made {project.slug}, owned by {user.username}")
        if sample:
            run = projects.load_sample(project=project, user=user)
            self.stdout.write(f"imported {run.result['created']} items, {run.result['tasks']} tasks")


def owner_named(username: str) -> User:
    found = User.objects.filter(is_active=True)
    found = found.filter(username=username) if username else found.filter(is_superuser=True).order_by("pk")
    user = found.first()
    if user is None:
        what = f"no active user {username}" if username else "no superuser yet"
        raise CommandError(f"{what}; make one with: manage.py create_user {username or 'admin --superuser'}")
    return user
