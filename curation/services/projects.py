"""Projects: made from a preset, changed, their protocol revised into new versions, removed without loss."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_slug
from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone

from curation.errors import Conflict, Invalid
from curation.models import Membership, Project, Protocol, Role, Run, User
from curation.presets import DEFAULT, PRESETS
from curation.services import importing, queueing

SAMPLE = Path(__file__).resolve().parent.parent / "samples" / "helpfulness.jsonl"
RESERVED_SLUGS = {"new"}
REVISABLE = ("guidelines", "axes", "strengths", "allow_tie", "allow_both_bad", "rationale")


@transaction.atomic
def create_project(*, slug: str, name: str, user: User, preset: str = DEFAULT, description: str = "") -> Project:
    """A project with version 1 of its protocol, owned by `user`. Raises Invalid with the field at fault."""
    check_slug(slug)
    if not name.strip():
        raise Invalid("give the project a name", field="name")
    if preset not in PRESETS:
        raise Invalid(f"no such preset; there is: {', '.join(PRESETS)}", field="preset")
    try:
        with transaction.atomic():
            project = Project.objects.create(slug=slug, name=name.strip()[:160], description=description.strip())
    except IntegrityError as error:
        raise Invalid("another project has this address", field="slug") from error
    project.protocol = Protocol.objects.create(project=project, version=1, **PRESETS[preset].protocol())
    project.save(update_fields=["protocol"])
    Membership.objects.create(project=project, user=user, role=Role.OWNER)
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
    *, project: Project, name: str | None = None, description: str | None = None, overlap: int | None = None
) -> Project:
    """Change what is given. Another overlap also moves the tasks that it opens or completes."""
    project = Project.objects.select_for_update(of=("self",)).select_related("protocol").get(pk=project.pk)
    if name is not None:
        if not name.strip():
            raise Invalid("give the project a name", field="name")
        project.name = name.strip()[:160]
    if description is not None:
        project.description = description.strip()
    if overlap is not None and overlap != project.overlap:
        # Tasks that were given an overlap of their own keep it.
        queueing.set_overlap(tasks=project.tasks.filter(overlap=project.overlap), overlap=overlap)
        project.overlap = overlap
    project.save(update_fields=["name", "description", "overlap"])
    return project


@transaction.atomic
def revise_protocol(*, project: Project, **changes: Any) -> Protocol:
    """The next version of the protocol, with `changes`; the current one when they change nothing."""
    if unknown := sorted(set(changes) - set(REVISABLE)):
        raise Invalid(f"unknown; may be changed: {', '.join(REVISABLE)}", field=unknown[0])
    locked = Project.objects.select_for_update(of=("self",)).get(pk=project.pk)
    values = {name: getattr(locked.protocol, name) for name in REVISABLE} | changes
    if all(getattr(locked.protocol, name) == value for name, value in values.items()) and locked.protocol:
        return locked.protocol
    check_axes(values["axes"])
    last = locked.protocols.aggregate(last=Max("version"))["last"] or 0
    made = Protocol(project=locked, version=last + 1, **values)
    try:
        made.full_clean(exclude=["project"])
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise Invalid(messages[0], field=field) from error
    made.save()
    locked.protocol = project.protocol = made
    locked.save(update_fields=["protocol"])
    return made


def check_axes(axes: Any) -> None:
    """One to eight axes with different names and a question each."""
    if not isinstance(axes, list) or not 1 <= len(axes) <= 8:
        raise Invalid("one to eight axes are needed", field="axes")
    asked = {axis["name"]: axis["question"].strip() for axis in axes if is_axis(axis)}
    if len(asked) < len(axes) or not all(asked) or not all(asked.values()):
        raise Invalid("each axis needs its own name and a question", field="axes")


def is_axis(axis: Any) -> bool:
    return isinstance(axis, dict) and isinstance(axis.get("name"), str) and isinstance(axis.get("question"), str)


@transaction.atomic
def remove_project(*, project: Project) -> None:
    """Take a project out of sight. Its rows stay, and its address becomes free. Raises Conflict while runs work."""
    if Run.objects.filter(project=project, state__in=Run.LIVE).exists():
        raise Conflict("runs are at work in this project; wait for them or cancel them first")
    Project.objects.filter(pk=project.pk, deleted_at__isnull=True).update(
        deleted_at=timezone.now(), slug=f"{project.slug[:60]}-removed-{project.pk}"
    )


def restore_project(*, project: Project) -> None:
    """Bring a removed project back, under the address that it has now."""
    Project.objects.filter(pk=project.pk).update(deleted_at=None)


def load_sample(*, project: Project, user: User) -> Run:
    """Import the pairs that Touchstone ships."""
    return importing.import_now(project=project, user=user, path=SAMPLE, filename=SAMPLE.name)
