"""The last layer, for the tokens that speak only: a score reads one token of each text, so the others need no output.

Queries, output projection and feed-forward run on one row per text instead of all T. Keys and values are still of
every token; where no rotation stands between (BERT on a CPU) even their projections are moved to the other side of
the dot product, q·(Wk h) = (Wkᵀq)·h and Σ p (Wv h) = Wv (Σ p h), so that no token but the speaking one is projected.
The numbers are those of the whole layer up to rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from workers.nn.attention import Layout, current
from workers.nn.packing import Pack

BERT_LIKE = ("bert", "roberta", "xlm-roberta", "camembert", "electra")
LLAMA_LIKE = ("llama", "mix-llama", "mistral", "qwen2", "qwen3", "gemma")


def install(model: Any) -> bool:
    """Let the model's last layer answer for speaking tokens where a layout names them. False: not known for it."""
    kind = model.config.model_type
    body = model.base_model
    run: Callable[..., Tensor]
    if kind in BERT_LIKE:
        layer, run = body.encoder.layer[-1], bert_layer
    elif kind in LLAMA_LIKE and pre_norm(model.config):
        layer, run = body.layers[-1], llama_layer
    else:
        return False
    if not hasattr(layer, "whole"):
        layer.whole = layer.forward
        layer.forward = partial(either, run, layer)
    return True


def pre_norm(config: Any) -> bool:
    """Whether the last layer is of the kind that `llama_layer` computes."""
    capped = getattr(config, "attn_logit_softcapping", None) is not None
    return not capped and getattr(config, "post_layers", 0) < config.num_hidden_layers


def either(run: Callable[..., Tensor], layer: Any, hidden_states: Tensor, *args: Any, **kwargs: Any) -> Any:
    """The layer as it is, unless the layout in force says who speaks."""
    plan = current()
    if plan is None or plan.speakers is None:
        return layer.whole(hidden_states, *args, **kwargs)
    return run(layer, hidden_states, plan, **kwargs)


def bert_layer(layer: Any, hidden_states: Tensor, plan: Layout, **kwargs: Any) -> Tensor:
    """[1, T, H] -> [1, n, H]: post-norm layer of the BERT family."""
    assert plan.speakers is not None
    inner = layer.attention.self
    rows = hidden_states[0, plan.speakers]
    query = inner.query(rows).view(len(rows), inner.num_attention_heads, inner.attention_head_size)
    if hidden_states.is_cuda:
        keys, values = (
            project(hidden_states[0]).view(-1, inner.num_attention_heads, inner.attention_head_size)
            for project in (inner.key, inner.value)
        )
        context = single_queries(plan, query, keys, values, inner.scaling, None)
    else:
        context = unprojected(plan.pack, query, hidden_states[0], inner)
    attended = layer.attention.output(context.reshape(1, len(rows), -1), rows[None])
    done: Tensor = layer.output(layer.intermediate(attended), attended)
    return done


def unprojected(pack: Pack, query: Tensor, hidden: Tensor, inner: Any) -> Tensor:
    """Attention of one query per text over hidden states themselves. The key's bias adds the same to every place."""
    heads, width = query.shape[1:]
    into, scale = inner.key.weight.view(heads, width, -1), inner.scaling
    asked = torch.einsum("nhd,hdk->nhk", query, into)
    texts = hidden.split([branch.end - branch.start for branch in pack.branches])
    context = torch.stack(
        [
            F.scaled_dot_product_attention(asked[None, at : at + 1], rows[None, None], rows[None, None], scale=scale)
            for at, rows in enumerate(texts)
        ]
    )[:, 0, 0]
    out = torch.einsum("nhk,hdk->nhd", context, inner.value.weight.view(heads, width, -1))
    return out if inner.value.bias is None else out + inner.value.bias.view(heads, width)


def llama_layer(
    layer: Any, hidden_states: Tensor, plan: Layout, position_embeddings: tuple[Tensor, Tensor], **kwargs: Any
) -> Tensor:
    """[1, T, H] -> [1, n, H]: pre-norm layer of the Llama family, with rotary positions."""
    assert plan.speakers is not None
    inner = layer.self_attn
    speakers = plan.speakers
    normed = layer.input_layernorm(hidden_states)[0]
    cos, sin = (part[0, :, None] for part in position_embeddings)
    query = headed(inner, inner.q_proj(normed[speakers]), "q_norm")
    key = headed(inner, inner.k_proj(normed), "k_norm")
    value = inner.v_proj(normed).unflatten(-1, (-1, inner.head_dim))
    query = rotated(query, cos[speakers], sin[speakers])
    key = rotated(key, cos, sin)
    context = single_queries(plan, query, key, value, inner.scaling, window_of(inner))
    rows = hidden_states[0, speakers] + inner.o_proj(context.reshape(len(speakers), -1))
    done: Tensor = rows + layer.mlp(layer.post_attention_layernorm(rows))
    return done[None]


def window_of(inner: Any) -> int | None:
    """Where layers differ the layer knows its window; Mistral reads it from the configuration."""
    window: int | None = getattr(inner, "sliding_window", getattr(inner.config, "sliding_window", None))
    return window


def headed(inner: Any, projected: Tensor, norm: str) -> Tensor:
    split = projected.unflatten(-1, (-1, inner.head_dim))
    known = getattr(inner, norm, None)
    return split if known is None else known(split)


def rotated(states: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary positions on [T, h, d] with cos and sin [T, 1, d]."""
    half = states.shape[-1] // 2
    turned = torch.cat((-states[..., half:], states[..., :half]), dim=-1)
    return states * cos + turned * sin


def single_queries(
    plan: Layout, query: Tensor, key: Tensor, value: Tensor, scaling: float, window: int | None
) -> Tensor:
    """One query [n, h, d] per text over keys and values [T, kv, d] of that text: [n, h, d]."""
    if query.is_cuda:
        return on_cuda(plan, query, key, value, scaling, window)
    times = query.shape[1] // key.shape[1]
    out = torch.empty_like(query)
    for at, branch in enumerate(plan.pack.branches):
        keys, values = (spans(tensor, branch, window) for tensor in (key, value))
        asked = query[at].view(1, key.shape[1], times, query.shape[2])
        done = F.scaled_dot_product_attention(asked, keys, values, scale=scaling)
        out[at] = done.reshape(query.shape[1:])
    return out


def spans(tensor: Tensor, branch: Any, window: int | None) -> Tensor:
    """The rows of one text, at most the last `window`, as [1, kv, L, d]."""
    rows = tensor[branch.start : branch.end]
    if branch.prefix:
        rows = torch.cat([tensor[branch.head : branch.head + branch.prefix], rows])
    return (rows if window is None else rows[-window:]).transpose(0, 1)[None]


def on_cuda(plan: Layout, query: Tensor, key: Tensor, value: Tensor, scaling: float, window: int | None) -> Tensor:
    """Variable-length attention with one query a text. Flash aligns its masks to the end, so causal needs no mask."""
    from torch.nn.attention.varlen import varlen_attn

    ends = torch.tensor([0, *(branch.end for branch in plan.pack.branches)], dtype=torch.int32, device=query.device)
    ones = torch.arange(len(query) + 1, dtype=torch.int32, device=query.device)
    longest = max(len(branch) for branch in plan.pack.branches)
    done = varlen_attn(
        query,
        key,
        value,
        ones,
        ends,
        1,
        longest,
        scale=scaling,
        window_size=(-1 if window is None else window - 1, -1),
        enable_gqa=query.shape[1] != key.shape[1],
    )
    assert isinstance(done, Tensor)
    return done
