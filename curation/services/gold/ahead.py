"""What an annotator's desk knows of gold, read in the desk's own statement: whether any is due, and how many are left.

The tasks that are left to somebody hold the gold among them, counted by the places where it will come. So what is
shown as done and left moves by one with each answer, gold or not, and nobody can tell them apart by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from curation.services.gold.rules import GoldRules, rules_from
from workers.gold import slots_among, slots_before

IN_HAND = """(SELECT COUNT(*) FROM curation_assignment h {joined}
  WHERE h.annotator_id = a.id AND h.state = 'reserved')"""
OF_GOLD = """JOIN curation_gold o ON o.task_id = h.task_id AND o.retired_at IS NULL AND o.phase = 'hidden'"""
COLUMNS = f"""p.seed, a.id, p.gold, p.gold_count, p.training_count, a.paused_at IS NOT NULL,
       g.done + g.skipped - g.gold_base, g.gold_done, g.gold_before, g.gold_base, g.gold_served, g.gold_spent,
       g.trained_at IS NOT NULL, g.training_answered,
       CASE WHEN p.gold_count > 0 THEN {IN_HAND.format(joined="")} END,
       CASE WHEN p.gold_count > 0 THEN {IN_HAND.format(joined=OF_GOLD)} END"""
"""Of a statement over a project p, an annotator a and its progress g; in a project without gold nothing is counted."""
MANY = 16
"""So many columns are COLUMNS."""

P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class GoldDesk:
    """Gold as one annotator meets it. A sequence of tasks begins whenever the rate is set anew, or training is over."""

    seed: str
    rules: GoldRules
    count: int
    """Hidden gold that may be asked."""
    to_train: int
    """Gold to train on that there is."""
    paused: bool
    over: int
    """Tasks of the sequence that were answered or skipped, gold among them."""
    gold_over: int
    """Gold among these."""
    gold_ever: int
    """Gold that this annotator has ever answered or skipped."""
    served: int
    spent: int
    trained: bool
    training_answered: int
    in_hand: int
    gold_in_hand: int

    @property
    def training(self) -> int:
        """How many tasks a round of training has; 0 when this annotator needs none."""
        return 0 if self.trained else min(self.rules.training, self.to_train)

    @property
    def asks(self) -> bool:
        """Whether hidden gold comes at all."""
        return bool(self.rules.rate and self.count > self.spent)

    @property
    def due(self) -> bool:
        """Whether the next task that is given out is gold. What is given back changes places, and nothing else."""
        gold = self.gold_over + self.gold_in_hand
        return self.asks and slots_before(self.over + self.in_hand + 1, self.rules.rate, self.seed) > gold

    def coming(self, left: int) -> int:
        """How many gold tasks are still to be answered when `left` others are.

        It is what the whole sequence holds less what was answered, so that neither taking a task in hand nor giving it
        back changes it.
        """
        if self.training:
            over = gold_over = 0
        else:
            over, gold_over = self.over, self.gold_over
        slots = slots_among(0, over - gold_over + left, self.rules.rate, self.seed) - gold_over if self.asks else 0
        hidden = min(max(0, slots), max(0, self.count - self.gold_ever))
        return hidden + max(0, self.training - self.training_answered)


def read(columns: Sequence[Any]) -> GoldDesk | None:
    """COLUMNS as the database gave them; None where gold changes nothing for this annotator."""
    seed, annotator_id, rules, count, to_train, paused, over, done, before, base, *rest = columns
    served, spent, trained, training_answered, in_hand, gold_in_hand = rest
    if annotator_id is None or not (count or to_train or paused):
        return None
    return GoldDesk(
        seed=f"{seed}:{annotator_id}:{base or 0}",
        rules=rules_from(rules),
        count=count,
        to_train=to_train,
        paused=bool(paused),
        over=max(0, over or 0),
        gold_over=max(0, (done or 0) - (before or 0)),
        gold_ever=done or 0,
        served=served or 0,
        spent=spent or 0,
        trained=bool(trained),
        training_answered=training_answered or 0,
        in_hand=in_hand or 0,
        gold_in_hand=gold_in_hand or 0,
    )


def counted(progress: P, gold: GoldDesk | None) -> P:
    """A `ProgressNow` with the gold that is still to come."""
    if gold is None:
        return progress
    now: Any = progress
    more = gold.coming(now.left)
    counted: P = replace(now, left=now.left + more) if more else progress
    return counted
