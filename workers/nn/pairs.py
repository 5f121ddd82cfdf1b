"""Training of reward and cost models: pairs to tokens, tokens to a loss (workers/trainers/ say which)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

from workers.held_out import Ranked
from workers.judging import Candidate, Given, Unusable
from workers.nn.fitting import Batch, Steps, adapted, fit, mixed, plan, save
from workers.nn.loading import LONGEST, device, quiet
from workers.nn.packing import Text
from workers.nn.texts import Tokenising, template_of
from workers.paired import PairRow, pairs_in
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

    def texts(self, pair: PairRow) -> tuple[Text, Text]:
        given = Given(0, pair.prompt, [candidate(0, pair.chosen), candidate(1, pair.rejected)])
        chosen, rejected = self.form.texts(0, given)
        self.cut += chosen.truncated + rejected.truncated
        return chosen, rejected

    def split(self, split: str) -> tuple[list[PairRow], list[tuple[Text, Text]]]:
        """Pairs with their tokens, without those whose two texts are the same to the model."""
        rows, texts = [], []
        for pair in pairs_in(self.job, split):
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


def collated(texts: Sequence[Text], pad: int) -> dict[str, Tensor]:
    """Texts as padded tensors, [n, longest]."""
    width = max(len(text.ids) for text in texts)
    made = {
        "input_ids": torch.tensor([text.ids + [pad] * (width - len(text.ids)) for text in texts]),
        "attention_mask": torch.tensor([[1] * len(text.ids) + [0] * (width - len(text.ids)) for text in texts]),
    }
    if texts[0].types is not None:
        types = [list(text.types or []) + [0] * (width - len(text.ids)) for text in texts]
        made["token_type_ids"] = torch.tensor(types)
    return made


def batch_of(pairs: Sequence[PairRow], texts: Sequence[tuple[Text, Text]], pad: int) -> dict[str, Any]:
    """One batch: the chosen texts, then the rejected ones."""
    both = [one for one, _ in texts] + [other for _, other in texts]
    return {
        "texts": collated(both, pad),
        "margin": torch.tensor([pair.margin for pair in pairs]),
        "confidence": torch.tensor([pair.confidence for pair in pairs]),
        "signs": torch.tensor([pair.signs for pair in pairs]),
        "weight": float(len(pairs)),
    }


def opened(job: Job, heads: Sequence[str] = ("reward",)) -> tuple[Any, Any]:
    """Model and tokenizer of the base, with a fresh head unless it has such a one. Raises Unusable."""
    assert job.base is not None
    with quiet():
        try:
            config = AutoConfig.from_pretrained(job.base, num_labels=len(heads))
            config.id2label = dict(enumerate(heads))
            config.label2id = {name: place for place, name in enumerate(heads)}
            config.problem_type = None
            model = AutoModelForSequenceClassification.from_pretrained(
                job.base, config=config, dtype=torch.float32, use_safetensors=True, ignore_mismatched_sizes=True
            )
            tokenizer = AutoTokenizer.from_pretrained(job.base, use_fast=True)
        except (OSError, ValueError, KeyError) as error:
            raise Unusable(f"a reward model cannot be made of it: {str(error).splitlines()[0][:300]}") from error
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    if model.config.pad_token_id is None:
        model.config.pad_token_id = (
            tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
        )
    still(model)
    return model, tokenizer


def still(model: Any) -> None:
    """Without dropout: the two responses of a pair are to be read by the same model."""
    for part in model.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0


def train(job: Job, pair_loss: PairLoss, heads: Sequence[str] = ("reward",)) -> tuple[dict[str, Any], list[Ranked]]:
    """Train on the pairs of a job, save the model; what it took, and the held-out pairs ranked by what came out.

    Raises ValueError when there are too few pairs.
    """
    torch.manual_seed(job.seed)
    model, tokenizer = opened(job, heads)
    encoded = Encoded(job, tokenizer, model)
    pairs, texts = encoded.split(TRAIN)
    if len(pairs) < LEAST:
        raise ValueError(f"{len(pairs)} pairs to learn from are too few; at least {LEAST}")
    held = {split: encoded.split(split) for split in job.held_out}
    kept = sum(len(rows) for rows, _ in held.values())
    job.log(f"{len(pairs)} pairs to learn from, {kept} held out; {encoded.cut} texts cut")
    pad = int(model.config.pad_token_id or 0)
    model = adapted(model, job.settings.lora, "SEQ_CLS")
    lengths = [len(one.ids) + len(other.ids) for one, other in texts]
    steps = Steps(
        plan(lengths, job.settings, job.seed),
        lambda places: batch_of([pairs[n] for n in places], [texts[n] for n in places], pad),
    )

    def loss(model: Any, batch: Batch) -> tuple[Tensor, float, Mapping[str, float]]:
        scores = model(**batch["texts"]).logits.float()
        chosen, rejected = scores.chunk(2)
        margin = (chosen - rejected).detach()[:, 0]
        told = {"accuracy": (margin > 0).float().mean().item(), "margin": margin.mean().item()}
        return pair_loss(chosen, rejected, batch).sum(), batch["weight"], told

    def measure() -> Mapping[str, float]:
        looked = [(rows[:LOOKED_AT], texts[:LOOKED_AT]) for rows, texts in held.values()]
        found = [one for rows, texts in looked for one in ranked(model, rows, texts, pad, job)]
        return {"held_out_accuracy": sum(one.right for one in found) / len(found)} if found else {}

    took = fit(job, model, steps, loss, measure if held else None)
    model.eval()
    found = [one for rows, texts in held.values() for one in ranked(model, rows, texts, pad, job)]
    save(model, tokenizer, job.model)
    tokens = sum(lengths)
    return {**took, "pairs": len(pairs), "tokens": tokens, "cut": encoded.cut}, found


@torch.no_grad()
def ranked(model: Any, rows: Sequence[PairRow], texts: Sequence[tuple[Text, Text]], pad: int, job: Job) -> list[Ranked]:
    """The scores of held-out pairs, in their order."""
    order = sorted(range(len(rows)), key=lambda n: len(texts[n][0].ids) + len(texts[n][1].ids))
    found: dict[int, Ranked] = {}
    budget, place = job.settings.batch_tokens, device()
    model.eval()
    while order:
        batch: list[int] = []
        widest = 0
        while order and (not batch or 2 * (len(batch) + 1) * max(widest, wide(texts[order[0]])) <= budget):
            batch.append(order.pop(0))
            widest = max(widest, wide(texts[batch[-1]]))
        given = collated([texts[n][0] for n in batch] + [texts[n][1] for n in batch], pad)
        with torch.autocast(place.type, torch.bfloat16, enabled=mixed(job.settings.precision)):
            scores = model(**{name: value.to(model.device) for name, value in given.items()}).logits.float()
        chosen, rejected = scores.chunk(2)
        for n, one, other in zip(batch, chosen.tolist(), rejected.tolist(), strict=True):
            found[n] = Ranked.of(rows[n], one[0], other[0])
    return [found[n] for n in range(len(rows))]


def wide(both: tuple[Text, Text]) -> int:
    return max(len(both[0].ids), len(both[1].ids))


def bradley_terry(chosen: Tensor, rejected: Tensor, margin: Tensor | float = 0.0, smoothing: float = 0.0) -> Tensor:
    """-log sigmoid(chosen - rejected - margin), [n]; with a share `smoothing` of the reverse."""
    gap = chosen - rejected - margin
    return -(1 - smoothing) * logsigmoid(gap) - smoothing * logsigmoid(-gap)
