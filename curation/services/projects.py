"""Projects: made from a preset, changed, their protocol revised into new versions, removed without loss."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_slug
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from curation.errors import Conflict, Invalid
from curation.models import Act, Membership, Project, Protocol, Role, Run, User
from curation.presets import DEFAULT, PRESETS
from curation.services import auditing, importing, queueing, two_factor
from curation.services.protocols import checked, fresh
from curation.services.protocols import revise_protocol as revise_protocol  # one of a project's verbs

SAMPLES = Path(__file__).resolve().parent.parent / "samples"
RESERVED_SLUGS = {"new", "models"}
CHANGEABLE = (
    "name", "description", "overlap", "cap", "certainty", "review_levels", "review_share", "repeat_percent",
    "repeat_after", "two_factor",
)  # fmt: skip


@transaction.atomic
def create_project(
    *,
    slug: str,
    name: str,
    user: User,
    preset: str = DEFAULT,
    description: str = "",
    help: dict[str, Any] | None = None,
    kind: str | None = None,
    protocol: Mapping[str, Any] | None = None,
) -> Project:
    """A project with version 1 of its protocol, owned by `user`. Raises Invalid with the field at fault.

    `help`: how much of the models' suggestions annotators see, where it is not as the preset has it. `kind` and
    `protocol` (fields that are not as in a new one) take the place of the preset's.
    """
    check_slug(slug)
    if not name.strip():
        raise Invalid("give the project a name", field="name")
    if preset not in PRESETS:
        raise Invalid(f"no such preset; there is: {', '.join(PRESETS)}", field="preset")
    try:
        with transaction.atomic():
            project = Project.objects.create(
                slug=slug,
                name=name.strip()[:160],
                description=description.strip(),
                kind=kind or PRESETS[preset].kind,
            )
    except IntegrityError as error:
        raise Invalid("another project has this address", field="slug") from error
    asked = PRESETS[preset].protocol() if protocol is None else checked(fresh() | dict(protocol), project.kind)
    asked |= {"help": help} if help else {}
    project.protocol = Protocol.objects.create(project=project, version=1, **asked)
    project.save(update_fields=["protocol"])
    Membership.objects.create(project=project, user=user, role=Role.OWNER)
    auditing.record(Act.PROJECT_MADE, project=project, by=user, thing=project)
    return project


def check_slug(slug: str) -> None:
    try:
        validate_slug(slug)
    except ValidationError as error:
        raise Invalid("use letters, digits, hyphens and underscores", field="slug") from error
    if len(slug) > 80 or slug in RESERVED_SLUGS:
        raise Invalid("choose another address" if slug in RESERVED_SLUGS else "at most 80 characters", field="slug")


@transaction.atomic
def change_project(
    *,
    project: Project,
    name: str | None = None,
    description: str | None = None,
    overlap: int | None = None,
    two_factor: bool | None = None,
    **rules: Any,
) -> Project:
    """Change what is given. Another overlap also moves the tasks that it opens or completes.

    `rules`: cap (None: the overlap never grows), certainty, paused, review_levels, review_share,
    repeat_percent, repeat_after. Raises Invalid.
    """
    before = {each: getattr(project, each) for each in CHANGEABLE}
    project = Project.objects.select_for_update(no_key=True, of=("self",)).select_related("protocol").get(pk=project.pk)
    if name is not None:
        if not name.strip():
            raise Invalid("give the project a name", field="name")
        project.name = name.strip()[:160]
    if description is not None:
        project.description = description.strip()
    if overlap is not None and overlap != project.overlap:
        # Tasks that were given an overlap of their own keep it.
        usual = project.tasks.filter(Q(queue=None) | Q(queue__overlap=None), overlap=project.overlap)
        queueing.set_overlap(tasks=usual, overlap=overlap)
        project.overlap = overlap
    if two_factor is not None:
        project.two_factor = two_factor
    ruled(project, rules)
    project.save(update_fields=[*CHANGEABLE, "paused_at"])
    if changed := {each: getattr(project, each) for each in CHANGEABLE if getattr(project, each) != before[each]}:
        if "description" in changed:
            changed["description"] = "another"
        auditing.record(Act.PROJECT_CHANGED, project=project, thing=project, **changed)
    return project


BOUNDS = {
    "certainty": (0.5, 0.999),
    "review_levels": (0, 2),
    "review_share": (0, 1),
    "repeat_percent": (0, 20),
    "repeat_after": (1, 1000),
}


def ruled(project: Project, rules: Mapping[str, Any]) -> None:
    """How long a task is asked, whether the project's own queue rests, and how many answers are looked at again, by
    others or, unknowing, by who gave them."""
    for name, (low, high) in BOUNDS.items():
        if name in rules:
            if not low <= rules[name] <= high:
                raise Invalid(f"must be from {low} to {high}", field=name)
            setattr(project, name, rules[name])
    if "cap" in rules and rules["cap"] != project.cap:
        usual = project.tasks.filter(Q(queue=None) | Q(queue__cap=None), cap=project.cap)
        queueing.set_cap(tasks=usual, cap=rules["cap"])
        project.cap = rules["cap"]
    if "paused" in rules and rules["paused"] != bool(project.paused_at):
        project.paused_at = timezone.now() if rules["paused"] else None
        queueing.start_over([project.pk])


def check_may_ask_two_steps(user: User, wanted: bool) -> None:
    """Raises Invalid for an owner who would shut themselves out."""
    if wanted and not two_factor.suffices(user):
        raise Invalid("turn on two-factor for yourself first, on your account page", field="two_factor")


@transaction.atomic
def remove_project(*, project: Project) -> None:
    """Take a project out of sight. Its rows stay, and its address becomes free. Raises Conflict while runs work."""
    if Run.objects.filter(project=project, state__in=Run.LIVE).exists():
        raise Conflict("runs are at work in this project; wait for them or cancel them first")
    Project.objects.filter(pk=project.pk, deleted_at__isnull=True).update(
        deleted_at=timezone.now(), slug=f"{project.slug[:60]}-removed-{project.pk}"
    )
    auditing.record(Act.PROJECT_REMOVED, project=project, thing=project, slug=project.slug)


def restore_project(*, project: Project) -> None:
    """Bring a removed project back, under the address that it has now."""
    Project.objects.filter(pk=project.pk).update(deleted_at=None)
    auditing.record(Act.PROJECT_RESTORED, project=project, thing=project)


def load_sample(*, project: Project, user: User) -> Run:
    """Import what Touchstone ships for the preset that the project was made from."""
    first = project.protocols.order_by("version").values_list("preset", flat=True).first() or DEFAULT
    path = SAMPLES / PRESETS[first if first in PRESETS else DEFAULT].sample
    return importing.import_now(project=project, user=user, path=path, filename=path.name)
