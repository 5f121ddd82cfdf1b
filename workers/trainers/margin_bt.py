"""A reward model that asks the more of a margin the stronger the preference was.

    loss = log(1 + exp(m + r(rejected) - r(chosen)))        (Self-Reference AI Feedback, arXiv 2406.11190)

m is at most `most` (a judge that is confidently wrong asks for a large wrong margin) and comes from one of two places:
the strength of the decision, times `scale` (1 to 3 of people, whatever a model gave of its own), or the votes, with one
added to each side: m = log((n_w + 1) / (n_l + 1)), times `scale`. The paper's own measure needs the judge's
probabilities at its verdict; its loss on the text of the chosen answer is left out, for a reward model here has no
language head.
"""

from __future__ import annotations

from math import log
from typing import Any, Literal

from pydantic import Field

from workers.held_out import keep, summed
from workers.paired import PairRow, PairSettings
from workers.training import Job, Trainer, trainers


class MarginBT(PairSettings):
    strength: Literal["decision", "votes"] = Field(
        "decision", description="where the margin comes from: how strong the preference was, or how many agreed"
    )
    scale: float = Field(1.0, gt=0, le=10, description="how much margin a strength of 1 asks for")
    most: float = Field(3.0, gt=0, le=100, description="the largest margin")


def margin_of(row: PairRow, given: MarginBT) -> float:
    """The margin that a pair asks for."""
    strength = row.margin
    if given.strength == "votes":
        votes = float(row.trace.get("votes") or 1)
        winners = votes * row.confidence
        strength = log((winners + 1) / (votes - winners + 1))
    return max(0.0, min(given.most, given.scale * strength))


def train(job: Job) -> dict[str, Any]:
    """Raises ValueError for too few pairs, Unusable for a base that cannot be loaded."""
    from workers.nn import pairs

    given: MarginBT = job.settings

    def loss(chosen: Any, rejected: Any, batch: Any) -> Any:
        margins = chosen.new_tensor([margin_of(row, given) for row in batch["rows"]])
        return pairs.bradley_terry(chosen[:, 0], rejected[:, 0], margins)

    took, scored = pairs.train(job, loss)
    held = [one.ranked() for one in scored]
    keep(job.out, held)
    return {**took, **summed(held)}


trainers.add(
    Trainer(
        name="margin-bt",
        title="Reward model with margins",
        about="Learns from compared responses and how strongly each was preferred, by people or by AI feedback.",
        reads=("trl-preference", "trl-preference-implicit"),
        makes="reward",
        train=train,
        settings=MarginBT,
        bases=("embedder", "reward", "policy", "critic"),
    )
)
