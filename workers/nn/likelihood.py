"""How likely a language model holds what was written: log-probabilities of completions, read in padded batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from workers.nn.fitting import mixed
from workers.nn.language import Tokens
from workers.nn.loading import device
from workers.training import Settings


@dataclass(frozen=True, slots=True)
class Read:
    """The log-probability of a completion, its tokens, and those of them that were the likeliest."""

    total: float
    tokens: int
    guessed: int

    @property
    def mean(self) -> float:
        return self.total / max(1, self.tokens)


@torch.no_grad()
def read(model: Any, texts: Sequence[Tokens], settings: Settings, *, bare: bool = False) -> list[Read]:
    """Each text by its completion, in their order. `bare`: as the model is without its adapters."""
    order = sorted(range(len(texts)), key=lambda n: len(texts[n].ids))
    found: dict[int, Read] = {}
    was = model.training
    model.eval()
    with model.disable_adapter() if bare and hasattr(model, "disable_adapter") else nullcontext():
        for places in batches(order, texts, settings.batch_tokens):
            found.update(zip(places, completions(model, [texts[n] for n in places], settings.precision), strict=True))
    model.train(was)
    return [found[n] for n in range(len(texts))]


def batches(order: Sequence[int], texts: Sequence[Tokens], budget: int) -> Iterator[list[int]]:
    """Places in rising order of length, as many as fit into the budget with their padding."""
    batch: list[int] = []
    for place in order:
        if batch and (len(batch) + 1) * len(texts[place].ids) > budget:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def completions(model: Any, texts: Sequence[Tokens], precision: str) -> list[Read]:
    where = next(model.parameters()).device
    width = max(len(text.ids) for text in texts)
    ids = torch.tensor([text.ids + [0] * (width - len(text.ids)) for text in texts], device=where)
    mask = torch.tensor([[1] * len(text.ids) + [0] * (width - len(text.ids)) for text in texts], device=where)
    with torch.autocast(device().type, torch.bfloat16, enabled=mixed(precision)):
        logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits
    return [spoken(logits[n], ids[n], text) for n, text in enumerate(texts)]


def spoken(logits: Tensor, ids: Tensor, text: Tokens) -> Read:
    """logits [T, V]: a token is foretold by those at the place before it; the first of all by nothing."""
    start, end = max(1, text.start), len(text.ids)
    said, told = ids[start:end], logits[start - 1 : end - 1].float()
    values = told.gather(1, said[:, None])[:, 0] - told.logsumexp(1)
    return Read(values.sum().item(), end - start, int((told.argmax(1) == said).sum()))
