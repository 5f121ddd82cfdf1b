"""Keys of the open tasks by what a head would learn from them: the smallest first, infinity where there is no vector.

Vectors stream by, some hundred at a time; kept are a few numbers for each task. Pure parts: workers/learning.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from random import Random
from typing import Any

from curation.errors import Conflict, Invalid
from curation.models import ModelVersion, Project, TaskKind
from curation.services.learning import gathering, vectors
from curation.services.learning.slicing import Within
from workers.learning import acquiring, heads

CHANGE, DISAGREEMENT, COVERAGE, MIXED = "change", "disagreement", "coverage", "mixed"
WAYS = (CHANGE, DISAGREEMENT, COVERAGE, MIXED)
FEWEST = 20
"""With fewer decided pairs there is no head to ask."""


@dataclass(slots=True)
class Keys:
    """The open tasks by rising id; for each its key, which way gave it, and whether it lies in the slice asked for."""

    tasks: array[int]
    found: array[float]
    ways: list[str]
    within: bytearray


@dataclass(frozen=True)
class Heads:
    """What was learnt so far: the directions, one head, and an ensemble."""

    turned: heads.Turned
    one: Any
    several: Any


def keys(
    project: Project, model: ModelVersion | None, axis: str, by: str, seed: int, upto: int, within: Within | None
) -> Keys:
    """The keys of all open tasks, by the labels up to an annotation. Raises Conflict where nothing has vectors, or too
    few labels have."""
    if project.kind != TaskKind.PREFERENCE:
        raise Invalid("only pairs are ordered so; this project has none", field="params.by")
    found = gathering.labelled(everything(project, axis, upto), model)
    learnt = None if by == COVERAGE else learn(found, seed)
    clusters = clusters_of(project, model, found, seed) if by in (COVERAGE, MIXED) else None
    tasks, inside = array("q"), bytearray()
    numbers: dict[str, array[float]] = {way: array("d") for way in (CHANGE, DISAGREEMENT, "distance")}
    cluster, known = array("l"), array("q")
    for some in vectors.open_tasks(project, model):
        known.extend(len(tasks) + n for n in some.known)
        tasks.extend(some.tasks)
        inside.extend(within.among(some) if within else [True] * len(some.tasks))
        if not some.known:
            continue
        if learnt:
            x = learnt.turned(some.second - some.first)
            numbers[CHANGE].extend((-acquiring.change(x, learnt.one)).tolist())
            numbers[DISAGREEMENT].extend((-acquiring.disagreement(x, learnt.several)).tolist())
        if clusters:
            nearest, distance = clusters.nearest((some.first + some.second) / 2)
            cluster.extend(nearest.tolist())
            numbers["distance"].extend(distance.tolist())
    if not known:
        raise Conflict(f"no open task has vectors by {model}; a run of 'embed' gives them" if tasks else "no open task")
    if clusters:
        taught = counted(clusters, found)
        numbers[COVERAGE] = acquiring.turns(cluster, numbers["distance"], taught)
    return placed(by, tasks, inside, known, numbers)


def placed(by: str, tasks: array[int], inside: bytearray, known: array[int], numbers: dict[str, array[float]]) -> Keys:
    """Keys over all tasks out of those of the ones with vectors."""
    three = (CHANGE, DISAGREEMENT, COVERAGE)
    given, which = acquiring.mixed([numbers[way] for way in three]) if by == MIXED else (numbers[by], None)
    found, ways = array("d", [inf]) * len(tasks), [by] * len(tasks)
    for n, place in enumerate(known):
        found[place] = given[n]
        if which is not None:
            ways[place] = three[which[n]]
    return Keys(tasks, found, ways, inside)


def everything(project: Project, axis: str, upto: int) -> gathering.Gathered:
    """All that is decided; where there is nothing, nothing of it."""
    *_, found = gathering.gather(project, axis, lambda tasks: {}, upto)
    return found


def learn(found: gathering.Labelled, seed: int) -> Heads:
    """A head and an ensemble on all decided pairs. Raises Conflict with fewer than FEWEST."""
    if len(found.rows) < FEWEST or len(set(found.y.tolist())) < 2:
        raise Conflict(
            f"there are {len(found.rows)} decided pairs with vectors, and {FEWEST} of both outcomes are needed to tell "
            "what a model would learn; 'coverage' needs none"
        )
    turned = heads.turned(found.differences)
    x = turned(found.differences)
    prior = heads.likeliest_prior(x, found.y, heads.grouped([row.prompt for row in found.rows]), seed)
    return Heads(turned, heads.fitted(x, found.y, prior), heads.ensemble(x, found.y, prior, seed))


def middles(project: Project, model: ModelVersion | None) -> Iterator[Any]:
    """The mean of both vectors of each open task, some hundred at a time."""
    for some in vectors.open_tasks(project, model):
        if some.known:
            yield (some.first + some.second) / 2


def clusters_of(
    project: Project, model: ModelVersion | None, found: gathering.Labelled, seed: int
) -> acquiring.Clusters | None:
    """Clusters of labelled and open pairs: begun on a sample, then moved by one pass over all."""
    import numpy as np

    chance, sample, seen = Random(seed), list(found.middles[-acquiring.SAMPLE :]), len(found.rows)
    for some in middles(project, model):
        for one in some:
            seen += 1
            place = len(sample) if len(sample) < acquiring.SAMPLE else chance.randrange(seen)
            if place == len(sample):
                sample.append(one)
            elif place < acquiring.SAMPLE:
                sample[place] = one
    if not sample:
        return None
    clusters = acquiring.Clusters(acquiring.begun(np.array(sample), min(acquiring.CLUSTERS, len(sample)), seed))
    if len(found.rows):
        clusters.learn(found.middles)
    for some in middles(project, model):
        clusters.learn(some)
    return clusters


def counted(clusters: acquiring.Clusters, found: gathering.Labelled) -> list[int]:
    """Labels so far in each cluster."""
    counts = [0] * len(clusters.middles)
    if len(found.rows):
        for one in clusters.nearest(found.middles)[0].tolist():
            counts[one] += 1
    return counts
