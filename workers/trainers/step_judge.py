"""A judge of steps (a process reward model): of each step the probability that it is right.

    loss = - sum over steps of c_y log p(y | last token of the step)        (Lightman et al. 2023, arXiv 2305.20050)

The label stands on the last token of a step and nowhere else, as TRL's PRMTrainer had it (gone since TRL 1.14); the
token is found by the function with which the judge finds it (workers/nn/token_heads.py). c are class weights, undone in
the bias afterwards (workers/trainers/span_reward.py). A solution is read as ProcessBench does (arXiv 2412.06559):
the first step below the threshold is its first error. The threshold is chosen on prompts held back from `train`.

Rows of `trl-stepwise` end with the first wrong step. A causal model cannot see that they end; one that reads both ways
can, and would learn that a text which breaks off is wrong. So such a model also reads every row up to a step drawn at
random, and on held-out rows it is asked of each step with the text up to there. Raw answers (`annotations`)
hold whole responses: nothing is cut, and training reads what the judge will read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from pydantic import Field

from workers.held_out import keep, sigmoid
from workers.held_steps import Walked, best_cut, summed
from workers.measures import auroc
from workers.stepped import Stepped, stepped_in
from workers.training import TRAIN, Built, Job, Trainer, held_back, trainers

LEAST = 8
"""Fewer responses with a judged step than that teach nothing."""
DEFAULT = 0.5
LABELS = ("wrong", "right")


class StepJudge(Built):
    balance: float = Field(0.5, ge=0, le=1, description="how strongly the rarer of right and wrong is pushed")
    calibrate: float = Field(
        0.15, ge=0, le=0.5, description="share of the prompts that is not learnt from but chooses the threshold"
    )


def train(job: Job) -> dict[str, Any]:
    """Raises ValueError for too few judged responses, Unusable for a base that cannot be loaded."""
    import torch

    from workers.nn import tokens

    given: StepJudge = job.settings
    torch.manual_seed(job.seed)
    rows = stepped_in(job, TRAIN)
    if len(rows) < LEAST:
        raise ValueError(f"{len(rows)} responses with a judged step are too few; at least {LEAST}")
    learnt, back = held_back(rows, lambda row: row.prompt, given.calibrate, job.seed)
    reader = tokens.Reader(job, LABELS)
    chance = Random(job.seed)
    examples = [example(reader, one)[0] for row in learnt for one in readings(row, reader.causal, chance)]
    weights = tokens.class_weights(reader, examples, given.balance)
    held = [row for split in job.held_out for row in stepped_in(job, split)]
    seen = Asked(reader, held)
    job.log(f"{len(learnt)} responses to learn from, {len(back)} for the threshold, {len(held)} held out")

    def measure() -> dict[str, float]:
        found = seen.walked(tokens.LOOKED_AT)
        bad = [-value for one in found for value in one.values]
        value = auroc(bad, [not good for one in found for good in one.truth])
        return {} if value is None else {"held_out_auroc": value}

    _, took = tokens.train(reader, examples, tokens.cross_entropy(weights), measure if held else None, weights)
    tokens.keep_model(reader)
    threshold = best_cut(Asked(reader, back).walked())
    found = seen.walked()
    keep(job.out, found)
    chosen = {} if threshold is None else {"config": {"threshold": round(threshold, 4)}}
    return {**took, **chosen, **summed(found, threshold or DEFAULT)}


def readings(row: Stepped, causal: bool, chance: Random) -> list[Stepped]:
    """How a row is read: once, and by a model that sees its end also up to a step drawn at random."""
    if causal or row.whole or len(row.units) < 2:
        return [row]
    return [row, row.until(chance.randint(1, len(row.units) - 1))]


def example(reader: Any, row: Stepped, only: Sequence[int] | None = None) -> tuple[Any, list[int]]:
    """Its tokens with the last one of each step (or only of some) that the model sees, and which steps these are."""
    from workers.nn.token_heads import tokens_of
    from workers.nn.tokens import Example

    text = reader.text(row.prompt, row.response)
    places = range(len(row.units)) if only is None else only
    ends = {n: tokens_of(text, row.units[n], "last") for n in places}
    seen = [n for n, tokens in ends.items() if tokens]
    return Example(text, [ends[n] for n in seen], [[1 - row.labels[n], row.labels[n]] for n in seen]), seen


class Asked:
    """Rows as they are asked about: one text a row where the end is there or cannot be seen, else one a step."""

    def __init__(self, reader: Any, rows: Sequence[Stepped]) -> None:
        self.reader, self.rows = reader, rows
        self.examples = [self.examples_of(row) for row in rows]

    def examples_of(self, row: Stepped) -> list[tuple[Any, list[int]]]:
        if self.reader.causal or row.whole:
            return [example(self.reader, row)]
        return [example(self.reader, row.until(n + 1), [n]) for n in range(len(row.units))]

    def walked(self, most: int | None = None) -> list[Walked]:
        """What the model says now of the first `most` rows; steps that were cut from their text are left out."""
        from workers.nn import tokens

        some = self.examples[:most]
        told = iter(tokens.logits_of(self.reader.model, self.reader, [one for row in some for one, _ in row]))
        found = []
        for row, examples in zip(self.rows, some, strict=False):
            values = {n: likely(logits) for _, seen in examples for n, logits in zip(seen, next(told), strict=True)}
            if values:
                found.append(walked(row, values))
        return found


def likely(logits: Sequence[float]) -> float:
    """The probability of the second of two classes."""
    return sigmoid(logits[1] - logits[0])


def walked(row: Stepped, values: Mapping[int, float]) -> Walked:
    words = [len(row.response[slice(*row.units[n])].split()) for n in values]
    truth = [row.labels[n] >= 0.5 for n in values]
    return Walked(row.split, row.row, row.item, [round(value, 5) for value in values.values()], truth, words)


trainers.add(
    Trainer(
        name="step-judge",
        title="Step judge (process reward model)",
        about="Learns from judged steps; gives the probability that each step is right, and names the first wrong one.",
        reads=("trl-stepwise", "annotations"),
        makes="step",
        train=train,
        settings=StepJudge,
        bases=("embedder", "step", "policy", "critic"),
    )
)
