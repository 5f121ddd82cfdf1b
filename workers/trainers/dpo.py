"""Direct preference optimisation: a language model learns from compared responses, without a reward model.

    loss = - log sigmoid(beta [log pi(y+)/ref(y+) - log pi(y-)/ref(y-)])  -  c mean_t log pi(y+_t | x, y+_<t)

The first part is DPO (Rafailov et al. 2023, arXiv 2305.18290), the second, weighted by `sft_anchor`, fine-tuning on
the preferred response. Read token by token, beta log pi/ref is a reward (From r to Q*, arXiv 2404.12358), and with its
base as the reference every policy made here is registered as a model of kind implicit too. Good accuracy on pairs does
not say that the right tokens are blamed: experiments/dpo_blame.py measures both, with and without the anchor.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from workers.examples import Writing
from workers.held_out import keep, summed
from workers.training import Job, Trainer, trainers


class Dpo(Writing):
    learning_rate: float = Field(1e-6, gt=0, le=1, description="the highest that is reached; with LoRA ten times more")
    beta: float = Field(0.1, gt=0, le=100, description="how strongly the policy is held to its beginning")
    sft_anchor: float = Field(1.0, ge=0, le=100, description="weight of fine-tuning on the preferred response; 0: none")
    loss: Literal["sigmoid", "ipo"] = Field("sigmoid", description="ipo: margins grow to 1 / (2 beta) and no further")


def train(job: Job) -> dict[str, Any]:
    """Raises ValueError for too few pairs, Unusable for a base that is no language model."""
    import torch

    from workers.nn import objectives
    from workers.nn.fitting import save
    from workers.nn.language import opened

    torch.manual_seed(job.seed)
    base = opened(job)
    ran, held = objectives.dpo(job, base)
    save(ran.model, base.tokenizer, job.model)
    keep(job.out, held)
    return {**ran.took, **summed(held)}


trainers.add(
    Trainer(
        name="dpo",
        title="Preference optimisation (DPO)",
        about="A language model learns which of two responses to write; beside its base it is a reward of every token.",
        reads=("trl-preference", "trl-preference-implicit"),
        makes="policy",
        train=train,
        settings=Dpo,
        bases=("policy", "critic"),
        beta=lambda settings: settings.beta,
    )
)
