"""Experiments: each objective in a planted world where the truth is known. One file each, on the shelf below.

A file adds itself with its last statement. `run(seed)` gives the figures of one seed, `judge(results)` says of all
seeds together which claims hold: (what was claimed, whether it held). `python -m experiments` runs them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from workers.shelf import Shelf

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Experiment:
    name: str
    about: str
    run: Callable[[int], Figures]
    judge: Callable[[Sequence[Figures]], list[tuple[str, bool]]]
    seeds: tuple[int, ...] = (0, 1, 2)


experiments: Shelf[Experiment] = Shelf("experiments", "experiment")
