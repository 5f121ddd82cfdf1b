"""The next task in as few statements as the database allows: one on PostgreSQL, a transaction on SQLite.

Both do the same: an own live reservation first, else the first open task of the annotator's queue after the cursor. On
PostgreSQL rows that others are picking are stepped over (SKIP LOCKED), and the commit does not wait for the
disk, since a reservation need not survive a crash of the database. What another tab of the same person picked
meanwhile is not picked again: that tab's assignment is not touched, and nothing is found.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from curation.errors import NotFound
from curation.models import Task
from curation.services.desk import Desk, Place
from curation.statements import row, rows

SHOWN = "SELECT x.task_id, x.ord, x.expires_at, x.kind, i.id, i.prompt, i.context, x.review_id, {columns} FROM chosen x"
RESPONSE = "{0}.id, {0}.text, {0}.messages, {0}.unit, {0}.units"
CONTENT = {
    Task.Kind.PREFERENCE: SHOWN.format(columns=f"{RESPONSE.format('f')}, {RESPONSE.format('s')}")
    + """
JOIN curation_pair p ON p.id = x.pair_id
JOIN curation_item i ON i.id = p.item_id
JOIN curation_response f ON f.id = p.first_id
JOIN curation_response s ON s.id = p.second_id
""",
    Task.Kind.RESPONSE: SHOWN.format(columns=RESPONSE.format("f"))
    + """
JOIN curation_response f ON f.id = x.response_id
JOIN curation_item i ON i.id = f.item_id
""",
    Task.Kind.RANKING: SHOWN.format(columns=RESPONSE.format("f"))
    + """
JOIN curation_item i ON i.id = x.item_id
JOIN curation_response f ON f.item_id = i.id AND f.deleted_at IS NULL
ORDER BY f.position
""",
}
"""What a task of each kind shows, after `chosen`: a ranking has a row for each response."""

HELD = """
SELECT a.task_id, a."order" AS ord, a.expires_at, t.kind, t.pair_id, t.response_id, t.item_id, a.review_id
FROM curation_assignment a JOIN curation_task t ON t.id = a.task_id
WHERE a.annotator_id = %s AND a.state = 'reserved' AND t.kind = %s AND NOT ({excluded})
ORDER BY a.id LIMIT 1
"""

BEHIND = 2**62
"""Behind every position, where no task is."""
OWN, QUEUED = "t.project_id = %s AND t.queue_id IS NULL", "t.queue_id = %s"
"""Where to look: in the project's own queue, or in another. Each has a partial index of its own."""
PICKED = "t.id, t.position, t.kind, t.pair_id, t.response_id, t.item_id, t.queue_id"
OPEN = """
SELECT {columns}
FROM curation_task t
WHERE {where} AND t.kind = %s AND t.state = 'open' AND t.taken < t.overlap AND t.position > %s
  AND NOT ({excluded})
  AND NOT EXISTS (SELECT 1 FROM curation_assignment mine
                  WHERE mine.task_id = t.id AND mine.annotator_id = %s AND mine.state <> 'released')
ORDER BY t.position LIMIT 1
"""

POSTGRES = """
WITH relaxed AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true)),
held AS MATERIALIZED ({held}),
pick AS MATERIALIZED (
  SELECT o.* FROM relaxed, LATERAL ({open} FOR UPDATE OF t SKIP LOCKED) o
  WHERE NOT EXISTS (SELECT 1 FROM held)
),
moved AS (
  UPDATE curation_progress g SET "cursor" = pick.position, queue_id = pick.queue_id FROM pick WHERE g.annotator_id = %s
),
made AS (
  INSERT INTO curation_assignment (task_id, annotator_id, state, "order", expires_at, created_at)
  SELECT pick.id, %s, 'reserved',
         CASE get_bit(decode(md5(%s || ':' || pick.id || ':' || %s), 'hex'), 0) WHEN 1 THEN 'ba' ELSE 'ab' END,
         %s, %s
  FROM pick
  ON CONFLICT (task_id, annotator_id)
    DO UPDATE SET state = 'reserved', expires_at = EXCLUDED.expires_at, current_id = NULL
    WHERE curation_assignment.state = 'released'
  RETURNING task_id, "order" AS ord, expires_at, review_id
),
counted AS (UPDATE curation_task t SET taken = t.taken + 1 FROM made WHERE t.id = made.task_id),
chosen AS (
  SELECT * FROM held
  UNION ALL
  SELECT made.task_id, made.ord, made.expires_at, pick.kind, pick.pair_id, pick.response_id, pick.item_id,
         made.review_id
  FROM made JOIN pick ON pick.id = made.task_id
)
"""
TAKE = {
    where: POSTGRES.format(
        held=HELD.format(excluded="a.task_id = ANY(%s)"),
        open=OPEN.format(columns=PICKED, where=where, excluded="t.id = ANY(%s)"),
    )
    for where in (OWN, QUEUED)
}


@dataclass(frozen=True, slots=True)
class ShownResponse:
    """A response as it is shown; JSON still as text. The id stays on the server."""

    id: int
    text: str
    messages: str | None
    unit: str
    units: str | None


@dataclass(frozen=True, slots=True)
class Shown:
    """A task as its annotator sees it: responses in shown order, JSON still as text; no model names.

    `order` says how: ab or ba for a pair, for a ranking the places of the responses (2,0,1), else nothing.
    """

    task_id: int
    kind: str
    order: str
    expires_at: datetime
    item_id: int
    prompt: str
    context: str
    responses: tuple[ShownResponse, ...]
    review_id: int | None = None
    """The review that put the task into these hands, where there was one."""

    @property
    def texts(self) -> tuple[str, ...]:
        return tuple(response.text for response in self.responses)


def shown_order(seed: int, task_id: int, annotator_id: int) -> str:
    """Which response is on the left, as by a fair coin for each person and task, and the same at every look."""
    return "ba" if hashlib.md5(f"{seed}:{task_id}:{annotator_id}".encode()).digest()[0] & 1 else "ab"


def shuffled(count: int, seed: int, task_id: int, annotator_id: int) -> list[int]:
    """In which order the responses of a ranking are shown to a person, the same at every look."""
    places = list(range(count))
    random.Random(f"{seed}:{task_id}:{annotator_id}").shuffle(places)
    return places


MINE = """
SELECT a.task_id, a."order" AS ord, a.expires_at, t.kind, t.pair_id, t.response_id, t.item_id, a.review_id
FROM curation_assignment a JOIN curation_task t ON t.id = a.task_id
WHERE a.annotator_id = %s AND a.task_id = %s AND t.project_id = %s
"""


def held(desk: Desk, task_id: int) -> Shown:
    """A task that is or was in this annotator's hands, as it was shown. Raises NotFound for anybody else's."""
    found = rows(
        f"WITH chosen AS ({MINE}) {CONTENT[Task.Kind(desk.scale.kind)]}", [desk.annotator_id, task_id, desk.project_id]
    )
    if not found:
        raise NotFound("this task is not yours")
    return shown(desk, found)


def take(
    desk: Desk, kind: str, exclude: Sequence[int], expires: datetime, after: int, place: Place | None
) -> Shown | None:
    """The own live reservation outside `exclude`, else a new one of the queue behind `after`, else None."""
    if connection.vendor == "postgresql" and (place is None or place.quota is None):
        return take_at_once(desk, kind, exclude, expires, after, place)
    with transaction.atomic():
        if place and place.quota is not None and not below_quota(desk, place):
            after = BEHIND
        take_ = take_at_once if connection.vendor == "postgresql" else take_stepwise
        return take_(desk, kind, exclude, expires, after, place)


def below_quota(desk: Desk, place: Place) -> bool:
    """Whether this person may take one more task of the queue. It locks their progress against their other tabs."""
    if connection.vendor == "postgresql":
        rows("SELECT 1 FROM curation_progress WHERE annotator_id = %s FOR UPDATE", [desk.annotator_id])
    share = row(
        "SELECT done FROM curation_share WHERE queue_id = %s AND annotator_id = %s", [place.queue_id, desk.annotator_id]
    )
    in_hand = row(  # IN_HAND_MOST rows at most, of the partial index on what is in hand
        "SELECT COUNT(*) FROM curation_assignment a JOIN curation_task t ON t.id = a.task_id"
        " WHERE a.annotator_id = %s AND a.state = 'reserved' AND t.queue_id = %s",
        [desk.annotator_id, place.queue_id],
    )
    assert in_hand is not None and place.quota is not None
    return bool((share[0] if share else 0) + in_hand[0] < place.quota)


def take_at_once(
    desk: Desk, kind: str, exclude: Sequence[int], expires: datetime, after: int, place: Place | None
) -> Shown | None:
    """PostgreSQL's one statement."""
    me, seed, now = desk.annotator_id, str(desk.seed), timezone.now()
    sql, where = (TAKE[QUEUED], place.queue_id) if place else (TAKE[OWN], desk.project_id)
    found = rows(
        sql + CONTENT[Task.Kind(kind)],
        [me, kind, list(exclude)] + [where, kind, after, list(exclude), me] + [me, me, seed, str(me), expires, now],
    )
    return shown(desk, found) if found else None


def take_stepwise(
    desk: Desk, kind: str, exclude: Sequence[int], expires: datetime, after: int, place: Place | None
) -> Shown | None:
    """The same in single statements, under the write lock of an immediate transaction."""
    me = desk.annotator_id
    among = f"IN ({', '.join(['%s'] * len(exclude))})" if exclude else "IS NULL"
    content = f"WITH chosen AS ({HELD.format(excluded=f'a.task_id {among}')}) {CONTENT[Task.Kind(kind)]}"
    if found := rows(content, [me, kind, *exclude]):
        return shown(desk, found)
    where, key = (QUEUED, place.queue_id) if place else (OWN, desk.project_id)
    picked = row(OPEN.format(columns=PICKED, where=where, excluded=f"t.id {among}"), [key, kind, after, *exclude, me])
    if picked is None:
        return None
    task_id, position, queue_id = picked[0], picked[1], picked[6]
    rows("UPDATE curation_task SET taken = taken + 1 WHERE id = %s", [task_id])
    rows('UPDATE curation_progress SET "cursor" = %s, queue_id = %s WHERE annotator_id = %s', [position, queue_id, me])
    rows(
        'INSERT INTO curation_assignment (task_id, annotator_id, state, "order", expires_at, created_at)'
        " VALUES (%s, %s, 'reserved', %s, %s, %s) ON CONFLICT (task_id, annotator_id)"
        " DO UPDATE SET state = 'reserved', expires_at = excluded.expires_at, current_id = NULL",
        [task_id, me, shown_order(desk.seed, task_id, me), expires, timezone.now()],
    )
    return shown(desk, rows(content, [me, kind, *exclude]))


def shown(desk: Desk, found: Sequence[Any]) -> Shown:
    task_id, order, expires_at, kind, item_id, prompt, context, review_id, *columns = found[0]
    if kind == Task.Kind.RANKING:
        given = [ShownResponse(*line[8:]) for line in found]
        places = shuffled(len(given), desk.seed, task_id, desk.annotator_id)
        order, responses = ",".join(map(str, places)), [given[place] for place in places]
    else:
        responses = [ShownResponse(*columns[n : n + 5]) for n in range(0, len(columns), 5)]
        order = order if kind == Task.Kind.PREFERENCE else ""
        if order == "ba":
            responses.reverse()
    if isinstance(expires_at, str):
        expires_at = datetime.fromisoformat(expires_at)
    return Shown(task_id, kind, order, expires_at, item_id, prompt, context, tuple(responses), review_id)
