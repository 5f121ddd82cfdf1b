"""The registry of models: made known by a reference, numbered, seen by whom they concern, retired.

What is registered is only a claim until a worker has looked at it (`inspecting.py`). References reach files and other
hosts from the workers, so the doors let only staff register.
"""

from __future__ import annotations

import re
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db import IntegrityError, transaction
from django.db.models import Max, Q, QuerySet
from django.utils import timezone

from curation import access
from curation.errors import Conflict, Forbidden, Invalid, NotFound
from curation.models import Membership, ModelVersion, Project, Run, User
from curation.services import model_config, running
from workers import references
from workers.references import Reference

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,99}\Z")
FITTING = {
    "openai": ("critic", "policy"),
    "program": ("reward", "cost"),
    "builtin": ("embedder",),
}
"""The kinds that references other than to weights may be of."""


def register(
    *,
    name: str,
    kind: str,
    reference: str,
    revision: str = "",
    config: dict[str, Any] | None = None,
    trust: str = "",
    project: Project | None = None,
    user: User,
) -> ModelVersion:
    """Make a model known, as the next version of `name`, and queue its check.

    `trust` is the model's name typed by an administrator who lets its own code run. Raises Invalid naming the field.
    """
    if not NAME.match(name):
        raise Invalid("small letters, digits and hyphens, beginning with a letter or digit", field="name")
    if kind not in ModelVersion.Kind.values:
        raise Invalid(f"one of {', '.join(ModelVersion.Kind.values)}", field="kind")
    where = parsed(reference, kind)
    if revision and (where.scheme != "hf" or where.local or where.extra):
        raise Invalid("only an id on the Hub without @ has a revision of its own", field="revision")
    if revision and not references.REVISION.match(revision):
        raise Invalid("no revision: a branch, a tag or a commit", field="revision")
    version = ModelVersion(
        name=name,
        kind=kind,
        reference=reference.strip(),
        revision=revision or (where.extra if where.scheme == "hf" else ""),
        config=model_config.checked(kind, config or {}),
        project=project,
        created_by=user,
    )
    if where.scheme == "hf" and where.extra:
        version.reference = f"hf:{where.place}"
    if where.scheme == "run":
        take_from_run(version, where.place)
    if trust:
        version.trusted_code = trusted(user, typed=trust, name=name)
    number(version)
    check(version, user=user)
    return version


def parsed(reference: str, kind: str) -> Reference:
    """The reference taken apart. Raises Invalid if it is none, or if no model of this kind can be there."""
    if len(reference) > 500:
        raise Invalid("longer than 500 characters", field="reference")
    try:
        where = references.parse(reference)
    except ValueError as error:
        raise Invalid(str(error), field="reference") from None
    fitting = FITTING.get(where.scheme)
    if fitting and kind not in fitting:
        raise Invalid(f"{where.scheme}: is for kinds {' and '.join(fitting)}, not {kind}", field="reference")
    return where


def take_from_run(version: ModelVersion, run_id: str) -> None:
    """The run as maker; what a project's run made stays in that project. Raises Invalid."""
    run = Run.objects.filter(pk=run_id, state=Run.State.SUCCEEDED).first()
    if run is None:
        raise Invalid("no run that succeeded has this id", field="reference")
    if run.project_id and version.project_id and run.project_id != version.project_id:
        raise Invalid("this run belongs to another project", field="reference")
    version.made_by = run
    version.project_id = run.project_id or version.project_id


def number(version: ModelVersion) -> None:
    """Store it as the next version of its name."""
    for _ in range(5):
        last = ModelVersion.objects.filter(name=version.name).aggregate(last=Max("number"))["last"] or 0
        version.number = last + 1
        try:
            with transaction.atomic():
                version.save(force_insert=True)
            return
        except IntegrityError:
            continue
    raise Conflict("others register versions of this name at this moment; try again")


def check(version: ModelVersion, *, user: User | None) -> Run:
    """Queue a look at it. Raises Conflict while one is under way."""
    if version.retired_at:
        raise Conflict("it is retired")
    if Run.objects.filter(model=version, method="check-model", state__in=Run.LIVE).exists():
        raise Conflict("it is being checked at this moment")
    return running.start(
        project=None, method="check-model", params={"model": version.pk}, user=user, unit="files", model=version
    )


def trust(version: ModelVersion, *, typed: str, user: User) -> Run:
    """Let the model's own Python code run on the workers, and check it again."""
    version.trusted_code = trusted(user, typed=typed, name=version.name)
    version.save(update_fields=["trusted_code"])
    return check(version, user=user)


def trusted(user: User, *, typed: str, name: str) -> bool:
    """True, if `user` may say so and typed the name. Raises Forbidden or Invalid."""
    if not user.is_superuser:
        raise Forbidden("only an administrator lets a model's own code run")
    if typed.strip() != name:
        raise Invalid(f"type the model's name, {name}", field="trust")
    return True


def retire(version: ModelVersion) -> ModelVersion:
    """Offer it no more. Its scores and what it suggested stay."""
    if not ModelVersion.objects.filter(pk=version.pk, retired_at=None).update(retired_at=timezone.now()):
        raise Conflict("it is retired already")
    version.refresh_from_db()
    return version


def visible(user: User | AnonymousUser) -> QuerySet[ModelVersion]:
    """The versions that `user` may know of: those of nobody's project, and those of projects they may read."""
    rows = ModelVersion.objects.select_related("project", "made_by__project", "created_by")
    if not user.is_authenticated:
        return rows.none()
    return rows if user.is_superuser else rows.filter(Q(project=None) | Q(project__in=readable(user)))


def readable(user: User | AnonymousUser) -> QuerySet[Project]:
    """Live projects whose answers `user` may read."""
    projects = Project.objects.filter(deleted_at=None)
    if not isinstance(user, User):
        return projects.none()
    if user.is_superuser:
        return projects
    roles = [role for role, can in access.CAN.items() if access.READ in can]
    return projects.filter(
        pk__in=Membership.objects.filter(user=user, role__in=roles, deactivated_at=None).values("project")
    )


def find(user: User | AnonymousUser, pk: int) -> ModelVersion:
    """Raises NotFound for what there is not and for what is none of the user's business alike."""
    found = visible(user).filter(pk=pk).first()
    if found is None:
        raise NotFound("no such model")
    return found


def for_staff(user: User | AnonymousUser, pk: int) -> ModelVersion:
    """The same, for those who may act on it."""
    found = find(user, pk)
    if not user.is_staff:
        raise Forbidden("only staff does this")
    return found


def users_of(version: ModelVersion, user: User | AnonymousUser, most: int = 10) -> list[Run]:
    """The latest runs with it, as far as `user` may know of them."""
    runs = Run.objects.filter(model=version).select_related("project")
    may = Q(project__in=readable(user))
    return list(runs.filter(may | Q(project=None) if user.is_staff else may)[:most])
