"""The tensors of a Bradley-Terry head on a frozen BERT (workers/trainers/frozen_head.py tells the method)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import softplus
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from workers.judging import Candidate, Given
from workers.nn.loading import quiet
from workers.nn.texts import Tokenising

TOLD_EVERY = 20
SQUEEZE = 4.0
"""Standardised states are divided by it before the tanh, which is then nearly straight."""

Asked = tuple[Sequence[Mapping[str, Any]], str]
"""A prompt and a response."""


@dataclass(frozen=True, slots=True)
class Encoder:
    model: Any
    tokenizer: Any
    length: int


@dataclass(frozen=True, slots=True)
class Head:
    """r(x) = weights . tanh((x - mean) / (SQUEEZE deviation)) + bias."""

    mean: Tensor
    deviation: Tensor
    weights: Tensor
    bias: Tensor

    def features(self, states: Tensor) -> Tensor:
        return torch.tanh((states - self.mean) / (SQUEEZE * self.deviation))

    def rewards(self, states: Tensor) -> Tensor:
        return self.features(states) @ self.weights + self.bias


def encoder(folder: Path, length: int) -> Encoder:
    with quiet():
        model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=1, use_safetensors=True)
        tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    return Encoder(model.eval().float(), tokenizer, min(length, model.config.max_position_embeddings))


@torch.no_grad()
def states(encoder: Encoder, asked: Sequence[Asked], read: Callable[[int], None] = lambda n: None) -> Tensor:
    """State of the first token of each (prompt, response), n x d, in float64; one at a time, as is fastest on a CPU.

    `read` is told after every TOLD_EVERY how many are done.
    """
    form = Tokenising(encoder.tokenizer, encoder.length, "plain", pairs=True)
    rows = []
    for key, (prompt, response) in enumerate(asked):
        [text] = form.texts(key, Given(key, prompt, [Candidate(key, response)]))
        ids = torch.tensor([text.ids])
        types = torch.tensor([text.types])
        out = encoder.model.base_model(input_ids=ids, token_type_ids=types, attention_mask=torch.ones_like(ids))
        rows.append(out.last_hidden_state[0, 0].double())
        if (key + 1) % TOLD_EVERY == 0:
            read(key + 1)
    return torch.stack(rows)


@torch.no_grad()
def rewards_by(folder: Path, length: int, asked: Sequence[Asked]) -> list[float]:
    """What a model that `save` wrote gives each (prompt, response)."""
    if not asked:
        return []
    reader = encoder(folder, length)
    model = reader.model.double()
    pooled = model.base_model.pooler(states(reader, asked)[:, None].to(model.dtype))
    found: list[float] = model.classifier(pooled)[:, 0].tolist()
    return found


def fit(chosen: Tensor, rejected: Tensor, *, weight: float) -> Head:
    """The head with the least loss. The loss is convex, so it is found whatever the start."""
    both = torch.cat([chosen, rejected])
    plain = Head(
        both.mean(0), both.std(0).clamp_min(1e-6), torch.zeros(chosen.shape[1]).double(), torch.zeros(1).double()
    )
    difference = SQUEEZE * (plain.features(chosen) - plain.features(rejected))
    weights = torch.zeros(chosen.shape[1], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = softplus(-(difference @ weights)).sum() + weight / 2 * weights @ weights
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    found = SQUEEZE * weights.detach()
    return Head(plain.mean, plain.deviation, found, -(plain.features(both) @ found).mean().reshape(1))


def cross_validated(
    chosen: Tensor, rejected: Tensor, groups: Sequence[int], *, folds: int, weight: float, seed: int
) -> list[float]:
    """Of each pair whether a head that saw nothing of its group ranks it right: 1, or 0, or a half at a tie."""
    fold_of = torch.tensor(dealt(groups, folds, seed))
    right = [0.0] * len(chosen)
    for fold in range(int(fold_of.max()) + 1):
        held, kept = torch.nonzero(fold_of == fold)[:, 0], fold_of != fold
        head = fit(chosen[kept], rejected[kept], weight=weight)
        for place, margin in zip(held.tolist(), head.rewards(chosen[held]) - head.rewards(rejected[held]), strict=True):
            right[place] = 0.5 if margin == 0 else float(margin > 0)
    return right


def dealt(groups: Sequence[int], folds: int, seed: int) -> list[int]:
    """The fold of each pair: groups are whole, and folds about as large as one another."""
    sizes = Counter(groups)
    names = list(sizes)
    drawn = [names[place] for place in torch.randperm(len(names), generator=torch.Generator().manual_seed(seed))]
    filled, found = [0] * min(folds, len(names)), {}
    for name in sorted(drawn, key=lambda one: -sizes[one]):
        found[name] = filled.index(min(filled))
        filled[found[name]] += sizes[name]
    return [found[name] for name in groups]


def accuracy(head: Head, chosen: Tensor, rejected: Tensor) -> float:
    return float((head.rewards(chosen) > head.rewards(rejected)).double().mean())


def save(encoder: Encoder, head: Head, out: Path) -> None:
    """The encoder with the head in its pooler and classifier: an ordinary folder with model.safetensors."""
    model = encoder.model
    scale = 1 / (SQUEEZE * head.deviation)
    with torch.no_grad():
        model.base_model.pooler.dense.weight.copy_(torch.diag(scale))
        model.base_model.pooler.dense.bias.copy_(-head.mean * scale)
        model.classifier.weight.copy_(head.weights[None])
        model.classifier.bias.copy_(head.bias)
    model.config.id2label, model.config.label2id = {0: "reward"}, {"reward": 0}
    with quiet():
        model.save_pretrained(out)
        encoder.tokenizer.save_pretrained(out)
