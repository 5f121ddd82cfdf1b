"""A reward model from compared responses: the whole encoder or language model learns, with a head of one number.

    loss = -log sigmoid(r(chosen) - r(rejected) - m)          (Bradley and Terry, Biometrika 39, 1952)

m is 0, or `margin` times the strength of the preference (Llama 2, arXiv 2307.09288, section 3.2.2). With label
smoothing e the loss is (1 - e) times this plus e times that of the reverse; soft labels take for 1 - e the confidence
of the decision, so that a pair on which people were divided pulls less. The head's numbers are kept near zero by
`centre` (r(chosen) + r(rejected))^2 (Eisenstein et al. 2023, arXiv 2312.09244). Skywork-Reward-V2 trains in this way
(arXiv 2507.01352); it filters the pairs beforehand, which is the work of curation here.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from workers.held_out import keep, summed
from workers.training import Job, Settings, Trainer, trainers


class BradleyTerry(Settings):
    margin: float = Field(0.0, ge=0, le=10, description="how much of the strength of a preference is asked as margin")
    smoothing: float = Field(0.0, ge=0, lt=0.5, description="share of the labels that are taken to be the other way")
    soft_labels: bool = Field(False, description="the confidence of each decision instead of its label alone")
    centre: float = Field(0.0, ge=0, le=1, description="weight that keeps scores near zero")


def train(job: Job) -> dict[str, Any]:
    """Raises ValueError for too few pairs, Unusable for a base that cannot be loaded."""
    from workers.nn import pairs

    given: BradleyTerry = job.settings

    def loss(chosen: Any, rejected: Any, batch: Any) -> Any:
        one, other = chosen[:, 0], rejected[:, 0]
        unsure = 1 - batch["confidence"] if given.soft_labels else given.smoothing
        value = pairs.bradley_terry(one, other, given.margin * batch["margin"], unsure)
        return value + given.centre * (one + other) ** 2

    took, held = pairs.train(job, loss)
    keep(job.out, held)
    return {**took, **summed(held)}


trainers.add(
    Trainer(
        name="bradley-terry",
        title="Reward model (Bradley-Terry)",
        about="Learns from compared responses which of two people prefer; gives a score to any response.",
        reads=("trl-preference", "trl-preference-implicit"),
        makes="reward",
        train=train,
        settings=BradleyTerry,
        bases=("embedder", "reward", "policy", "critic"),
    )
)
