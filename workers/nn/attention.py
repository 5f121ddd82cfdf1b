"""Attention over a packed row: each branch sees its prefix and itself, nothing else.

Registered with transformers under a name of its own, so that any model that asks its AttentionInterface can run
packed. No mask function goes with it: transformers then makes no mask. On CPU it runs scaled-dot-product attention
piece by piece; on CUDA variable-length flash attention, or flex attention where prefixes are shared.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from workers.nn.packing import Pack

NAME = "touchstone_packed"


@dataclass(slots=True, eq=False)
class Piece:
    """`count` neighbours of equal length: queries at [start, start + count * length), keys also of a prefix."""

    start: int
    length: int
    count: int = 1
    head: int = 0
    prefix: int = 0

    @property
    def end(self) -> int:
        return self.start + self.count * self.length


@dataclass(slots=True, eq=False)
class Layout:
    """What attention must know of a pack. Masks are made once and serve every layer."""

    pieces: list[Piece]
    shares: bool
    total: int
    pack: Pack
    speakers: Tensor | None = None
    """Places of the tokens that speak for their texts, where the last layer need answer for no others."""
    made: dict[Any, Any] = field(default_factory=dict)


def layout(pack: Pack) -> Layout:
    """Pieces in the order of the row; neighbours of equal length without a prefix become one batch."""
    pieces: list[Piece] = []
    spans: list[tuple[int, int, int, int]] = []
    for group, base in zip(pack.groups, heads(pack), strict=True):
        if group.prefix:
            spans.append((base, group.prefix, 0, 0))
        start = base + group.prefix
        for text in group.texts:
            own = len(text) - group.prefix
            spans.append((start, own, base, group.prefix))
            start += own
    for (length, prefix), run in groupby(spans, key=lambda span: (span[1], span[3])):
        members = list(run)
        if prefix:
            pieces += [Piece(start, length, 1, head, prefix) for start, _, head, _ in members]
        else:
            pieces.append(Piece(members[0][0], length, len(members)))
    return Layout(pieces, any(piece.prefix for piece in pieces), pack.total, pack)


def heads(pack: Pack) -> Iterator[int]:
    base = 0
    for group in pack.groups:
        yield base
        base += group.tokens


_layout: ContextVar[Layout | None] = ContextVar("touchstone_layout", default=None)


@contextmanager
def packed(plan: Layout) -> Iterator[None]:
    """The pack that attention speaks of, while a model runs."""
    token = _layout.set(plan)
    try:
        yield
    finally:
        _layout.reset(token)


def current() -> Layout | None:
    return _layout.get()


def attend(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    sliding_window: int | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """As transformers calls it: query [1, h, T, d], key and value [1, kv, T, d]; gives [1, T, h, d]."""
    plan = _layout.get()
    if plan is None:
        raise RuntimeError("packed attention runs only inside packed(…)")
    causal = bool(getattr(module, "is_causal", False))
    if query.is_cuda:
        return on_cuda(plan, query, key, value, causal, scaling, sliding_window), None
    return by_pieces(plan, query, key, value, causal, scaling, sliding_window), None


def by_pieces(
    plan: Layout, query: Tensor, key: Tensor, value: Tensor, causal: bool, scaling: float | None, window: int | None
) -> Tensor:
    """One scaled-dot-product attention for each piece.

    Split and joined rather than cut out and written into: the gradient of a cut is as large as all of it.
    """
    sizes = [piece.end - piece.start for piece in plan.pieces]
    starts = [piece.start for piece in plan.pieces]
    parts = [tensor.split(sizes, dim=2) for tensor in (query, key, value)]
    done = []
    for place, piece in enumerate(plan.pieces):
        queries, keys, values = (batched(piece, part[place]) for part in parts)
        if piece.prefix:
            keys, values = (
                beside(plan, place, starts, one, part) for one, part in zip((key, value), parts[1:], strict=True)
            )
        mask = mask_of(plan, piece, causal, window, query.device)
        found = grouped_attention(queries, keys, values, mask, causal and mask is None, scaling)
        done.append(found.transpose(1, 2).reshape(1, sizes[place], query.shape[1], query.shape[3]))
    return torch.cat(done, 1)


def batched(piece: Piece, part: Tensor) -> Tensor:
    """The part of a piece [1, h, count * length, d] -> [count, h, length, d] as a view."""
    return part[0].unflatten(1, (piece.count, piece.length)).movedim(1, 0) if piece.count > 1 else part


def beside(plan: Layout, place: int, starts: list[int], whole: Tensor, parts: Sequence[Tensor]) -> Tensor:
    """The prefix and the branch's own tokens; a view where the branch follows its prefix and nothing is learnt."""
    piece = plan.pieces[place]
    if piece.head + piece.prefix == piece.start and not torch.is_grad_enabled():
        return whole[:, :, piece.head : piece.end]
    home = bisect_right(starts, piece.head) - 1
    first = piece.head - starts[home]
    return torch.cat([parts[home][:, :, first : first + piece.prefix], parts[place]], 2)


def grouped_attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, causal: bool, scaling: float | None
) -> Tensor:
    """Attention where several query heads read one key head: the key heads are repeated as a view, not copied."""
    times = query.shape[1] // key.shape[1]
    if times == 1:
        return F.scaled_dot_product_attention(query, key, value, attn_mask=mask, is_causal=causal, scale=scaling)
    count, heads, length, width = query.shape
    kinds = key.shape[1]
    if count > 1:
        key, value = (tensor.repeat_interleave(times, dim=1) for tensor in (key, value))
        return F.scaled_dot_product_attention(query, key, value, attn_mask=mask, is_causal=causal, scale=scaling)
    query = query.view(kinds, times, length, width)
    key, value = (tensor[0].unsqueeze(1).expand(-1, times, -1, -1) for tensor in (key, value))
    done = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, is_causal=causal, scale=scaling)
    return done.reshape(1, heads, length, width)


def mask_of(plan: Layout, piece: Piece, causal: bool, window: int | None, device: torch.device) -> Tensor | None:
    """None where no mask or a plain causal one will do; else [length, prefix + length], true where one may look."""
    reach = piece.prefix + piece.length
    narrow = window is not None and reach > window
    if not narrow and (not causal or not piece.prefix):
        return None
    kept = (piece.length, piece.prefix, causal, window if narrow else None)
    if kept not in plan.made:
        plan.made[kept] = seen(*kept, device)
    mask: Tensor = plan.made[kept]
    return mask


def seen(length: int, prefix: int, causal: bool, window: int | None, device: torch.device) -> Tensor:
    """Distance decides: not after oneself when causal, nearer than the window where there is one."""
    here = torch.arange(prefix, prefix + length, device=device)[:, None]
    there = torch.arange(prefix + length, device=device)[None, :]
    may = there <= here if causal else torch.ones(length, prefix + length, dtype=torch.bool, device=device)
    if window is not None:
        may = may & ((here - there).abs() < window)
    return may


def on_cuda(
    plan: Layout, query: Tensor, key: Tensor, value: Tensor, causal: bool, scaling: float | None, window: int | None
) -> Tensor:
    """Variable-length flash attention; flex attention where prefixes are shared or the dtype is not for flash."""
    if plan.shares or query.dtype not in (torch.bfloat16, torch.float16):
        return by_flex(plan, query, key, value, causal, scaling, window)
    from torch.nn.attention.varlen import varlen_attn

    if "bounds" not in plan.made:
        plan.made["bounds"] = bounds(plan, query.device)
    starts, longest = plan.made["bounds"]
    reach = -1 if window is None else window - 1
    done = varlen_attn(
        query[0].transpose(0, 1),
        key[0].transpose(0, 1),
        value[0].transpose(0, 1),
        starts,
        starts,
        longest,
        longest,
        scale=scaling,
        window_size=(reach, 0 if causal else reach),
        enable_gqa=query.shape[1] != key.shape[1],
    )
    assert isinstance(done, Tensor)
    return done[None]


def bounds(plan: Layout, device: torch.device) -> tuple[Tensor, int]:
    lengths = [piece.length for piece in plan.pieces for _ in range(piece.count)]
    starts = torch.tensor([0, *lengths]).cumsum(0).to(device=device, dtype=torch.int32)
    return starts, max(lengths)


def by_flex(
    plan: Layout, query: Tensor, key: Tensor, value: Tensor, causal: bool, scaling: float | None, window: int | None
) -> Tensor:
    """Flex attention under a block mask; compiled on CUDA, in plain operations elsewhere (for tests)."""
    from torch.nn.attention.flex_attention import flex_attention

    kept = ("blocks", causal, window)
    if kept not in plan.made:
        plan.made[kept] = block_mask(plan, causal, window, query.device)
    run = compiled(flex_attention) if query.is_cuda else flex_attention
    done = run(
        query.contiguous(),
        key.contiguous(),
        value.contiguous(),
        block_mask=plan.made[kept],
        scale=scaling,
        enable_gqa=query.shape[1] != key.shape[1],
    )
    return done.transpose(1, 2)


@lru_cache(maxsize=1)
def compiled(function: Any) -> Any:
    return torch.compile(function, dynamic=True)


def block_mask(plan: Layout, causal: bool, window: int | None, device: torch.device) -> Any:
    """Who may look at whom, by number of group and branch; branch 0 of a group is its prefix."""
    from torch.nn.attention.flex_attention import create_block_mask

    groups: list[int] = []
    branches: list[int] = []
    for number, group in enumerate(plan.pack.groups):
        groups += [number] * group.tokens
        branches += [0] * group.prefix
        for branch, text in enumerate(group.texts, start=1):
            branches += [branch] * (len(text) - group.prefix)
    group_of, branch_of = (torch.tensor(numbers, device=device) for numbers in (groups, branches))
    place_of = plan.pack.positions()[0].to(device)

    def may(batch: Tensor, head: Tensor, here: Tensor, there: Tensor) -> Tensor:
        kin = (branch_of[there] == branch_of[here]) | (branch_of[there] == 0)
        ok = (group_of[there] == group_of[here]) & kin
        if causal:
            ok = ok & (place_of[there] <= place_of[here])
        if window is not None:
            ok = ok & ((place_of[here] - place_of[there]).abs() < window)
        return ok

    return create_block_mask(
        may, None, None, plan.total, plan.total, device=str(device), _compile=device.type == "cuda"
    )


def register() -> None:
    """Make the name known to transformers; once or many times."""
    from transformers.modeling_utils import AttentionInterface

    AttentionInterface.register(NAME, attend)
