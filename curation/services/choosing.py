"""In which queue somebody goes on: the first, by priority, deadline and age, that is open to them and has a task.

It is asked when the queue at hand is dry, or when somebody changed who works where. Between, nothing looks at queues,
so a next task costs the same however many there are.
"""

from __future__ import annotations

from curation.models import Progress
from curation.services.desk import FRONT, Desk, Place
from curation.services.taking import OPEN, OWN, QUEUED
from curation.statements import rows

MINE = "SELECT 1 FROM curation_group_members m WHERE m.annotator_id = %s AND m.group_id = {}"
NAMED = "SELECT 1 FROM curation_queue_people p WHERE p.queue_id = q.id"
GROUPED = "SELECT 1 FROM curation_queue_groups s WHERE s.queue_id = q.id"
WAITS = f"({OPEN.format(columns='t.id', where='{}', excluded='1 = 0')}) IS NOT NULL"
"""The first open task, as a value: an EXISTS would be turned into a join over all open tasks of all queues."""
QUEUES = f"""
SELECT q.id, q.name, q.quota, q.priority, q.deadline
FROM curation_queue q
LEFT JOIN curation_share w ON w.queue_id = q.id AND w.annotator_id = %s
WHERE q.project_id = %s AND q.paused_at IS NULL
  AND ((NOT EXISTS ({NAMED}) AND NOT EXISTS ({GROUPED}))
       OR EXISTS ({NAMED} AND p.annotator_id = %s)
       OR EXISTS (SELECT 1 FROM curation_queue_groups s JOIN curation_group_members m ON m.group_id = s.group_id
                  WHERE s.queue_id = q.id AND m.annotator_id = %s))
  AND (q.skill_id IS NULL OR EXISTS ({MINE.format("q.skill_id")}))
  AND (q.quota IS NULL OR COALESCE(w.done, 0) < q.quota)
"""
"""The queues that are open to somebody; parameters: the annotator, the project, and the annotator three times more."""
CHOICE = f"""
SELECT * FROM (
  {QUEUES} AND {WAITS.format(QUEUED.replace("%s", "q.id"))}
  UNION ALL
  SELECT NULL, '', NULL, 0, NULL FROM curation_project o
  WHERE o.id = %s AND o.paused_at IS NULL AND {WAITS.format(OWN)}
) found
ORDER BY priority DESC, CASE WHEN id IS NULL THEN 1 ELSE 0 END,
         CASE WHEN deadline IS NULL THEN 1 ELSE 0 END, deadline, id
LIMIT 1
"""


def choose(desk: Desk, kind: str) -> tuple[bool, Place | None]:
    """Whether a task waits for this annotator anywhere, and in which queue they go on, from its front; None is the
    project's own. It is kept in their progress."""
    me, front = desk.annotator_id, [kind, FRONT]
    found = rows(
        CHOICE,
        [me, desk.project_id, me, me, me, *front, me, desk.project_id, desk.project_id, *front, me],
    )
    place = Place(*found[0][:3]) if found and found[0][0] else None
    queue_id = place.queue_id if place else None
    Progress.objects.filter(annotator=me).update(looking=False, cursor=FRONT, queue=queue_id)
    return bool(found), place


def open_queues(project_id: int, annotator_id: int) -> list[Place]:
    """The queues that an annotator may work in, whether or not a task waits there; the first to be worked in first."""
    me = annotator_id
    order = " ORDER BY priority DESC, CASE WHEN deadline IS NULL THEN 1 ELSE 0 END, deadline, id"
    return [Place(*found[:3]) for found in rows(QUEUES + order, [me, project_id, me, me, me])]
