"""How likely a model of this machine holds each verdict, forced to write it behind its own critique."""

from __future__ import annotations

from collections.abc import Sequence
from os.path import commonprefix
from typing import Any

import torch

from workers import likely


@torch.inference_mode()
def likelihood(
    model: Any, tokenizer: Any, prompt: Sequence[int], text: str, verdicts: Sequence[str]
) -> dict[str, float]:
    """Log-probability of each verdict at the place of the verdict in `text`, together 1; empty without a verdict.

    Every verdict is written in full with its closing mark, and counts from the first token on by which they differ:
    where the tokens of a value join with those beside it, the sum over them is still that of the value.
    """
    at = likely.place(text)
    if at is None:
        return {}
    forced = [list(tokenizer(text[:at] + verdict + '"', add_special_tokens=False)["input_ids"]) for verdict in verdicts]
    shared = len(commonprefix(forced))
    if any(len(one) <= shared for one in forced):
        return {}
    logs = {}
    for verdict, ids in zip(verdicts, forced, strict=True):
        whole = torch.tensor([[*prompt, *ids]], device=model.device)
        told = model(input_ids=whole).logits[0, len(prompt) + shared - 1 : -1].float().log_softmax(-1)
        logs[verdict] = float(told.gather(1, whole[0, len(prompt) + shared :, None]).sum())
    return likely.normalised(logs, min(logs.values()))
