"""The people of every test, and rows to work on.

olga owns the project, mia manages it, rita reviews, ann and bob annotate, vic looks on, sol is a service
account, zed is a stranger and ada a superuser.
"""

from __future__ import annotations

from dataclasses import dataclass

from curation.models import (
    ApiToken,
    Item,
    Membership,
    Pair,
    Project,
    Protocol,
    Response,
    Role,
    Task,
    User,
    queue_position,
)
from curation.models.people import digest, new_secret

ROLES = {
    "olga": Role.OWNER,
    "mia": Role.MANAGER,
    "rita": Role.REVIEWER,
    "ann": Role.ANNOTATOR,
    "bob": Role.ANNOTATOR,
    "vic": Role.VIEWER,
    "sol": Role.SERVICE,
}


@dataclass(frozen=True)
class Cast:
    project: Project
    people: dict[str, User]

    def __getattr__(self, name: str) -> User:
        try:
            return self.people[name]
        except KeyError:
            raise AttributeError(name) from None


def assemble(slug: str = "helpfulness", **project_fields: object) -> Cast:
    """A project with its protocol and everybody in it (and zed, who is not)."""
    project = make_project(slug, **project_fields)
    people = {name: User.objects.create_user(name) for name in [*ROLES, "zed"]}
    people["ada"] = User.objects.create_superuser("ada")
    for name, role in ROLES.items():
        Membership.objects.create(user=people[name], project=project, role=role)
    return Cast(project, people)


def make_project(slug: str, **fields: object) -> Project:
    project = Project.objects.create(slug=slug, name=slug.title(), **fields)
    project.protocol = Protocol.objects.create(project=project, version=1)
    project.save()
    return project


def make_pairs(project: Project, count: int, *, priority: int = 0) -> list[Task]:
    """`count` items with two responses, a pair and an open task each."""
    tasks = []
    start = Item.objects.filter(project=project).count()
    for number in range(start, start + count):
        item = Item.objects.create(
            project=project,
            external_id=f"item-{number}",
            prompt=[{"role": "user", "content": f"Question {number}?"}],
            prompt_hash=f"p{number}",
            content_hash=f"c{number}",
        )
        first, second = (
            Response.objects.create(
                item=item, position=i, text=f"Answer {i} to {number}", model=f"m{i}", text_hash=f"{i}"
            )
            for i in range(2)
        )
        pair = Pair.objects.create(item=item, first=first, second=second)
        task = Task.objects.create(project=project, pair=pair, priority=priority, position=0, overlap=project.overlap)
        Task.objects.filter(pk=task.pk).update(position=queue_position(priority, task.pk))
        tasks.append(task)
    Project.objects.filter(pk=project.pk).update(
        item_count=project.item_count + count, task_count=project.task_count + count
    )
    project.refresh_from_db()
    return tasks


def token_for(user: User, *scopes: str) -> str:
    """A bearer token of `user`; with every scope unless some are named."""
    secret = new_secret("ts_")
    ApiToken.objects.create(
        user=user,
        name="test",
        digest=digest(secret),
        hint=secret[:8],
        scopes=list(scopes or ("read", "write", "manage")),
    )
    return secret
