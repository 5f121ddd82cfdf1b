"""An annotator's desk: who sits there, under which protocol, how far along; in one statement.

Every call of the annotation screen starts here, so it replaces half a dozen look-ups by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
from django.contrib.auth.models import AnonymousUser

from curation import access, statements
from curation.errors import Conflict, Forbidden, NotFound
from curation.models import Annotator, Progress, Project, Protocol, Role, TaskKind, User
from curation.models.repeats import REPEATED
from curation.protocols import Asked
from curation.services.gold import ahead
from curation.services.repeating import ahead as repeats

FRONT = -(2**62)
"""The cursor of an annotator who has not started: before every position."""

NUMBERS = """p.task_count - p.queued_count, g.done, g.skipped, g.settled + g.queue_waiting,
       CASE WHEN g.queue_id IS NULL
         THEN (SELECT SUM(o.closed - o.queue_closed) FROM curation_progress o WHERE o.project_id = p.id)
         ELSE (SELECT SUM(o.closed) FROM curation_share o WHERE o.queue_id = g.queue_id) END,
       q.id, q.name, q.quota, q.task_count, w.done, w.skipped, w.settled"""
"""How far somebody is: in the project's own queue, and in the queue where they are now. See `progress_of`."""
MANY = 12
"""So many columns are NUMBERS."""
PLACE = """
LEFT JOIN curation_progress g ON g.annotator_id = a.id
LEFT JOIN curation_queue q ON q.id = g.queue_id
LEFT JOIN curation_share w ON w.queue_id = g.queue_id AND w.annotator_id = a.id
"""
STANDING = f"""
SELECT p.id, p.slug, p.name, p.seed,
       c.id, c.axes, c.strengths, c.allow_tie, c.allow_both_bad, c.rationale,
       p.kind, c.unit, c.critiques, c.questions, c.help,
       m.role, a.id, g.id, g."cursor", g.looking, a.paused_at, a.paused_reason,
       p.certainty, p.review_levels, p.review_share, {NUMBERS},
       {ahead.COLUMNS},
       {repeats.COLUMNS}
FROM curation_project p
LEFT JOIN curation_protocol c ON c.id = p.protocol_id
LEFT JOIN curation_membership m ON m.project_id = p.id AND m.user_id = %s AND m.deactivated_at IS NULL
LEFT JOIN curation_annotator a ON a.project_id = p.id AND a.user_id = %s
{PLACE}
WHERE p.deleted_at IS NULL AND """
BY_SLUG = STANDING + "p.slug = %s"
BY_TASK = STANDING + "p.id = (SELECT t.project_id FROM curation_task t WHERE t.id = %s)"
BY_REPEAT = STANDING + "p.id = (SELECT e.project_id FROM curation_repeat e WHERE e.id = %s)"


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
    """How far an annotator is: `total` is what was open to this annotator, `left` what still is.

    Inside a queue with a name all of it is of that queue; a quota is the most that is left.
    """

    done: int
    skipped: int
    left: int
    queue: str = ""

    @property
    def total(self) -> int:
        return self.done + self.left


@dataclass(frozen=True, slots=True)
class Place:
    """The queue in which an annotator goes on, and the most answers that it takes of one person."""

    queue_id: int
    name: str = ""
    quota: int | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """What the project says of its answers: when a label is decided, and how many answers are looked at again."""

    certainty: float = 0.9
    review_levels: int = 0
    review_share: float = 0.0


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
    place: Place | None = None
    """None: the project's own queue."""
    looking: bool = False
    """Whether the queue is to be chosen anew, since something was changed."""
    paused: str | None = None
    """Why this annotator gets no tasks; None while they do."""
    rules: Rules = Rules()
    gold: ahead.GoldDesk | None = None
    """None where gold changes nothing here."""
    again: repeats.Again | None = None
    """None where nothing is asked twice."""


def desk_in(user: User | AnonymousUser, slug: str) -> Desk:
    """The desk of `user` in a project. Raises NotFound for strangers, Forbidden for who may not annotate."""
    return seated(user, BY_SLUG, slug, make=True)


def desk_at(user: User | AnonymousUser, task_id: int) -> Desk:
    """The desk of `user` in the project of a task; never made anew."""
    if task_id >= 2**63:
        raise NotFound("no such task")
    if task_id >= REPEATED:
        return seated(user, BY_REPEAT, task_id - REPEATED, make=False)
    return seated(user, BY_TASK, task_id, make=False)


def desk_of(project: Project, annotator: Annotator) -> Desk:
    """The desk of any annotator, without asking for a role: for services that were let in already."""
    protocol = project.protocol
    if protocol is None:
        raise Conflict("this project has no protocol yet")
    progress, _ = Progress.objects.get_or_create(annotator=annotator, defaults={"project": project})
    queue = progress.queue
    now, gold, again = standing_now(annotator.pk)
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
        place=Place(queue.pk, queue.name, queue.quota) if queue else None,
        looking=progress.looking,
        paused=annotator.paused_reason if annotator.paused_at else None,
        rules=Rules(project.certainty, project.review_levels, project.review_share),
        gold=gold,
        again=again,
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
    """How far an annotator is, from the counters of the project's members, or of those who work in the queue."""
    return standing_now(annotator_id)[0]


def standing_now(annotator_id: int) -> tuple[ProgressNow, ahead.GoldDesk | None, repeats.Again | None]:
    """How far an annotator is, and what gold and repeats change for them."""
    found = statements.row(
        f"SELECT {NUMBERS}, {ahead.COLUMNS}, {repeats.COLUMNS} FROM curation_annotator a"
        f" JOIN curation_project p ON p.id = a.project_id {PLACE} WHERE a.id = %s",
        [annotator_id],
    )
    assert found is not None
    return counted(found)


def counted(columns: Sequence[Any]) -> tuple[ProgressNow, ahead.GoldDesk | None, repeats.Again | None]:
    """What NUMBERS, and the columns of gold and repeats behind them, say."""
    gold = ahead.read(columns[MANY : MANY + ahead.MANY])
    again = repeats.read(columns[MANY + ahead.MANY :])
    return repeats.counted(ahead.counted(progress_of(columns[:MANY]), gold), again), gold, again


def progress_of(numbers: Sequence[Any]) -> ProgressNow:
    """What the columns of NUMBERS say."""
    total, done, skipped, settled, closed, queue_id, name, quota, tasks, *mine = numbers
    if queue_id is None:
        return progress_from(total, done, skipped, settled, closed)
    mine_done, mine_skipped, mine_settled = mine
    now = progress_from(tasks, mine_done, mine_skipped, mine_settled, closed)
    left = now.left if quota is None else min(now.left, max(0, quota - now.done))
    return ProgressNow(done=now.done, skipped=now.skipped, left=left, queue=name)


def progress_from(total: int, done: int | None, skipped: int | None, settled: int | None, closed: Any) -> ProgressNow:
    """What is left: all tasks, less those that are complete, less those answered or skipped and still open."""
    mine, aside, over = done or 0, skipped or 0, settled or 0
    left = max(0, total - int(closed or 0) - (mine + aside - over))
    return ProgressNow(done=mine, skipped=aside, left=left)


def seated(user: User | AnonymousUser, sql: str, key: str | int, *, make: bool) -> Desk:
    found = statements.row(sql, [user.pk, user.pk, key]) if user.is_authenticated else None
    if found is None:
        raise NotFound("no such project" if make else "no such task")
    role, annotator_id, progress_id, cursor, looking, paused_at, reason = found[15:22]
    admit(user, role)
    if found[4] is None:
        raise Conflict("this project has no protocol yet")
    if annotator_id is None or progress_id is None:
        if not make:
            raise NotFound("this task is not yours")
        sit_down(user, found[0])
        return seated(user, sql, key, make=False)
    axes, numbers = orjson.loads(found[5]), found[25:]
    now, gold, again = counted(numbers)
    return Desk(
        project_id=found[0],
        slug=found[1],
        project_name=found[2],
        seed=found[3],
        annotator_id=annotator_id,
        cursor=cursor,
        scale=Scale(found[4], axes, found[6], bool(found[7]), bool(found[8]), found[9], found[10], found[11:15]),
        progress=now,
        place=Place(*numbers[5:8]) if numbers[5] else None,
        looking=bool(looking),
        paused=reason if paused_at else None,
        rules=Rules(*found[22:25]),
        gold=gold,
        again=again,
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
