"""Kahneman-Tversky optimisation: a language model learns from responses that were called good or bad, one by one.

    good: 1 - sigmoid(beta (r - z)),  bad: 1 - sigmoid(beta (z - r)),  r = log pi(y|x)/ref(y|x)

z is the mean of r over responses given to other prompts, an estimate of KL(pi || ref) that carries no gradient
(Ethayarajh et al. 2024, arXiv 2402.01306, equation 7). Where good and bad ones are not alike many, the weights should
make `good_weight` x good to `bad_weight` x bad about 1 to 4/3 (equation 8).
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from workers.examples import Writing, continued
from workers.held_out import keep
from workers.held_out_texts import labelled
from workers.training import TRAIN, Job, Trainer, trainers


class Kto(Writing):
    learning_rate: float = Field(1e-6, gt=0, le=1, description="the highest that is reached; with LoRA ten times more")
    beta: float = Field(0.1, gt=0, le=100, description="how strongly the policy is held to its beginning")
    good_weight: float = Field(1.0, gt=0, le=100, description="weight of responses that are right or safe")
    bad_weight: float = Field(1.0, gt=0, le=100, description="weight of those that are not")


def train(job: Job) -> dict[str, Any]:
    """Raises ValueError for too few rows or one label only, Unusable for a base that is no language model."""
    from workers.nn import objectives

    held = [one for split in job.held_out for one in continued(job, split)]
    took, found = objectives.kto(job, list(continued(job, TRAIN)), held)
    keep(job.out, found)
    return {**took, **labelled(found)}


trainers.add(
    Trainer(
        name="kto",
        title="Optimisation on good and bad responses (KTO)",
        about="A language model learns from single responses that were judged right or wrong, safe or not.",
        reads=("trl-unpaired",),
        makes="policy",
        train=train,
        settings=Kto,
        bases=("policy", "critic"),
        beta=lambda settings: settings.beta,
    )
)
