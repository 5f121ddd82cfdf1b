"""Run beside the product: make its projects, sixteen annotators and their tokens, and print the tokens as JSON.

python -m benchmarks.seats SLUG…
"""

from __future__ import annotations

import json
import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "curation.settings")
django.setup()

from django.db import transaction  # noqa: E402

from benchmarks.product import ANNOTATORS, OWNER  # noqa: E402
from curation.models import ApiToken, Membership, Role, Scope, User  # noqa: E402
from curation.models.people import digest, new_secret  # noqa: E402
from curation.services.projects import create_project  # noqa: E402


def person(username: str, *, staff: bool = False) -> User:
    user = User(username=username, is_staff=staff, is_superuser=staff)
    user.set_unusable_password()
    user.save()
    return user


def token(user: User, *scopes: str) -> str:
    secret = new_secret("ts_")
    ApiToken.objects.create(user=user, name="benchmark", digest=digest(secret), hint=secret[:8], scopes=list(scopes))
    return secret


@transaction.atomic
def seat(slugs: list[str]) -> dict[str, str]:
    """Everybody and every project; the tokens by user name."""
    owner = person(OWNER, staff=True)
    people = [person(name) for name in ANNOTATORS]
    for slug in slugs:
        project = create_project(slug=slug, name=slug, user=owner)
        Membership.objects.bulk_create(Membership(user=user, project=project, role=Role.ANNOTATOR) for user in people)
    tokens = {user.username: token(user, Scope.WRITE) for user in people}
    return {**tokens, OWNER: token(owner, Scope.MANAGE)}


if __name__ == "__main__":
    print(json.dumps(seat(sys.argv[1:])))
