"""What every trainer takes and leaves: the files of a dataset version in, a folder that transformers can load out.

A trainer is one file on the shelf `workers/trainers/`: its parameters are a pydantic model, from which forms are made;
its docstring gives idea, formula and source. It works in a process of its own (`python -m workers.trainers`), writes
checkpoints from which a second attempt goes on, and tells its progress line by line.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Field

from workers.shelf import Shelf

TRAIN, HELD_OUT = "train", ("test", "validation", "dev", "eval")
"""The split that is learnt from, and those that the result is measured on."""


EVALUATING = "evaluating on"
"""How the line of the log begins that says what is done after the last step; the page shows it beside the bar."""


@dataclass(frozen=True, slots=True)
class Compared:
    """Two responses to one prompt, of which the first was preferred."""

    prompt: Sequence[Mapping[str, Any]]
    chosen: str
    rejected: str


MORE: dict[str, Any] = {"more": True}
"""Of a parameter that a form keeps folded away."""


class Fitted(BaseModel):
    """Parameters of an objective that is solved and not descended: how much of a text is read, and what it adds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_length: int = Field(
        512, ge=8, le=1_000_000, description="tokens of a text; longer ones are cut", json_schema_extra=MORE
    )


class Settings(Fitted):
    """Parameters that every objective with an optimizer has; each adds its own."""

    epochs: float = Field(1.0, gt=0, le=100, description="how often each row is seen")
    max_steps: int = Field(
        0, ge=0, description="stop after so many steps; 0: as many as the epochs have", json_schema_extra=MORE
    )
    learning_rate: float = Field(3e-5, gt=0, le=1, description="the highest that is reached")
    warmup: float = Field(
        0.1, ge=0, lt=1, description="share of the steps over which the learning rate rises", json_schema_extra=MORE
    )
    schedule: Literal["linear", "cosine", "constant"] = Field(
        "linear", description="how the learning rate falls", json_schema_extra=MORE
    )
    weight_decay: float = Field(0.0, ge=0, le=1, json_schema_extra=MORE)
    step_tokens: int = Field(8192, ge=64, description="tokens of one step of the optimizer", json_schema_extra=MORE)
    batch_tokens: int = Field(
        4096,
        ge=64,
        description="tokens that go through the model at once; the rest of a step adds up",
        json_schema_extra=MORE,
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="bf16 where the hardware multiplies it", json_schema_extra=MORE
    )
    lora: int = Field(
        0, ge=0, le=1024, description="rank of LoRA adapters; 0: all weights are trained", json_schema_extra=MORE
    )
    save_every: int = Field(100, ge=1, description="steps between two checkpoints", json_schema_extra=MORE)


class Built(Settings):
    """Parameters of objectives that can also build their model, small and from nothing (workers/nn/opening.py)."""

    layers: int = Field(
        0,
        ge=0,
        le=96,
        description="build a new model of so many layers, with the tokenizer of the base; 0: do not",
        json_schema_extra=MORE,
    )
    width: int = Field(
        128,
        ge=32,
        le=8192,
        multiple_of=32,
        description="of a new model: numbers of a hidden state",
        json_schema_extra=MORE,
    )
    norms: Literal["mix", "pre", "post"] = Field(
        "mix",
        description="of a new model: norms behind the first quarter of the layers and before the others (Mix-LN), "
        "before all, or behind all; the norms of trained weights stay where they are",
        json_schema_extra=MORE,
    )


@dataclass(frozen=True)
class Job:
    """One training: what it reads, where it starts from, where it writes, and whom it tells."""

    folder: Path
    """The files of the dataset version."""
    target: str
    lines: Mapping[str, str]
    """Its JSON lines by split; only splits with rows."""
    base: Path | None
    """The model to start from; None where the trainer builds its own."""
    out: Path
    """`out/model` is what comes out, `out/checkpoints` what a second attempt goes on from."""
    settings: Any
    """An instance of the trainer's own parameters."""
    seed: int = 0
    template: str = ""
    kept: Path | None = None
    """Where checkpoints lie if not in `out`: of processes that learn together only the first keeps its `out`."""
    protocol: Mapping[str, Any] = field(default_factory=dict)
    """What the people were asked, by the names of `workers.criticising.Wanted`; empty where nobody knows."""
    tell: Callable[[int, int, Mapping[str, float]], None] = field(default=lambda step, steps, values: None)
    """(steps done, steps in all, numbers of this step)."""
    log: Callable[[str], None] = field(default=lambda line: None)

    def rows(self, split: str) -> Iterator[dict[str, Any]]:
        """The rows of a split, none if it has no file."""
        if split in self.lines:
            yield from self.rows_in(self.lines[split])

    def rows_in(self, name: str) -> Iterator[dict[str, Any]]:
        """The rows of a file of JSON lines, or of the shards that it was cut into."""
        from workers.tables import shards

        for one in shards(self.folder, *name.split(".", 1)):
            with one.open("rb") as lines:
                for line in lines:
                    yield orjson.loads(line)

    @property
    def held_out(self) -> list[str]:
        """The splits that are not learnt from."""
        return [split for split in self.lines if split != TRAIN]

    @property
    def model(self) -> Path:
        return self.out / "model"

    @property
    def checkpoints(self) -> Path:
        return self.kept or self.out / "checkpoints"


Row = TypeVar("Row")


def held_back(rows: Sequence[Row], prompt: Callable[[Row], Any], part: float, seed: int) -> tuple[list[Row], list[Row]]:
    """What is learnt from, and a share of the prompts on which a threshold is chosen; equal prompts on one side.

    Where either side would be too small, all is learnt from.
    """
    sides: tuple[list[Row], list[Row]] = ([], [])
    for row in rows:
        place = zlib.crc32(orjson.dumps([prompt(row), seed])) / 2**32
        sides[place < part].append(row)
    return sides if len(sides[0]) >= 8 and len(sides[1]) >= 4 else (list(rows), [])


@dataclass(frozen=True, slots=True)
class Trainer:
    """An objective. `train(job)` writes `job.model`, and rows on held-out data by `workers.held_out.keep`."""

    name: str
    title: str
    about: str
    reads: tuple[str, ...]
    """Targets of dataset versions that it learns from."""
    makes: str
    """The kind of model that comes out: reward, cost, token, step, critic, policy."""
    train: Callable[[Job], dict[str, Any]]
    """Gives its metrics; among them `config` is what of the config of the model was found out by training."""
    settings: type[Any] = Settings
    """A class of `Fitted`: the trainer's own parameters."""
    bases: tuple[str, ...] = ()
    """Kinds of models to start from; empty: it builds its own."""
    least: int = 0
    """Fewer rows than that are refused; 0: what it takes is not told beforehand."""
    builds: str = ""
    """What it builds on where it starts from no model of the registry, in words for the card."""
    unit: str = "steps"
    """What its progress counts."""
    config: Callable[[Any], dict[str, Any]] = field(default=lambda settings: {})
    """The config of the model version that comes out, by the settings; `train` may return more of it as `config`."""
    beta: Callable[[Any], float] | None = None
    """Of objectives whose policy, beside its base, is an implicit reward: the strength of the KL term."""


trainers: Shelf[Trainer] = Shelf("workers.trainers", "trainer")
"""Trainers: one file a method, each adding itself to the shelf in `workers/training.py`."""
