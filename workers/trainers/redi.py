"""REDI: a language model learns from right traces and, less strongly, from wrong ones (arXiv 2505.24850).

    1. fine-tuning on the preferred responses
    2. loss = - 1/|y+| log pi(y+|x) + alpha 1/|y-| log pi(y-|x)

There is no reference model; alpha = 0 is fine-tuning on y+, each text counting the same, and alpha = 1 the limit of
SimPO for small beta. The authors advise alpha = 0.8 and tuning the learning rate. Wrong traces push without bound: when
the preferred ones become much less likely than they were, the second stage is stopped and rolled back. Worth it only
where fine-tuning has stopped short of the aim: compare with alpha = 0 (experiments/redi.py).
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from workers.examples import Writing
from workers.held_out import keep, summed
from workers.training import Job, Trainer, trainers


class Redi(Writing):
    learning_rate: float = Field(1e-6, gt=0, le=1, description="of the second stage; with LoRA ten times more")
    alpha: float = Field(0.8, ge=0, le=1, description="weight of the responses that were not preferred; 0: none")
    sft_epochs: float = Field(3.0, ge=0, le=100, description="of the first stage; 0: the base has been through it")
    sft_learning_rate: float = Field(5e-5, gt=0, le=1, description="of the first stage")
    guard_window: int = Field(20, ge=0, le=10_000, description="steps whose mean is watched for collapse; 0: no guard")
    guard_drop: float = Field(
        1.0, gt=0, le=100, description="nats a token that the preferred responses may lose before it is stopped"
    )


def train(job: Job) -> dict[str, Any]:
    """Raises ValueError for too few pairs, Unusable for a base that is no language model."""
    from workers.nn import redi

    took, held = redi.train(job)
    keep(job.out, held)
    return {**took, **summed(held)}


trainers.add(
    Trainer(
        name="redi",
        title="Right and wrong traces (REDI)",
        about="A language model learns to write right traces and not to write wrong ones, without a reference model.",
        reads=("redi", "trl-preference", "trl-preference-implicit"),
        makes="policy",
        train=train,
        settings=Redi,
        bases=("policy", "critic"),
    )
)
