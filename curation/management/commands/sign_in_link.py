"""`manage.py sign_in_link NAME`: a link that signs a user in once."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from curation import address
from curation.models import User
from curation.services import people


class Command(BaseCommand):
    help = "Print a link that signs a user in once, within 24 hours."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--url", default="", help=f"where Touchstone is served, unless at {address.served()}")

    def handle(self, *_args: Any, username: str, url: str, **_options: Any) -> None:
        user = User.objects.filter(username=username, is_active=True).first()
        if user is None:
            raise CommandError(f"no active user {username}; make one with: manage.py create_user {username}")
        self.stdout.write(f"{(url or address.served()).rstrip('/')}/sign-in/{people.make_sign_in_link(user=user)}/")
