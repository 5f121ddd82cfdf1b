"""Heads of the engine that give one number, several named numbers, or a vector per text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from workers.judging import Unusable
from workers.nn.engine import States
from workers.nn.forward import mean_of
from workers.nn.loading import Loaded


@dataclass(frozen=True, slots=True)
class Scores:
    """The classification head of a reward or cost model: by name of its outputs, as the model says them.

    `good` names the classes that speak for a response where the outputs are classes: the score is then the log-odds
    of one of them against the others.
    """

    names: tuple[str, ...] = ("",)
    good: tuple[int, ...] = ()
    wants: str = "pooled"

    def __call__(self, loaded: Loaded, states: States) -> list[dict[str, float]]:
        rows = logits(loaded, states).float()
        if self.good:
            rows = log_odds(rows, self.good)[:, None]
        return [dict(zip(self.names, row, strict=True)) for row in rows.tolist()]


def logits(loaded: Loaded, states: States) -> Tensor:
    """[n, labels]."""
    if states.logits is not None:
        return states.logits
    assert loaded.family is not None and states.pooled is not None
    return loaded.family.classify(loaded.model, states.pooled)


def log_odds(rows: Tensor, good: Sequence[int]) -> Tensor:
    chosen = torch.zeros(rows.shape[1], dtype=torch.bool, device=rows.device)
    chosen[list(good)] = True
    return rows[:, chosen].logsumexp(1) - rows[:, ~chosen].logsumexp(1)


def scores_of(loaded: Loaded, config: Mapping[str, Any]) -> Scores:
    """The head that a version's `heads` and `positive` ask for. Raises Unusable if they do not fit the model."""
    count = int(loaded.model.config.num_labels)
    if (told := config.get("positive")) not in (None, "", []):
        return Scores(good=places(told, loaded.model.config.id2label, count))
    names = tuple(config.get("heads") or ())
    if names and len(names) != count:
        raise Unusable(f"it gives {count} numbers, and heads names {len(names)}")
    if count == 1:
        return Scores(names or ("",))
    return Scores(names or tuple(str(loaded.model.config.id2label[index]) for index in range(count)))


def places(told: Any, labels: Mapping[int, str], count: int) -> tuple[int, ...]:
    """Indices of classes named by index or by label."""
    by_name = {str(label): index for index, label in labels.items()}
    found = []
    for one in told if isinstance(told, (list, tuple)) else [told]:
        index = one if isinstance(one, int) else by_name.get(str(one))
        if index is None or not 0 <= index < count:
            raise Unusable(f"positive: {one!r} is no class of it; there is: {', '.join(by_name)}")
        found.append(index)
    if len(set(found)) == count:
        raise Unusable("positive names every class: no odds are left")
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Vectors:
    """The mean of a text's hidden states, of length 1."""

    wants: str = "tokens"

    def __call__(self, loaded: Loaded, states: States) -> list[list[float]]:
        assert states.hidden is not None
        mean = mean_of(states.pack, states.hidden).float()
        rows: list[list[float]] = torch.nn.functional.normalize(mean, dim=1).tolist()
        return rows
