"""What an annotator's desk knows of repeats, read in the desk's own statement: whether one is due, and how many come.

The tasks that are left to somebody hold the repeats among them, so that what is shown as done and left moves by one
with each answer and nobody can tell a repeat by it. In a project without repeats nothing is counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from workers.gold import is_slot, slots_before

MINE = "(SELECT COUNT(*) FROM curation_repeat e WHERE e.annotator_id = a.id AND e.state = '{}')"
COLUMNS = f"""p.repeat_percent, p.repeat_after, p.seed, a.id, g.done + g.skipped,
       CASE WHEN p.repeat_percent > 0 THEN (SELECT COUNT(*) FROM curation_assignment h
                                            WHERE h.annotator_id = a.id AND h.state = 'reserved') END,
       CASE WHEN p.repeat_percent > 0 THEN {MINE.format("answered")} END,
       CASE WHEN p.repeat_percent > 0 THEN {MINE.format("skipped")} END,
       CASE WHEN p.repeat_percent > 0 THEN {MINE.format("open")} END,
       CASE WHEN p.repeat_percent > 0 THEN (SELECT MAX(e.place) FROM curation_repeat e
                                            WHERE e.annotator_id = a.id) END"""
"""Of a statement over a project p, an annotator a and its progress g."""

AHEAD = 4
"""One more than the screen holds at a time: at an earlier place nothing might be old enough."""

P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Again:
    """Repeats as one annotator meets them. Places count the tasks that were ever put into their hands, from 0."""

    percent: int
    after: int
    """So many tasks of theirs come before the first repeat, and at least so many answers lie between the two."""
    seed: str
    over: int
    """Tasks that were answered or skipped."""
    in_hand: int
    answered: int
    skipped: int
    open: int
    """Repeats that were asked and are neither answered nor skipped."""
    next_place: int
    """Behind the place of the latest repeat."""

    @property
    def place(self) -> int:
        """Of the next task that is given out."""
        return self.over + self.in_hand

    @property
    def due(self) -> bool:
        """Whether a repeat is asked before the next task that is given out."""
        return not self.open and self.place >= self.begin and is_slot(self.place, self.percent, self.seed)

    @property
    def begin(self) -> int:
        """From which place on another repeat may be asked."""
        return max(self.place, self.next_place, self.after + AHEAD)

    def coming(self, left: int) -> int:
        """How many repeats are still to be answered while `left` tasks are, those in hand among them."""
        start, end = self.begin, self.over + left
        slots = slots_before(end, self.percent, self.seed) - slots_before(start, self.percent, self.seed)
        return self.open + max(0, slots)


def read(columns: Sequence[Any]) -> Again | None:
    """COLUMNS as the database gave them; None where nothing is asked again."""
    percent, after, seed, annotator_id, over, in_hand, answered, skipped, waiting, last = columns
    if not percent or annotator_id is None:
        return None
    return Again(
        percent=percent,
        after=after,
        seed=f"again:{seed}:{annotator_id}",
        over=over or 0,
        in_hand=in_hand or 0,
        answered=answered or 0,
        skipped=skipped or 0,
        open=waiting or 0,
        next_place=0 if last is None else last + 1,
    )


def counted(progress: P, again: Again | None) -> P:
    """A `ProgressNow` with the repeats that were asked and those that are still to come."""
    if again is None:
        return progress
    now: Any = progress
    counted: P = replace(
        now,
        done=now.done + again.answered,
        skipped=now.skipped + again.skipped,
        left=now.left + again.coming(now.left),
    )
    return counted
