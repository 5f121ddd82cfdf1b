"""Labels that two models are asked about: kept where both agree, flipped where both contradict, else dropped.

The second stage of Skywork-Reward-V2 (arXiv 2507.01352, section 4) without a judge: one model has learnt from verified
pairs alone, the other is the best there is. The plan of that name asks judges too (workers/consistency.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import Field

from workers.consistency import Outcome, agrees, outcome, reason
from workers.curating import Action, Aid, Curator, Proposal, Row, Settings, Side, curators

KINDS: dict[str, Any] = {"choose": "model", "kinds": ["reward"]}
ACTIONS: dict[Outcome, Action] = {Outcome.FLIP: "flip", Outcome.DROP: "drop", Outcome.ASK: "ask"}
CAUSES = {
    Outcome.FLIP: "two models prefer the other",
    Outcome.DROP: "two models do not agree on the label",
    Outcome.ASK: "two models contradict and a judge agrees",
}


class ConsistencySettings(Settings):
    model: int = Field(title="First model", description="learnt from verified pairs alone", json_schema_extra={**KINDS})
    second: int = Field(title="Second model", description="the best there is", json_schema_extra={**KINDS})
    head: str = Field(default="", max_length=40, title="Head", description="of models with several scores")


def propose(rows: Iterable[Row], params: ConsistencySettings, aid: Aid) -> Iterator[Proposal]:
    for row in rows:
        if not row.labelled or row.settled:
            continue
        first, second = (agreed(row.chosen, row.rejected, which) for which in ("score", "second"))
        if first is None or second is None:
            continue
        found = outcome(first, second)
        if found is not Outcome.KEEP:
            against = (row.rejected.score or 0.0) - (row.chosen.score or 0.0)
            yield Proposal(row.subject, ACTIONS[found], against, reason(first, second), CAUSES[found])


def agreed(chosen: Side, rejected: Side, which: str) -> bool | None:
    """Whether a model is on the side of the label; None where it has not scored both."""
    scores = getattr(chosen, which), getattr(rejected, which)
    return None if None in scores else agrees(*scores)


curators.add(
    Curator(
        name="consistency",
        title="Two models",
        about="Flips labels that two models contradict and drops those on which they do not agree.",
        propose=propose,
        params=ConsistencySettings,
        paper="arXiv 2507.01352",
        needs=frozenset({"scores"}),
    )
)
