"""Fine-tuning of a language model on the responses that people preferred.

    loss = - mean over tokens of log pi(y_t | x, y_<t),  y the completion, x its prompt

The prompt is read and not learnt. TRL's SFTTrainer does it (https://huggingface.co/docs/trl/sft_trainer). What comes
out is the beginning of DPO and REDI, which assume a reference that writes such responses already (Rafailov et al.
2023, arXiv 2305.18290, section 4).
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from workers.examples import Writing, continued
from workers.held_out import keep
from workers.held_out_texts import read
from workers.training import TRAIN, Job, Trainer, trainers


class Sft(Writing):
    learning_rate: float = Field(5e-5, gt=0, le=1, description="the highest that is reached")
    epochs: float = Field(3.0, gt=0, le=100, description="how often each row is seen")


def train(job: Job) -> dict[str, Any]:
    """Raises ValueError for too few rows, Unusable for a base that is no language model."""
    from workers.nn import objectives

    held = [one for split in job.held_out for one in continued(job, split)]
    took, found = objectives.fine_tuned(job, list(continued(job, TRAIN)), held)
    keep(job.out, found)
    return {**took, **read(found)}


trainers.add(
    Trainer(
        name="sft",
        title="Fine-tuning (SFT)",
        about="A language model learns to write as the preferred responses are written.",
        reads=("trl-sft",),
        makes="policy",
        train=train,
        settings=Sft,
        bases=("policy", "critic"),
    )
)
