"""Texts through a reward model that learns, as the scoring engine reads them: laid end to end, without padding.

Where packing is proven equal (workers/nn/families.py) the two responses of a pair stand in one row and, if the model
reads from left to right, their prompt only once; other models get a padded rectangle. Loss and gradients are those of
each text read alone, up to rounding (tests/test_pair_trainers.py).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers.modeling_outputs import SequenceClassifierOutput

from workers.nn import attention, packing
from workers.nn.families import family_of
from workers.nn.forward import POOLED, Forward
from workers.nn.loading import Loaded, device
from workers.nn.packing import Group, Pack, Text

Both = tuple[Text, Text]
"""The preferred response of a pair and the other one, each with its prompt."""


class Reading:
    """How the texts of a model that learns go through it. `share` is auto, on or off (workers/paired.py).

    `packs` says whether they may stand end to end; unless told, where it has been measured.
    """

    def __init__(self, model: Any, tokenizer: Any, share: str = "auto", packs: bool | None = None) -> None:
        self.pad = int(model.config.pad_token_id or 0)
        family = family_of(model.config) if (packs_here(share) if packs is None else packs) else None
        self.packed = family is not None
        self.shares = family is not None and family.causal and share != "off"
        if family is not None:
            install(model, tokenizer, family)

    def size(self, both: Both) -> int:
        """Tokens that a pair takes in a batch."""
        if not self.packed:
            return 2 * max(len(both[0]), len(both[1]))
        return sum(group.tokens for group in self.groups(both))

    def groups(self, both: Both) -> list[Group]:
        found = packing.shared(list(both)) if self.shares else packing.alone(both)
        return list(found)

    def batch(self, pairs: Sequence[Both]) -> dict[str, Any]:
        """What the model is called with; its scores come in the order of `pairs`, the chosen ones first."""
        both = [one for one, _ in pairs] + [other for _, other in pairs]
        if not self.packed:
            return collated(both, self.pad)
        groups = sorted((group for pair in pairs for group in self.groups(pair)), key=lambda one: -one.longest)
        pack = Pack(groups)
        places = {id(text): place for place, text in enumerate(pack.texts)}
        order = torch.tensor([places[id(text)] for text in both])
        return {"input_ids": pack.ids(), "pack": pack, "order": order}


def packs_here(share: str) -> bool:
    """On a CPU; on a graphics card where it is asked for: how fast it learns there has not been measured."""
    return device().type == "cpu" or (share == "on" and device().type == "cuda")


def install(model: Any, tokenizer: Any, family: Any) -> None:
    """Let `model(input_ids, pack=…, order=…)` read a pack: in its own forward, so that wrappers of it see the call."""
    attention.register()
    model.set_attn_implementation(attention.NAME)
    run: list[Forward] = []

    def forward(
        input_ids: Tensor, pack: Pack, order: Tensor, attention_mask: Tensor | None = None, **_: Any
    ) -> SequenceClassifierOutput:
        if not run:  # not before the model has its adapters and is where it will stay
            loaded = Loaded(model, tokenizer, input_ids.device, input_ids.dtype, 0, family)
            run.append(Forward(loaded, POOLED, prunes=may_prune(model)))
        rows = run[0](pack)["pooled"]
        return SequenceClassifierOutput(logits=family.classify(model, rows)[order])

    model.forward = forward


def may_prune(model: Any) -> bool:
    """Whether the last layer may be left out for silent tokens: it then reads weights past their adapters, and
    has no gradient for a bias that changes nothing, which processes that learn together take for an error."""
    adapted = any("lora_" in name for name, _ in model.named_parameters())
    return not adapted and int(os.environ.get("WORLD_SIZE", "1")) == 1


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
