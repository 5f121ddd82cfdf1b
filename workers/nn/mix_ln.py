"""Where a transformer's norms stand: before each block, behind it, or behind it in the first layers only (Mix-LN).

    Pre:   x <- x + f(N(x))          Post:  x <- N(x + f(x))          f: attention, then the feed-forward part

Mix-LN (Li, Yin and Liu 2024, arXiv 2412.13795) takes Post for the first floor(alpha L) of L layers, Pre for the rest,
so that gradients are as large in deep layers as in shallow ones. alpha = 0 is Pre and alpha = 1 Post; the last norm
stands in every layout, since heads read what comes out of it. Only for models that are built from nothing: where the
norms of trained weights stand cannot be changed. transformers has no architecture of this layout, so such a model is
no model version: the judges load only what needs no code of its own. The layers are Llama's: RMSNorm, rotary places,
SwiGLU (the authors' repository, pixeli99/MixLN, too).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from math import floor
from typing import Any, Literal

import torch
from torch import Tensor, nn
from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import (
    LlamaAttention,
    LlamaMLP,
    LlamaRMSNorm,
    LlamaRotaryEmbedding,
)

Layout = Literal["pre", "post", "mix"]


class Block(nn.Module):
    """One layer, its norms before or behind."""

    def __init__(self, config: LlamaConfig, layer: int, post: bool) -> None:
        super().__init__()
        self.post = post
        self.attention, self.feed = LlamaAttention(config, layer), LlamaMLP(config)
        self.first, self.second = (LlamaRMSNorm(config.hidden_size, config.rms_norm_eps) for _ in range(2))

    def forward(self, hidden: Tensor, places: Any) -> Tensor:
        """hidden [n, T, H], every token sees those before it."""
        if self.post:
            hidden = self.first(hidden + self.attended(hidden, places))
            mixed: Tensor = self.second(hidden + self.feed(hidden))
            return mixed
        hidden = hidden + self.attended(self.first(hidden), places)
        return hidden + self.feed(self.second(hidden))

    def attended(self, hidden: Tensor, places: Any) -> Tensor:
        told: Tensor = self.attention(hidden, position_embeddings=places, attention_mask=None)[0]
        return told


class Backbone(nn.Module):
    """A causal language model of such layers; its words are read and written with the same embeddings.

    `layout` is pre, post, or mix with the share `alpha` of layers Post.
    """

    def __init__(self, config: LlamaConfig, layout: Layout = "mix", alpha: float = 0.25) -> None:
        super().__init__()
        config._attn_implementation = "sdpa"
        layers = config.num_hidden_layers
        behind = {"pre": 0, "post": layers, "mix": floor(alpha * layers)}[layout]
        self.embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        self.blocks = nn.ModuleList(Block(config, layer, layer < behind) for layer in range(layers))
        self.last = LlamaRMSNorm(config.hidden_size, config.rms_norm_eps)
        self.rotary = LlamaRotaryEmbedding(config)
        for part in self.modules():
            if isinstance(part, nn.Linear | nn.Embedding):
                nn.init.normal_(part.weight, std=config.initializer_range)

    def states(self, ids: Tensor) -> list[Tensor]:
        """Hidden states [n, T, H] before each layer, and behind the last one."""
        found: list[Tensor] = [self.embeddings(ids)]
        places = self.rotary(found[0], torch.arange(ids.shape[1], device=ids.device)[None])
        for block in self.blocks:
            found.append(block(found[-1], places))
        return found

    def forward(self, ids: Tensor) -> Tensor:
        """ids [n, T] -> logits [n, T, V]."""
        return self.last(self.states(ids)[-1]) @ self.embeddings.weight.T


def gradients(model: Backbone) -> Mapping[str, float]:
    """The norm of the gradient of each layer's matrices, by a name that a run's page draws together."""
    return {
        f"gradient_layer_{n}": sum(
            float(weight.grad.square().sum())
            for weight in block.parameters()
            if weight.grad is not None and weight.dim() == 2
        )
        ** 0.5
        for n, block in enumerate(model.blocks)
    }


@torch.no_grad()
def angles(model: Backbone, ids: Tensor) -> list[float]:
    """For each layer the mean angle between what goes in and what comes out, as a share of a half turn: a layer near 0
    changes little."""
    pairs = pairwise(model.states(ids))
    likeness = [nn.functional.cosine_similarity(a, b, dim=-1).clamp(-1, 1) for a, b in pairs]
    return [float((one.arccos() / torch.pi).mean()) for one in likeness]
