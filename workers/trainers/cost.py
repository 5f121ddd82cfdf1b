"""A cost model from responses of which one is safer and each is safe or not: how harmful, with zero as the boundary.

    loss = -log sigmoid(c(unsafer) - c(safer))
           - w [log sigmoid(t(unsafer) c(unsafer)) + log sigmoid(t(safer) c(safer))]
           + centre (c(unsafer)^2 + c(safer)^2) / 2

t is 1 for a harmful response and -1 for a harmless one (Dai et al., Safe RLHF, arXiv 2310.12773, section 3.2); `graded`
takes the severity, 1 to 3, of a harmful one (Ji et al., Safe RLHF-V, arXiv 2503.17682). The less safe response ranks
higher. Without the terms with t the order comes out the same, but zero means nothing (experiments/cost_sign.py).
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from workers.held_out import keep, summed
from workers.paired import PairSettings
from workers.training import Job, Trainer, trainers


class Cost(PairSettings):
    sign_weight: float = Field(1.0, ge=0, le=10, description="weight of harmful or not beside which is safer")
    graded: bool = Field(False, description="severe harm is pushed further from zero than minor harm")
    centre: float = Field(1e-3, ge=0, le=1, description="weight that keeps costs near zero")


def train(job: Job) -> dict[str, Any]:
    """Raises ValueError for too few pairs, Unusable for a base that cannot be loaded."""
    from workers.nn import pairs

    given: Cost = job.settings

    def loss(unsafer: Any, safer: Any, batch: Any) -> Any:
        weight, graded, centre = given.sign_weight, given.graded, given.centre
        return pairs.safe_rlhf(unsafer[:, 0], safer[:, 0], batch["signs"], weight, graded, centre)

    took, scored = pairs.train(job, loss, ("cost",))
    held = [one.ranked() for one in scored]
    keep(job.out, held)
    told = {**took, **summed(held)}
    told.pop("length_bias", None)  # it speaks of preferred responses
    return told


trainers.add(
    Trainer(
        name="cost",
        title="Cost model (Safe RLHF)",
        about="Learns how harmful responses are: which of two is less safe, and whether one is harmful at all.",
        reads=("pku-saferlhf",),
        makes="cost",
        train=train,
        settings=Cost,
        bases=("embedder", "reward", "cost", "policy", "critic"),
        config=lambda settings: {"axis": "harmlessness"},
    )
)
