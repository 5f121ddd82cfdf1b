"""Architectures of which it is proven that packing changes no score, and how each reads its head.

A family is named by `model_type` of the configuration. What is not listed is scored in padded batches by the
model's own forward; tests/test_packing.py scores each listed family both ways.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

FIRST, LAST, MEAN = "first", "last", "mean"
"""Which token speaks for a sequence."""


@dataclass(frozen=True, slots=True)
class Family:
    """How one architecture counts positions, which token it pools, and its classification head on [n, H] rows."""

    causal: bool
    classify: Callable[[Any, Tensor], Tensor]
    pools: str = FIRST
    after_padding: bool = False
    """Positions begin at the padding id plus one, as RoBERTa counts."""
    types: bool = False
    """Whether it takes token types (0 prompt, 1 response)."""


def by_pooler(model: Any, rows: Tensor) -> Tensor:
    """BERT: pooler, then classifier."""
    return model.classifier(model.base_model.pooler(rows[:, None]))


def by_own_head(model: Any, rows: Tensor) -> Tensor:
    """RoBERTa and ELECTRA: a head that takes the first token of [n, L, H]."""
    return model.classifier(rows[:, None])


def by_projection(model: Any, rows: Tensor) -> Tensor:
    """DistilBERT."""
    return model.classifier(nn.functional.relu(model.pre_classifier(rows)))


def by_prediction_head(model: Any, rows: Tensor) -> Tensor:
    """ModernBERT."""
    return model.classifier(model.head(rows))


def by_score(model: Any, rows: Tensor) -> Tensor:
    """Every causal model with the shared classification class."""
    return model.score(rows)


ROBERTA = Family(causal=False, classify=by_own_head, after_padding=True)
CAUSAL = Family(causal=True, classify=by_score, pools=LAST)

FAMILIES: dict[str, Family] = {
    "bert": Family(causal=False, classify=by_pooler, types=True),
    "roberta": ROBERTA,
    "xlm-roberta": ROBERTA,
    "camembert": ROBERTA,
    "electra": Family(causal=False, classify=by_own_head, types=True),
    "distilbert": Family(causal=False, classify=by_projection),
    "modernbert": Family(causal=False, classify=by_prediction_head),
    "llama": CAUSAL,
    "mix-llama": CAUSAL,
    "mistral": CAUSAL,
    "qwen2": CAUSAL,
    "qwen3": CAUSAL,
    "olmo2": CAUSAL,
    "gemma": CAUSAL,
}

STRETCHED = ("dynamic", "longrope")
"""Rotary embeddings that depend on the longest sequence of a batch: such models take one sequence at a time."""


def family_of(config: Any) -> Family | None:
    """The family of a model, or None where packing is not proven equal."""
    family = FAMILIES.get(config.model_type)
    if family is None or getattr(config, "is_decoder", False) or stretched(config) or relative(config):
        return None
    return family


def relative(config: Any) -> bool:
    """BERT with relative positions asks for more than a packed row can say."""
    return getattr(config, "position_embedding_type", None) not in (None, "absolute")


def stretched(config: Any) -> bool:
    rope = getattr(config, "rope_parameters", None) or {}
    told = [rope, *(value for value in rope.values() if isinstance(value, dict))]
    return any(one.get("rope_type") in STRETCHED for one in told)


def pools_of(config: Any, family: Family) -> str:
    """ModernBERT says in its configuration which tokens it pools."""
    return MEAN if getattr(config, "classifier_pooling", "") == "mean" else family.pools


def means(hidden: Tensor, rows: Tensor, owners: Tensor, count: int) -> Tensor:
    """The mean of each owner's rows of `hidden` [T, H], as [count, H], summed in fp32."""
    sums = torch.zeros(count, hidden.shape[1], dtype=torch.float32, device=hidden.device)
    sums.index_add_(0, owners, hidden[rows].float())
    sizes = torch.bincount(owners, minlength=count).clamp(min=1)
    return (sums / sizes[:, None]).to(hidden.dtype)
