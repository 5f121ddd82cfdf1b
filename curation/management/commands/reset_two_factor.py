"""`manage.py reset_two_factor NAME`: somebody lost their app and their recovery codes."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from curation.models import User
from curation.services import two_factor


class Command(BaseCommand):
    help = "Take the second step at sign-in from a user who lost it; their password or a link signs them in again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")

    def handle(self, *_args: Any, username: str, **_options: Any) -> None:
        user = User.objects.filter(username=username).first()
        if user is None:
            raise CommandError(f"no user {username}")
        there = two_factor.reset(user=user, by=None)
        self.stdout.write(f"two-factor of {username} is off now" if there else f"{username} has no two-factor")
