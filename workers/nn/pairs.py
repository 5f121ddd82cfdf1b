"""Training of reward and cost models: pairs to tokens, tokens to a loss (workers/trainers/ say which)."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from workers.held_out import Ranked
from workers.judging import Candidate, Given
from workers.nn import opening
from workers.nn.fitting import Batch, Steps, adapted, cut, fit, mixed, plan, save
from workers.nn.loading import LONGEST, device
from workers.nn.reading import Both, Reading
from workers.nn.texts import Tokenising, template_of
from workers.paired import PairRow, Read, pairs_in
from workers.training import TRAIN, Job

LEAST = 8
"""Fewer pairs than that teach nothing."""
LOOKED_AT = 256
"""Held-out pairs that are scored again and again while a model trains."""

PairLoss = Callable[[Tensor, Tensor, Batch], Tensor]
"""(scores of the chosen [n, heads], of the rejected [n, heads], the batch): the loss of each pair, [n]."""


class Encoded:
    """The pairs of a job as tokens, exactly as the scoring engine reads them later."""

    def __init__(self, job: Job, tokenizer: Any, model: Any) -> None:
        self.job, self.tokenizer = job, tokenizer
        config = model.config
        template = template_of(job.template, tokenizer, causal_of(config))
        self.form = Tokenising(tokenizer, longest(job, config, tokenizer), template, not causal_of(config))
        self.cut = 0

    def texts(self, pair: PairRow) -> Both:
        given = Given(0, pair.prompt, [candidate(0, pair.chosen), candidate(1, pair.rejected)])
        chosen, rejected = self.form.texts(0, given)
        self.cut += chosen.truncated + rejected.truncated
        return chosen, rejected

    def split(self, split: str, read: Read | None = None) -> tuple[list[PairRow], list[Both]]:
        """Pairs with their tokens, without those whose two texts are the same to the model."""
        rows, texts = [], []
        for pair in pairs_in(self.job, split, read):
            both = self.texts(pair)
            if both[0].ids != both[1].ids:
                rows.append(pair)
                texts.append(both)
        return rows, texts


def candidate(key: int, messages: Sequence[Mapping[str, Any]]) -> Candidate:
    alone = len(messages) == 1
    return Candidate(key, str(messages[-1].get("content") or ""), () if alone else messages)


def causal_of(config: Any) -> bool:
    from workers.nn.families import FAMILIES

    family = FAMILIES.get(config.model_type)
    return family.causal if family else config.model_type not in ("deberta", "deberta-v2", "mpnet", "albert")


def longest(job: Job, config: Any, tokenizer: Any) -> int:
    positions = getattr(config.get_text_config(), "max_position_embeddings", None) or LONGEST
    if causal_of(config) is False and "roberta" in config.model_type:
        positions -= (config.pad_token_id or 0) + 1
    told = [job.settings.max_length, positions, tokenizer.model_max_length]
    return int(min(value for value in told if value and value <= LONGEST))


def batch_of(places: Sequence[int], pairs: Sequence[PairRow], texts: Sequence[Both], reading: Reading) -> Batch:
    """One batch of the pairs at `places`."""
    rows = [pairs[place] for place in places]
    return {
        "texts": reading.batch([texts[place] for place in places]),
        "rows": rows,
        "places": torch.tensor(places),
        "margin": torch.tensor([pair.margin for pair in rows]),
        "confidence": torch.tensor([pair.confidence for pair in rows]),
        "signs": torch.tensor([pair.signs for pair in rows]),
        "axes": torch.tensor([pair.axes for pair in rows]),
        "weight": float(len(rows)),
    }


def opened(job: Job, heads: Sequence[str] = ("reward",)) -> tuple[Any, Any]:
    """Model and tokenizer of a job, with a head for each name. Raises as workers.nn.opening does."""
    model, tokenizer = opening.opened(job, "score", heads)
    still(model)
    return model, tokenizer


def still(model: Any) -> None:
    """Without dropout: the two responses of a pair are to be read by the same model."""
    for part in model.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0


@dataclass(frozen=True, slots=True)
class Scored:
    """A held-out pair with what each head gives its two responses."""

    row: PairRow
    chosen: list[float]
    rejected: list[float]

    def ranked(self, head: int | None = None) -> Ranked:
        """By one head, or by the mean of all."""
        if head is None:
            return Ranked.of(self.row, fmean(self.chosen), fmean(self.rejected))
        one, other = self.chosen[head], self.rejected[head]
        return Ranked.of(self.row, *((one, other) if self.row.axes[head] > 0 else (other, one)))


def train(
    job: Job, pair_loss: PairLoss, heads: Sequence[str] = ("reward",), read: Read | None = None
) -> tuple[dict[str, Any], list[Scored]]:
    """Train on the pairs of a job, save the model; what it took, and the held-out pairs scored by what came out.

    `read` says how a row of the version is a pair, where its target leaves a choice. Raises ValueError when there are
    too few pairs.
    """
    torch.manual_seed(job.seed)
    model, tokenizer = opened(job, heads)
    encoded = Encoded(job, tokenizer, model)
    pairs, texts = encoded.split(TRAIN, read)
    if len(pairs) < LEAST:
        raise ValueError(f"{len(pairs)} pairs to learn from are too few; at least {LEAST}")
    held = {split: encoded.split(split, read) for split in job.held_out}
    kept = sum(len(rows) for rows, _ in held.values())
    job.log(f"{len(pairs)} pairs to learn from, {kept} held out; {encoded.cut} texts cut")
    reading = Reading(model, tokenizer, job.settings.shared_prefix)
    model = adapted(model, job.settings.lora, "SEQ_CLS")
    sizes = [reading.size(both) for both in texts]
    steps = Steps(plan(sizes, job.settings, job.seed), lambda places: batch_of(places, pairs, texts, reading))

    def loss(model: Any, batch: Batch) -> tuple[Tensor, float, Mapping[str, float]]:
        chosen, rejected = scores_of(model, batch["texts"])
        margin = ((chosen - rejected) * batch["axes"]).detach().mean(1)
        told = {"accuracy": (margin > 0).float().mean().item(), "margin": margin.mean().item()}
        return pair_loss(chosen, rejected, batch).sum(), batch["weight"], told

    def measure() -> Mapping[str, float]:
        looked = [(rows[:LOOKED_AT], texts[:LOOKED_AT]) for rows, texts in held.values()]
        found = [one for rows, texts in looked for one in scored(model, rows, texts, reading, job.settings)]
        right = [one.ranked(0 if len(one.row.axes) > 1 else None).right for one in found]
        return {"held_out_accuracy": fmean(right)} if right else {}

    took = fit(job, model, steps, loss, measure if held else None)
    found = [one for rows, texts in held.values() for one in scored(model, rows, texts, reading, job.settings)]
    save(model, tokenizer, job.model)
    tokens = sum(len(text) for both in texts for text in both)
    return {**took, "pairs": len(pairs), "tokens": tokens, "cut": encoded.cut}, found


def scores_of(model: Any, given: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
    """Of the chosen and of the rejected responses of a batch, each [n, heads]."""
    chosen, rejected = model(**given).logits.float().chunk(2)
    return chosen, rejected


@torch.no_grad()
def scored(model: Any, rows: Sequence[PairRow], texts: Sequence[Both], reading: Reading, settings: Any) -> list[Scored]:
    """Pairs with their scores, in their order."""
    sizes = [reading.size(both) for both in texts]
    order = sorted(range(len(rows)), key=lambda n: sizes[n])
    found: dict[int, Scored] = {}
    place = device()
    model.eval()
    for batch in cut(order, sizes, settings.batch_tokens):
        given = reading.batch([texts[n] for n in batch])
        on = {name: value.to(model.device) if isinstance(value, Tensor) else value for name, value in given.items()}
        with torch.autocast(place.type, torch.bfloat16, enabled=mixed(settings.precision)):
            chosen, rejected = scores_of(model, on)
        for n, one, other in zip(batch, chosen.tolist(), rejected.tolist(), strict=True):
            found[n] = Scored(rows[n], one, other)
    return [found[n] for n in range(len(rows))]


def bradley_terry(
    chosen: Tensor, rejected: Tensor, margin: Tensor | float = 0.0, smoothing: Tensor | float = 0.0
) -> Tensor:
    """-log sigmoid(chosen - rejected - margin), in the shape of the scores; with a share `smoothing` of the reverse."""
    gap = chosen - rejected - margin
    return -(1 - smoothing) * logsigmoid(gap) - smoothing * logsigmoid(-gap)


def safe_rlhf(unsafer: Tensor, safer: Tensor, signs: Tensor, weight: float, graded: bool, centre: float) -> Tensor:
    """The loss of workers/trainers/cost.py, [n]; `signs` [n, 2], zero where it is not known whether harm is done."""
    both = torch.stack([unsafer, safer], 1)
    ways = signs if graded else signs.sign()
    apart = -(logsigmoid(ways * both) * (ways != 0)).sum(1)
    return bradley_terry(unsafer, safer) + weight * apart + centre * (both**2).mean(1)


def drawn(places: Tensor, members: int, seed: int) -> Tensor:
    """How often each member sees each pair, [n, members]: Poisson with mean 1, the bootstrap of a stream (Oza and
    Russell 2001). The same for a pair whenever it comes."""
    ones = torch.ones(members)
    seeds = (random.Random(f"{seed} {place}").getrandbits(62) for place in places.tolist())
    return torch.stack([torch.poisson(ones, torch.Generator().manual_seed(one)) for one in seeds]).to(places.device)
