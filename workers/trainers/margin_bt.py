"""A reward model that asks the more of a margin the stronger the preference was.

    loss = log(1 + exp(m + r(rejected) - r(chosen)))        (Self-Reference AI Feedback, arXiv 2406.11190)

m is at most `most` (a judge that is confidently wrong asks for a large wrong margin) and comes from one of three
places, times `scale`. The strength of the decision: 1 to 3 of people, whatever a model gave of its own. The votes,
with one added to each side: m = log((n_w + 1) / (n_l + 1)). Or how likely the models that preferred so held it: the
mean of their log-odds, which are the paper's strength where a judge voted by semantic perplexity
(workers/critics/voting.py); a pair of which no model said so asks for no margin. The loss on the text of the chosen
answer is left out, for a reward model here has no language head.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import log
from statistics import fmean
from typing import Any, Literal

from pydantic import Field

from workers.held_out import keep, summed
from workers.paired import UNDECIDED, PairRow, PairSettings
from workers.training import Job, Trainer, trainers

SURE = 1 - 1e-6


class MarginBT(PairSettings):
    strength: Literal["decision", "votes", "probability"] = Field(
        "decision",
        description="where the margin comes from: how strong the preference was, how many agreed, or how sure the "
        "models were that preferred so",
    )
    scale: float = Field(1.0, gt=0, le=10, description="how much margin a strength of 1 asks for")
    most: float = Field(3.0, gt=0, le=100, description="the largest margin")


Likely = Mapping[int, float]
"""P(the second response is better), by annotation."""


def margin_of(row: PairRow, given: MarginBT, likely: Likely | None = None) -> float:
    """The margin that a pair asks for."""
    strength = row.margin
    if given.strength == "votes":
        votes = float(row.trace.get("votes") or 1)
        winners = votes * row.confidence
        strength = log((winners + 1) / (votes - winners + 1))
    elif given.strength == "probability":
        strength = odds(row, likely or {})
    return max(0.0, min(given.most, given.scale * strength))


def odds(row: PairRow, likely: Likely) -> float:
    """Mean log-odds of the preferred side, over the answers of the decision that prefer it and say how likely."""
    second = float(row.trace.get("value") or 0) > 0
    said = [likely[pk] for pk in row.trace.get("annotations") or () if pk in likely]
    sure = [min(p if second else 1 - p, SURE) for p in said]
    return fmean([log(p / (1 - p)) for p in sure if p > UNDECIDED] or [0.0])


def probabilities(job: Job) -> dict[int, float]:
    """What the answers of a version say of how likely the second response is better; of several axes the first."""
    found: dict[int, float] = {}
    for row in job.rows_in("annotations.jsonl"):
        if row.get("probability") is not None:
            found.setdefault(row["annotation"], float(row["probability"]))
    return found


def train(job: Job) -> dict[str, Any]:
    """Raises ValueError for too few pairs, Unusable for a base that cannot be loaded."""
    from workers.nn import pairs

    given: MarginBT = job.settings
    likely = probabilities(job) if given.strength == "probability" else {}

    def loss(chosen: Any, rejected: Any, batch: Any) -> Any:
        margins = chosen.new_tensor([margin_of(row, given, likely) for row in batch["rows"]])
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
