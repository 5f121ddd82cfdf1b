"""Fine-tuning of a critic on what people wrote: verdicts with their reasons, or critiques of spans.

    loss = - mean over tokens of log pi(answer_t | question, answer_<t)

A question is what workers/critics/ asks of any critic, of the same protocol; an answer is JSON of the shape that they
read, reason before verdict. So what is trained is asked like every other critic, and is bound to that way of asking.
This is the first stage of DeepCritic (arXiv 2505.00662) and of Text2Grad's critic (arXiv 2505.22338, section 3.2).
Afterwards it is asked about held-out rows, and its answers are read as those of any critic.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from workers.critic_examples import critiqued, way_of
from workers.examples import Writing
from workers.held_out import keep
from workers.held_out_texts import asked, read
from workers.training import TRAIN, Job, Trainer, trainers


class CriticSft(Writing):
    learning_rate: float = Field(5e-5, gt=0, le=1, description="the highest that is reached")
    epochs: float = Field(3.0, gt=0, le=100, description="how often each row is seen")
    max_length: int = Field(
        2048, ge=8, le=1_000_000, description="tokens of a question with its answer; longer ones are cut"
    )
    guidelines: bool = Field(True, description="whether the project's guidelines are part of the question")
    ask: int = Field(32, ge=0, le=10_000, description="held-out questions that it is asked afterwards")


def train(job: Job) -> dict[str, Any]:
    """Raises ValueError for too few rows, Unusable for a base that is no language model."""
    from workers.nn import critics

    given: CriticSft = job.settings
    held = [one for split in job.held_out for one in critiqued(job, split, given.guidelines)]
    took, found, longest = critics.fine_tuned(job, list(critiqued(job, TRAIN, given.guidelines)), held)
    keep(job.out, found)
    config = {"prompt": way_of(job).name, "max_tokens": longest, "max_length": given.max_length + longest}
    return {**took, **read(found), **asked(found), "config": config}


trainers.add(
    Trainer(
        name="critic-sft",
        title="Fine-tuning of a critic",
        about="A language model learns to write verdicts with reasons, or critiques of spans, as people wrote them.",
        reads=("critique-verdict", "text2grad"),
        makes="critic",
        train=train,
        settings=CriticSft,
        bases=("policy", "critic"),
    )
)
