"""An annotator's desk: who sits there, under which protocol, how far along; in one statement.

Every call of the annotation screen starts here, so it replaces half a dozen look-ups by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
from django.contrib.auth.models import AnonymousUser

from curation import access, statements
from curation.errors import Conflict, Forbidden, NotFound
from curation.models import Annotator, Progress, Project, Protocol, Role, TaskKind, User
from curation.protocols import Asked
from curation.services.gold import ahead

FRONT = -(2**62)
"""The cursor of an annotator who has not started: before every position."""

STANDING = f"""
SELECT p.id, p.slug, p.name, p.seed, p.task_count,
       c.id, c.axes, c.strengths, c.allow_tie, c.allow_both_bad, c.rationale,
       m.role, a.id, g.done, g.skipped, g.settled,
       (SELECT SUM(o.closed) FROM curation_progress o WHERE o.project_id = p.id), g."cursor",
       p.kind, c.unit, c.critiques, c.questions, c.help,
       {ahead.COLUMNS}
FROM curation_project p
LEFT JOIN curation_protocol c ON c.id = p.protocol_id
LEFT JOIN curation_membership m ON m.project_id = p.id AND m.user_id = %s
LEFT JOIN curation_annotator a ON a.project_id = p.id AND a.user_id = %s
LEFT JOIN curation_progress g ON g.annotator_id = a.id
WHERE p.deleted_at IS NULL AND """
BY_SLUG = STANDING + "p.slug = %s"
BY_TASK = STANDING + "p.id = (SELECT t.project_id FROM curation_task t WHERE t.id = %s)"


@dataclass(frozen=True, slots=True)
class Scale:
    """The protocol as far as an answer is checked against it."""

    protocol_id: int
    axes: list[dict[str, str]]
    strengths: int
    allow_tie: bool
    allow_both_bad: bool
    rationale: str
    kind: str = TaskKind.PREFERENCE
    more: tuple[str, str, str, str] = ("span", "{}", "[]", "{}")
    """Unit, critiques, questions and help, as the database has them."""

    @property
    def asked(self) -> Asked:
        """What is asked besides preferences. A protocol never changes, so it is read once."""
        return asked_by(*self.more)

    @property
    def plain(self) -> bool:
        """Whether an answer is preferences and a rationale, and nothing else can come with it."""
        return is_plain(self.kind, self.asked)


def is_plain(kind: str, asked: Asked) -> bool:
    """As `Scale.plain` has it."""
    more = asked.critiques.on or asked.questions or asked.help.mode != "off"
    return kind == TaskKind.PREFERENCE and not more


@lru_cache(maxsize=256)
def asked_by(unit: str, critiques: str, questions: str, help: str) -> Asked:
    columns = {"critiques": critiques, "questions": questions, "help": help}
    return Asked.model_validate({"unit": unit} | {name: orjson.loads(text) for name, text in columns.items()})


@dataclass(frozen=True, slots=True)
class ProgressNow:
    """How far an annotator is: `total` is what was open to this annotator, `left` what still is."""

    done: int
    skipped: int
    left: int

    @property
    def total(self) -> int:
        return self.done + self.left


@dataclass(frozen=True, slots=True)
class Desk:
    """One annotator in one project."""

    project_id: int
    slug: str
    project_name: str
    seed: int
    annotator_id: int
    cursor: int
    scale: Scale
    progress: ProgressNow
    gold: ahead.GoldDesk | None = None
    """None where gold changes nothing here."""


def desk_in(user: User | AnonymousUser, slug: str) -> Desk:
    """The desk of `user` in a project. Raises NotFound for strangers, Forbidden for who may not annotate."""
    return seated(user, BY_SLUG, slug, make=True)


def desk_at(user: User | AnonymousUser, task_id: int) -> Desk:
    """The desk of `user` in the project of a task; never made anew."""
    if task_id >= 2**63:
        raise NotFound("no such task")
    return seated(user, BY_TASK, task_id, make=False)


def desk_of(project: Project, annotator: Annotator) -> Desk:
    """The desk of any annotator, without asking for a role: for services that were let in already."""
    protocol = project.protocol
    if protocol is None:
        raise Conflict("this project has no protocol yet")
    progress, _ = Progress.objects.get_or_create(annotator=annotator, defaults={"project": project})
    now, gold = standing_now(annotator.pk)
    return Desk(
        project_id=project.pk,
        slug=project.slug,
        project_name=project.name,
        seed=project.seed,
        annotator_id=annotator.pk,
        cursor=progress.cursor,
        scale=Scale(
            protocol.pk,
            protocol.axes,
            protocol.strengths,
            protocol.allow_tie,
            protocol.allow_both_bad,
            protocol.rationale,
            project.kind,
            more_of(protocol),
        ),
        progress=now,
        gold=gold,
    )


def more_of(protocol: Protocol) -> tuple[str, str, str, str]:
    """As `Scale.more` has it."""
    critiques, questions, help = (
        orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
        for value in (protocol.critiques, protocol.questions, protocol.help)
    )
    return protocol.unit, critiques, questions, help


def asked(protocol: Protocol) -> Asked:
    """What a protocol asks besides preferences."""
    return asked_by(*more_of(protocol))


def progress_now(annotator_id: int) -> ProgressNow:
    """How far an annotator is, from the counters of the project's members."""
    return standing_now(annotator_id)[0]


def standing_now(annotator_id: int) -> tuple[ProgressNow, ahead.GoldDesk | None]:
    """How far an annotator is, and what gold changes for them."""
    found = statements.row(
        f"""SELECT p.task_count, g.done, g.skipped, g.settled,
                  (SELECT SUM(o.closed) FROM curation_progress o WHERE o.project_id = p.id),
                  {ahead.COLUMNS}
           FROM curation_annotator a
           JOIN curation_project p ON p.id = a.project_id
           LEFT JOIN curation_progress g ON g.annotator_id = a.id
           WHERE a.id = %s""",
        [annotator_id],
    )
    assert found is not None
    gold = ahead.read(found[5:])
    return ahead.counted(progress_from(*found[:5]), gold), gold


def progress_from(total: int, done: int | None, skipped: int | None, settled: int | None, closed: Any) -> ProgressNow:
    """What is left: all tasks, less those that are complete, less those answered or skipped and still open."""
    mine, aside, over = done or 0, skipped or 0, settled or 0
    left = max(0, total - int(closed or 0) - (mine + aside - over))
    return ProgressNow(done=mine, skipped=aside, left=left)


def seated(user: User | AnonymousUser, sql: str, key: str | int, *, make: bool) -> Desk:
    found = statements.row(sql, [user.pk, user.pk, key]) if user.is_authenticated else None
    if found is None:
        raise NotFound("no such project" if make else "no such task")
    role, annotator_id, done = found[11:14]
    admit(user, role)
    if found[5] is None:
        raise Conflict("this project has no protocol yet")
    if annotator_id is None or done is None:
        if not make:
            raise NotFound("this task is not yours")
        sit_down(user, found[0])
        return seated(user, sql, key, make=False)
    axes, gold = orjson.loads(found[6]), ahead.read(found[23:])
    return Desk(
        project_id=found[0],
        slug=found[1],
        project_name=found[2],
        seed=found[3],
        annotator_id=annotator_id,
        cursor=found[17],
        scale=Scale(found[5], axes, found[7], bool(found[8]), bool(found[9]), found[10], found[18], found[19:23]),
        progress=ahead.counted(progress_from(found[4], done, found[14], found[15], found[16]), gold),
        gold=gold,
    )


def admit(user: User | AnonymousUser, role: str | None) -> None:
    can = access.CAN[Role.OWNER] if user.is_superuser else access.CAN.get(role or "", frozenset())
    if access.SEE not in can:
        raise NotFound("no such project")
    if access.ANNOTATE not in can:
        raise Forbidden(f"your role does not let you {access.WHAT[access.ANNOTATE]}")


def sit_down(user: User | AnonymousUser, project_id: int) -> None:
    """Make the annotator of a user, and its counters, at first use."""
    assert isinstance(user, User)
    project = Project.objects.get(pk=project_id)
    annotator = access.annotator_for(user, project)
    Progress.objects.get_or_create(annotator=annotator, defaults={"project": project})
