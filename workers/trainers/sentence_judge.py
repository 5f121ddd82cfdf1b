"""A judge of sentences in two stages: is it faithful to the documents, and, given that, is it correct?

    P(C) = sum_F P(F) P(C | F),   loss = - alpha log P(F) - (1 - alpha) log P(C | F)   (after TRM, arXiv 2509.25409)

TRM writes F, a reason and C with a language model; this is the discriminative model of the same labels, without the
reason, which TRM finds to matter: where truth needs what no document says, do not expect it here. The head has an
output for each of the four cells of F and C, and its softmax is P(F) P(C | F): a head for F, and one for C under each
F, which learns from the label of F and not from its own guess. Where one label is not known, the other alone teaches.

A sentence is the mean of the hidden states of its tokens. Documents stand before the prompt, in training and where the
model judges (`documents` of its config). Answers of several annotators stay rows of their own, since TRM's stages are
answered one after the other and the shares of two questions do not say how they go together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp
from typing import Any, Literal

from pydantic import Field

from workers.held_out import keep
from workers.held_sentences import Sifted, best_cut, known, summed
from workers.judging import Unusable
from workers.measures import auroc
from workers.sentenced import CELLS, TARGET, UNKNOWN, Sentenced, sentenced_in
from workers.training import TRAIN, Built, Job, Trainer, held_back, trainers

LEAST = 8
"""Fewer answers than that teach nothing."""
DEFAULT = 0.5
GOOD = {"faithful": CELLS[:2], "correct": CELLS[::2]}


class SentenceJudge(Built):
    alpha: float = Field(0.5, gt=0, lt=1, description="weight of faithfulness; the rest is that of correctness")
    speaks_of: Literal["correct", "faithful"] = Field("correct", description="what the score of the model says")
    calibrate: float = Field(
        0.15, ge=0, le=0.5, description="share of the prompts that is not learnt from but chooses the threshold"
    )


def train(job: Job) -> dict[str, Any]:
    """Raises ValueError for too few labels, Unusable for a base that cannot be used."""
    import torch

    from workers.nn import tokens

    given: SentenceJudge = job.settings
    torch.manual_seed(job.seed)
    rows = sentenced_in(job, TRAIN)
    told = {label for row in rows for label in getattr(row, given.speaks_of)} - {UNKNOWN}
    if len(rows) < LEAST or len(told) < 2:
        raise ValueError(f"at least {LEAST} answers are needed, with sentences that are {given.speaks_of} and some not")
    reader = tokens.Reader(job, CELLS)
    if tokens.head_of(reader.model) is None:
        raise Unusable("its head is more than one layer: sentences cannot be read as the mean of their tokens")
    learnt, back = held_back(rows, lambda row: row.prompt, given.calibrate, job.seed)
    held = [row for split in job.held_out for row in sentenced_in(job, split)]
    seen, aside = [example(reader, row) for row in held], [example(reader, row) for row in back]
    job.log(f"{len(learnt)} answers to learn from, {len(back)} for the threshold, {len(held)} held out")

    def measure() -> dict[str, float]:
        found = known(sifted(reader, held[: tokens.LOOKED_AT], seen[: tokens.LOOKED_AT]), given.speaks_of)
        value = auroc([one for one, _, _ in found], [good for _, good, _ in found])
        return {} if value is None else {"held_out_auroc": value}

    examples = [example(reader, row)[0] for row in learnt]
    _, took = tokens.train(reader, examples, tokens.two_stages(given.alpha), measure if held else None)
    tokens.keep_model(reader)
    threshold = best_cut(sifted(reader, back, aside), given.speaks_of)
    found = sifted(reader, held, seen)
    keep(job.out, found)
    chosen = {} if threshold is None else {"config": {"threshold": round(threshold, 4)}}
    return {**took, **chosen, **summed(found, given.speaks_of, threshold or DEFAULT)}


def example(reader: Any, row: Sentenced) -> tuple[Any, list[int]]:
    """Its tokens, those of each sentence that the model sees, and which these are."""
    from workers.nn.texts import documented
    from workers.nn.token_heads import tokens_of
    from workers.nn.tokens import Example

    text = reader.text(documented(row.prompt, row.documents), row.response)
    groups = [tokens_of(text, unit, "mean") for unit in row.units]
    seen = [n for n, group in enumerate(groups) if group]
    return Example(text, [groups[n] for n in seen], [[row.faithful[n], row.correct[n]] for n in seen]), seen


def sifted(reader: Any, rows: Sequence[Sentenced], examples: Sequence[tuple[Any, list[int]]]) -> list[Sifted]:
    """What the model says now; sentences that were cut from their text are left out."""
    from workers.nn import tokens

    told = tokens.logits_of(reader.model, reader, [one for one, _ in examples])
    return [
        sifted_row(row, {n: cells_of(logits) for n, logits in zip(seen, values, strict=True)})
        for row, (_, seen), values in zip(rows, examples, told, strict=True)
        if seen
    ]


def cells_of(logits: Sequence[float]) -> list[float]:
    most = max(logits)
    weights = [exp(value - most) for value in logits]
    return [weight / sum(weights) for weight in weights]


def sifted_row(row: Sentenced, told: Mapping[int, Sequence[float]]) -> Sifted:
    return Sifted(
        row.split, row.row, row.item,
        [round(cells[0] + cells[1], 5) for cells in told.values()],
        [round(cells[0] + cells[2], 5) for cells in told.values()],
        [row.faithful[n] for n in told], [row.correct[n] for n in told],
        [len(row.response[slice(*row.units[n])].split()) for n in told],
    )  # fmt: skip


def config(settings: SentenceJudge) -> dict[str, Any]:
    return {"pool": "mean", "unit": "sentence", "documents": True, "positive": list(GOOD[settings.speaks_of])}


trainers.add(
    Trainer(
        name="sentence-judge",
        title="Sentence judge (faithful, then correct)",
        about="Learns from judged sentences whether each is faithful to the documents and, given that, correct.",
        reads=(TARGET,),
        makes="step",
        train=train,
        settings=SentenceJudge,
        bases=("embedder", "step", "policy", "critic"),
        config=config,
    )
)
