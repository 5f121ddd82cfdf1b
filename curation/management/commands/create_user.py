"""`manage.py create_user NAME`: a new user, who comes in by a one-time link or with a password typed here."""

from __future__ import annotations

import getpass
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from curation import address
from curation.errors import DomainError
from curation.services import people


class Command(BaseCommand):
    help = "Make a user and print a one-time sign-in link for them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--display-name", default="")
        parser.add_argument("--email", default="")
        parser.add_argument("--superuser", action="store_true", help="may do everything, the admin included")
        parser.add_argument("--ask-password", action="store_true", help="ask for a password instead of making a link")
        parser.add_argument("--url", default="", help=f"where Touchstone is served, unless at {address.served()}")

    def handle(self, *_args: Any, username: str, url: str, ask_password: bool, **options: Any) -> None:
        password = getpass.getpass(f"Password of {username}: ") if ask_password else None
        try:
            user = people.create_user(
                username=username,
                password=password,
                display_name=options["display_name"],
                email=options["email"],
                superuser=options["superuser"],
            )
        except DomainError as error:
            raise CommandError(f"{error.field}: {error.detail}" if error.field else error.detail) from None
        self.stdout.write(f"made {user.username}")
        if password is None:
            secret = people.make_sign_in_link(user=user)
            self.stdout.write(f"sign in once with {(url or address.served()).rstrip('/')}/sign-in/{secret}/")
