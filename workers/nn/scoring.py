"""Reward and cost models, ensembles of them, and embedders, as judges."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import tee
from typing import Any

from workers.judging import Given, Judged, Opened, Spec, Unusable
from workers.nn.engine import Engine, Output
from workers.nn.heads import Vectors, scores_of
from workers.nn.loading import load


@dataclass(slots=True, eq=False)
class Scorer:
    """One reward or cost model; `ensemble`: its outputs are members, of which it gives mean and spread."""

    engine: Engine
    ensemble: bool = False
    device: str = field(init=False)

    def __post_init__(self) -> None:
        self.device = str(self.engine.loaded.device)

    def judge(self, given: Iterable[Given]) -> Iterator[Judged]:
        for out in self.engine.run(given):
            scores, spread = out.value, None
            if self.ensemble:
                values = list(out.value.values())
                scores, spread = {"": statistics.fmean(values)}, statistics.pstdev(values)
            yield Judged(out.key, scores=scores, spread=spread, tokens=out.tokens, truncated=out.truncated)


@dataclass(slots=True, eq=False)
class Ensemble:
    """Several reward models: the mean of their scores, and their spread on the first head."""

    members: list[Scorer]
    device: str = field(init=False)

    def __post_init__(self) -> None:
        self.device = self.members[0].device

    def judge(self, given: Iterable[Given]) -> Iterator[Judged]:
        """Members read the same rows side by side; what one is ahead of another is at most a few windows."""
        told = [member.judge(rows) for member, rows in zip(self.members, tee(given, len(self.members)), strict=True)]
        for together in zip(*told, strict=True):
            yield joined(together)


def joined(together: tuple[Judged, ...]) -> Judged:
    """Raises Unusable when the members name their heads differently."""
    heads = together[0].scores.keys()
    if any(one.scores.keys() != heads for one in together):
        raise Unusable("the members of the ensemble name different heads")
    values = {head: [one.scores[head] for one in together] for head in heads}
    return Judged(
        together[0].key,
        scores={head: statistics.fmean(of) for head, of in values.items()},
        spread=statistics.pstdev(next(iter(values.values()))),
        tokens=sum(one.tokens for one in together),
        truncated=any(one.truncated for one in together),
    )


@dataclass(slots=True, eq=False)
class Embedder:
    """Mean-pooled vectors of length 1: of a prompt with each response, or of a prompt alone (key: the item's)."""

    engine: Engine
    device: str = field(init=False)

    def __post_init__(self) -> None:
        self.device = str(self.engine.loaded.device)

    def judge(self, given: Iterable[Given]) -> Iterator[Judged]:
        for out in self.engine.run(given):
            yield embedded(out)


def embedded(out: Output) -> Judged:
    return Judged(out.key, vector=out.value, tokens=out.tokens, truncated=out.truncated)


def open_reward(spec: Spec) -> Opened:
    """A reward or cost model, or an ensemble where the version names members. Raises Unusable, OutOfMemory."""
    members = spec.config.get("members")
    if not members:
        return scorer(spec)
    return Ensemble([scorer(member) for member in specs(spec, members)])


def specs(spec: Spec, members: Iterable[Any]) -> Iterator[Spec]:
    """Each member as a version of its own: the ensemble's config without its members."""
    config = {name: value for name, value in spec.config.items() if name != "members"}
    folders = spec.config.get("folders") or {}
    for reference in members:
        name = str(reference)
        yield replace(spec, reference=name, revision="", config=config, folder=str(folders.get(name, "")))


def scorer(spec: Spec) -> Scorer:
    loaded = load(spec, "score")
    engine = Engine(loaded, scores_of(loaded, spec.config), template=str(spec.config.get("template") or ""))
    return Scorer(engine, bool(spec.config.get("ensemble")))


def open_embedder(spec: Spec) -> Opened:
    return Embedder(Engine(load(spec, "embed"), Vectors(), template=str(spec.config.get("template") or "")))
