"""Groups of people in a project: a team, a language, a skill. A skill is a group of those who have it."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from curation import access
from curation.errors import Conflict, Invalid, NotFound
from curation.models import Annotator, Group, Membership, Project
from curation.services.queueing import start_over
from curation.services.queues import people_in

MOST_GROUPS = 500


def find(project: Project, group_id: int) -> Group:
    found = project.groups.filter(pk=group_id).first() if group_id < 2**63 else None
    if found is None:
        raise NotFound("no such group")
    return found


@transaction.atomic
def add(*, project: Project, name: str, about: str = "", members: Sequence[int] = ()) -> Group:
    """A group of annotators, by their ids. Raises Invalid naming the field."""
    if project.groups.count() >= MOST_GROUPS:
        raise Invalid(f"a project has at most {MOST_GROUPS} groups; take some away first", field="name")
    return change(Group(project=project), name=name, about=about, members=members)


@transaction.atomic
def change(
    group: Group, *, name: str | None = None, about: str | None = None, members: Sequence[int] | None = None
) -> Group:
    """Change what is given. Who is in a group decides which queues are open to them from their next task on."""
    if name is not None:
        group.name = name.strip()
    if about is not None:
        group.about = about.strip()
    if not group.name or len(group.name) > 80:
        raise Invalid("needs 1 to 80 characters", field="name")
    if len(group.about) > 300:
        raise Invalid("at most 300 characters", field="about")
    try:
        with transaction.atomic():
            group.save()
    except IntegrityError as error:
        raise Invalid("another group of this project has this name", field="name") from error
    if members is not None:
        group.members.set(people_in(group.project, members, "members"))
        start_over([group.project_id])
    return group


@transaction.atomic
def remove(group: Group) -> None:
    """Take a group away. Raises Conflict while a queue is for it, which would else be for everybody."""
    if group.queues.exists():
        raise Conflict("a queue is for this group; change the queue first")
    try:
        group.delete()
    except ProtectedError as error:
        raise Conflict("a queue needs this skill; change the queue first") from error


def people(project: Project) -> list[Annotator]:
    """Everybody in a project who may be given work, by name: members who may annotate, and whoever annotated."""
    able = [role for role, can in access.CAN.items() if access.ANNOTATE in can]
    members = Membership.objects.filter(project=project, role__in=able, deactivated_at=None)
    new = members.exclude(user__annotators__project=project).select_related("user")
    for member in new:
        access.annotator_for(member.user, project)
    known = project.annotators.filter(kind=Annotator.Kind.PERSON, user__isnull=False).select_related("user")
    present = set(members.values_list("user", flat=True))
    return sorted((one for one in known if one.user_id in present), key=lambda one: str(one.user).casefold())
