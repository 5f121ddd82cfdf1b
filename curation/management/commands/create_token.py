"""`manage.py create_token USER`: a token for scripts. Only the token goes to standard output."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from curation.errors import DomainError
from curation.models import Scope, User
from curation.services import people


class Command(BaseCommand):
    help = "Make an API token and print it; it is shown this once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--name", default="made on the command line")
        parser.add_argument("--scopes", nargs="+", default=list(Scope.values), choices=Scope.values)
        parser.add_argument("--days", type=int, default=people.TOKEN_DAYS, help="0: it never ends")

    def handle(self, *_args: Any, username: str, name: str, scopes: list[str], days: int, **_options: Any) -> None:
        user = User.objects.filter(username=username, is_active=True).first()
        if user is None:
            raise CommandError(f"no active user {username}; make one with: manage.py create_user {username}")
        ends = timezone.now() + timedelta(days=days) if days else None
        try:
            token, secret = people.issue_token(user=user, name=name, scopes=scopes, expires_at=ends)
        except DomainError as error:
            raise CommandError(error.detail) from None
        self.stderr.write(f"token of {user.username} ({', '.join(token.scopes)}), {said(days)}:")
        self.stdout.write(secret)


def said(days: int) -> str:
    return f"for {days} days" if days else "without an end"
