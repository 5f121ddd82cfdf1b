"""One forward over a pack: packed where the family is known, in a padded rectangle otherwise."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor, nn

from workers.nn import attention, lastlayer
from workers.nn.families import FIRST, MEAN, means, pools_of
from workers.nn.loading import Loaded
from workers.nn.packing import Pack

POOLED, TOKENS = "pooled", "tokens"


class Forward:
    """Runs a model's body on packs. `wants` is "pooled" (one row per text) or "tokens" (every token)."""

    def __init__(self, loaded: Loaded, wants: str, prunes: bool = True) -> None:
        self.loaded = loaded
        self.wants = wants
        self.body: Any = loaded.model.base_model
        self.takes = set(inspect.signature(self.body.forward).parameters)
        self.prunes = prunes and wants == POOLED and loaded.family is not None and self.prunable()
        self.causal = loaded.family.causal if loaded.family else looks_causal(loaded.model)

    def prunable(self) -> bool:
        family = self.loaded.family
        assert family is not None
        return pools_of(self.loaded.model.config, family) != MEAN and lastlayer.install(self.loaded.model)

    def __call__(self, pack: Pack) -> dict[str, Tensor]:
        """`hidden` and `pooled`, or `logits` of a model that had to run whole."""
        if self.loaded.family is not None:
            return self.packed(pack)
        if self.wants == TOKENS:
            return {"hidden": self.unpadded(pack)}
        return {"logits": self.whole(pack)}

    def packed(self, pack: Pack) -> dict[str, Tensor]:
        family = self.loaded.family
        assert family is not None
        start = self.first_position()
        given = {"input_ids": pack.ids(), "position_ids": pack.positions(start)}
        if family.types:
            given["token_type_ids"] = pack.types()
        given = {name: tensor.to(self.loaded.device, non_blocking=True) for name, tensor in given.items()}
        extra = {"use_cache": False} if family.causal else {}
        plan = attention.layout(pack)
        if self.prunes and not (plan.shares and self.loaded.device.type == "cuda"):
            plan.speakers = self.speakers(pack)
        with attention.packed(plan):
            hidden = self.body(**given, **extra).last_hidden_state[0]
        if self.wants == TOKENS:
            return {"hidden": hidden}
        if plan.speakers is not None:
            return {"pooled": hidden}
        return {"pooled": self.pooled(pack, hidden)}

    def first_position(self) -> int:
        family = self.loaded.family
        if family is None or not family.after_padding:
            return 0
        return int(self.loaded.model.config.pad_token_id) + 1

    def pooled(self, pack: Pack, hidden: Tensor) -> Tensor:
        """The row that speaks for each text, [n, H]."""
        family = self.loaded.family
        assert family is not None
        how = pools_of(self.loaded.model.config, family)
        if how == MEAN:
            return mean_of(pack, hidden)
        return hidden[self.speakers(pack)]

    def speakers(self, pack: Pack) -> Tensor:
        family = self.loaded.family
        assert family is not None
        first = pools_of(self.loaded.model.config, family) == FIRST
        places = [branch.first if first else branch.last for branch in pack.branches]
        return torch.tensor(places, device=self.loaded.device)

    def padded(self, pack: Pack) -> dict[str, Tensor]:
        """The texts as a rectangle padded on the right."""
        texts = pack.texts
        longest = max(len(text) for text in texts)
        fill = self.loaded.model.config.get_text_config().pad_token_id
        fill = (self.loaded.tokenizer.pad_token_id or 0) if fill is None else fill
        given = {
            "input_ids": torch.tensor([text.ids + [fill] * (longest - len(text)) for text in texts]),
            "attention_mask": torch.tensor([[1] * len(text) + [0] * (longest - len(text)) for text in texts]),
        }
        if texts[0].types is not None and "token_type_ids" in self.takes:
            types = [(text.types or []) + [0] * (longest - len(text)) for text in texts]
            given["token_type_ids"] = torch.tensor(types)
        return {name: tensor.to(self.loaded.device) for name, tensor in given.items()}

    def whole(self, pack: Pack) -> Tensor:
        """Logits by the model's own forward, one row a text. Without a padding token, one text at a time."""
        if self.causal and self.loaded.model.config.get_text_config().pad_token_id is None and len(pack.texts) > 1:
            return torch.cat([self.whole(Pack([type(pack.groups[0])(0, [text])])) for text in pack.texts])
        logits = self.loaded.model(**self.padded(pack)).logits
        return logits.view(len(pack.texts), -1)

    def unpadded(self, pack: Pack) -> Tensor:
        """Hidden states of a padded forward, without the padding: [T, H] in the order of the pack."""
        given = self.padded(pack)
        hidden = self.body(**given).last_hidden_state
        return hidden[given["attention_mask"].bool()]


def mean_of(pack: Pack, hidden: Tensor) -> Tensor:
    """The mean over the tokens of each text, [n, H]."""
    rows = torch.cat([pack.rows(index) for index in range(len(pack.texts))])
    owners = torch.repeat_interleave(torch.tensor([len(branch) for branch in pack.branches]))
    return means(hidden, rows.to(hidden.device), owners.to(hidden.device), len(pack.texts))


def looks_causal(model: nn.Module) -> bool:
    """Of families not listed: whether its attention says that it is causal, or its configuration that it decodes."""
    config: Any = model.config
    if getattr(config, "is_encoder_decoder", False):
        return False
    return (
        bool(getattr(config, "is_decoder", False))
        or any(getattr(module, "is_causal", False) for module in model.modules())
        or hasattr(model, "score")
    )
