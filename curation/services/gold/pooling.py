"""Many tasks made gold at once: those on which enough people answered and nearly all of them agreed."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence

from curation.errors import Invalid
from curation.models import GONE, Gold, Project, Task, User
from curation.services.deciding import FIRST, SECOND, annotated_tasks
from curation.services.gold.clear import clear
from curation.services.gold.marking import Marked, mark
from curation.services.gold.reading import Said
from workers.gold import PARTS

MOST = 1000
LOOKED_AT = 20_000
"""Tasks that are looked at for those that are made gold, from a random one on."""
AT_ONCE = 1000


def make_from_decisions(
    *,
    project: Project,
    min_votes: int = 3,
    min_confidence: float = 0.8,
    most: int = 50,
    parts: Sequence[str] = PARTS,
    phase: str = Gold.Phase.HIDDEN,
    by: User | None = None,
) -> list[Gold]:
    """Make up to `most` decided tasks gold: those with as many answers of people, of which such a share agrees.

    Of pairs, as many in which the first response is right as the second, as far as there are. Expected is what is
    clear of `parts` (`clear.py`): each axis, each question about a response or a unit of it, a ranking whose pairs are
    all clear, marked text. Raises Invalid naming what is out of range.
    """
    check(min_votes, min_confidence, most, parts)
    found: list[Marked] = []
    sides: Counter[str] = Counter()
    for tasks in chunks(project):
        for marked in clear(project, tasks, min_votes, min_confidence, parts):
            side = side_of(marked.expected)
            if side in (FIRST, SECOND) and sides[side] >= (most + 1) // 2:
                continue
            sides[side] += 1
            found.append(marked)
            if len(found) == most:
                break
        if len(found) == most:
            break
    return mark(project=project, rows=found, made_from=Gold.MadeFrom.DECISION, phase=phase, by=by)


def check(min_votes: int, min_confidence: float, most: int, parts: Sequence[str]) -> None:
    if not 1 <= min_votes <= 1000:
        raise Invalid("must be from 1 to 1000", field="min_votes")
    if not 0.5 < min_confidence <= 1:
        raise Invalid("must be above 0.5 and up to 1", field="min_confidence")
    if not 1 <= most <= MOST:
        raise Invalid(f"must be from 1 to {MOST}", field="most")
    if not parts or set(parts) - set(PARTS):
        raise Invalid(f"must be among {', '.join(PARTS)}", field="parts")


def chunks(project: Project) -> Iterator[list[int]]:
    """Tasks with answers that are no gold, from a random one on and then from the front."""
    ends = Task.objects.filter(project=project).order_by("pk").values_list("pk", flat=True)
    first, last = ends.first(), ends.last()
    if first is None or last is None:
        return
    start = random.SystemRandom().randint(first, last)
    looked = 0
    for after, until in ((start - 1, last), (first - 1, start - 1)):
        while looked < LOOKED_AT and (tasks := annotated_tasks(project, after=after, most=AT_ONCE)):
            after, looked = tasks[-1], looked + len(tasks)
            golden = Gold.objects.filter(task__in=tasks, retired_at=None).values("task")
            live = Task.objects.filter(pk__in=[pk for pk in tasks if pk <= until]).exclude(GONE)
            yield list(live.exclude(pk__in=golden).values_list("pk", flat=True))
            if after >= until:
                break


def side_of(expected: Said) -> str:
    return next((each[0] for each in expected.get("preferences", {}).values()), "")
