"""The objectives on language models that TRL has: fine-tuning on completions, DPO on pairs, KTO on labelled ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DPOTrainer
from trl.trainer.kto_config import KTOConfig
from trl.trainer.kto_trainer import KTOTrainer
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from workers.examples import Example, length
from workers.held_out import Ranked
from workers.held_out_texts import Continued, Labelled
from workers.nn.fitting import Measure, save
from workers.nn.language import (
    Base,
    Ran,
    Tokens,
    adapters,
    budget,
    config,
    dataset,
    opened,
    reference_of,
    run,
    taught,
)
from workers.nn.likelihood import Read, read
from workers.paired import PairRow, pairs_in
from workers.training import TRAIN, Job

LOOKED_AT = 64
"""Held-out rows that are read again and again while a model trains."""


def sft(job: Job, base: Base, given: Sequence[Example], held: Sequence[Example]) -> tuple[Ran, list[Continued]]:
    """Fine-tune on completions: -log pi(y_t | x, y_<t), the mean over all tokens of the completions of a step.

    Returns the training and the held-out examples as the model reads them now, in their order but for the too long.
    Raises ValueError when there are too few.
    """
    examples, texts = base.encoded(given)
    base.enough(len(examples))
    others, unseen = base.encoded(held)
    lengths = [len(text.ids) for text in texts]
    args = SFTConfig(**config(job, budget(lengths, job.settings), base.form.max_length))
    rows = dataset([base.form.row(one.prompt, completion=one.completion) for one in examples], job.seed)

    def make() -> SFTTrainer:
        return SFTTrainer(
            base.model, args, train_dataset=rows, processing_class=base.tokenizer, peft_config=adapters(job)
        )

    def measure(model: Any) -> Measure:
        def told() -> Mapping[str, float]:
            found = read(model, unseen[:LOOKED_AT], job.settings)
            return {"held_out_loss": -sum(one.total for one in found) / sum(one.tokens for one in found)}

        return told

    ran = run(job, make, measure if others else None)
    ran.took |= {"rows": len(examples), "tokens": sum(lengths), "cut": base.cut, "dropped": base.dropped}
    found = read(ran.model, unseen, job.settings)
    return ran, [
        Continued(one.split, one.row, one.item, -value.mean, value.tokens, value.guessed, length(one.completion))
        for one, value in zip(others, found, strict=True)
    ]


def fine_tuned(job: Job, given: Sequence[Example], held: Sequence[Example]) -> tuple[dict[str, Any], list[Continued]]:
    """`sft` from the base of a job to its model."""
    torch.manual_seed(job.seed)
    base = opened(job)
    ran, found = sft(job, base, given, held)
    save(ran.model, base.tokenizer, job.model)
    return ran.took, found


Both = tuple[Tokens, Tokens]


def pairs_of(base: Base, split: str) -> tuple[list[PairRow], list[Both]]:
    """The pairs of a split with their tokens, without those that are the same to the model or have no room."""
    rows: list[PairRow] = []
    found: list[Both] = []
    for pair in pairs_in(base.job, split):
        both = base.form.tokens(pair.prompt, pair.chosen), base.form.tokens(pair.prompt, pair.rejected)
        if not all(map(taught, both)):
            base.dropped += 1
        elif both[0].ids != both[1].ids:
            rows.append(pair)
            found.append(both)
            base.cut += both[0].cut + both[1].cut
    return rows, found


def length_of(both: Both) -> int:
    return 2 * max(len(one.ids) for one in both)


def flat(found: Sequence[Both]) -> list[Tokens]:
    return [one for both in found for one in both]


def dpo(job: Job, base: Base) -> tuple[Ran, list[Ranked]]:
    """Direct preference optimisation, with `sft_anchor` times the loss of fine-tuning on the chosen responses.

    Held-out pairs are ranked by the implicit reward. Raises ValueError when there are too few pairs.
    """
    given = job.settings
    pairs, texts = pairs_of(base, TRAIN)
    base.enough(len(pairs), "pairs")
    held = {split: pairs_of(base, split) for split in job.held_out}
    kept = [pair for rows, _ in held.values() for pair in rows]
    unseen = flat([both for _, found in held.values() for both in found])
    lengths = [length_of(both) for both in texts]
    before = read(base.model, unseen, given)
    args = DPOConfig(
        **config(job, budget(lengths, given), base.form.max_length),
        loss_type=[given.loss, "sft"] if given.sft_anchor else [given.loss],
        loss_weights=[1.0, given.sft_anchor] if given.sft_anchor else [1.0],
        beta=given.beta,
    )
    rows = dataset([base.form.row(one.prompt, chosen=one.chosen, rejected=one.rejected) for one in pairs], job.seed)
    reference = reference_of(job, base.model)

    def make() -> DPOTrainer:
        return DPOTrainer(
            base.model, reference, args, train_dataset=rows, processing_class=base.tokenizer, peft_config=adapters(job)
        )

    def measure(model: Any) -> Measure:
        return lambda: accuracy(rewards(read(model, unseen[: 2 * LOOKED_AT], given), before, given.beta))

    ran = run(job, make, measure if kept else None)
    ran.took |= {"pairs": len(pairs), "tokens": sum(lengths), "cut": base.cut, "dropped": base.dropped}
    scores = rewards(read(ran.model, unseen, given), before, given.beta)
    return ran, ranked(kept, scores)


def rewards(now: Sequence[Read], before: Sequence[Read], beta: float) -> list[float]:
    """beta (log pi - log pi_ref) of each text; of `before` those that were read now."""
    return [beta * (one.total - other.total) for one, other in zip(now, before, strict=False)]


def ranked(pairs: Sequence[PairRow], scores: Sequence[float]) -> list[Ranked]:
    """Held-out pairs with the scores of their responses, two a pair."""
    return [Ranked.of(pair, scores[2 * n], scores[2 * n + 1]) for n, pair in enumerate(pairs)]


def accuracy(scores: Sequence[float]) -> dict[str, float]:
    pairs = list(zip(scores[::2], scores[1::2], strict=True))
    return {"held_out_accuracy": sum((one > other) + (one == other) / 2 for one, other in pairs) / len(pairs)}


def kto(job: Job, given: Sequence[Example], held: Sequence[Example]) -> tuple[dict[str, Any], list[Labelled]]:
    """Kahneman-Tversky optimisation on responses labelled good or bad; held-out ones with their implicit reward.

    Raises ValueError when there are too few, or only good or only bad ones.
    """
    torch.manual_seed(job.seed)
    settings, base = job.settings, opened(job)
    examples, texts = base.encoded(given)
    base.enough(len(examples))
    if len({one.label for one in examples}) < 2:
        raise ValueError("all responses have the same label: there is nothing to tell apart")
    others, unseen = base.encoded(held)
    before = read(base.model, unseen, settings)
    lengths = [len(text.ids) for text in texts]
    args = KTOConfig(
        # A batch's completions are turned among its prompts for the KL term: it needs two.
        **config(job, budget(lengths, settings, least=2), base.form.max_length),
        beta=settings.beta,
        desirable_weight=settings.good_weight,
        undesirable_weight=settings.bad_weight,
    )
    rows = dataset(
        [{**base.form.row(one.prompt, completion=one.completion), "label": one.label} for one in examples], job.seed
    )
    reference = reference_of(job, base.model)

    def make() -> KTOTrainer:
        return KTOTrainer(
            base.model, reference, args, train_dataset=rows, processing_class=base.tokenizer, peft_config=adapters(job)
        )

    def scores(model: Any, some: Sequence[Tokens]) -> list[float]:
        return rewards(read(model, some, settings), before, settings.beta)

    def measure(model: Any) -> Measure:
        return lambda: separation(scores(model, unseen[:LOOKED_AT]), others)

    ran = run(job, make, measure if others else None)
    found = scores(ran.model, unseen)
    save(ran.model, base.tokenizer, job.model)
    took = {**ran.took, "rows": len(examples), "tokens": sum(lengths), "cut": base.cut, "dropped": base.dropped}
    return took, [
        Labelled(one.split, one.row, one.item, score, one.label, length(one.completion))
        for one, score in zip(others, found, strict=True)
    ]


def separation(scores: Sequence[float], examples: Sequence[Example]) -> dict[str, float]:
    right = [(score > 0) == one.label for score, one in zip(scores, examples, strict=False)]
    return {"held_out_accuracy": sum(right) / len(right)}
