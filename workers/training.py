"""What every trainer takes and leaves: compared responses, and a folder with a model that transformers can load."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workers.shelf import Shelf


@dataclass(frozen=True, slots=True)
class Compared:
    """Two responses to one prompt, of which the first was preferred."""

    prompt: Sequence[Mapping[str, Any]]
    chosen: str
    rejected: str


@dataclass(frozen=True, slots=True)
class Trainer:
    """A method of training. `train(pairs, out, seed, log)` writes a model folder and gives its metrics."""

    name: str
    title: str
    train: Callable[[Sequence[Compared], Path, int, Callable[[str], None]], dict[str, Any]]


trainers: Shelf[Trainer] = Shelf("workers.trainers", "trainer")
