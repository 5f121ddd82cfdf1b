"""Slices of a project: by source, by a field of the metadata, or by clusters of vectors that a learning curve found."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from curation.errors import Conflict, Invalid
from curation.models import Item, LearningCurve, ModelVersion, Project
from curation.services.concord import showing
from curation.services.concord.speaking import slices_of
from curation.services.learning import vectors
from curation.services.learning.gathering import Labelled, Row
from workers.learning import acquiring

CLUSTER = "cluster"
CLUSTERS = 8
MOST = 30
"""So many slices are told of, those with most labels."""
FIRST_WORDS = 60


def checked(project: Project, wanted: str, field: str) -> str:
    """The field to slice by: as asked for, else the source where there are several, else clusters. Raises Invalid."""
    if wanted == CLUSTER:
        return wanted
    if not wanted:
        return "source" if project.sources.count() > 1 else CLUSTER
    known = showing.fields_of(project)
    if wanted not in known:
        raise Invalid(f"must be one of: {', '.join([*known, CLUSTER])}", field=field)
    return wanted


def by_field(tasks: Sequence[int], by: str) -> dict[int, str]:
    return {} if by == CLUSTER else slices_of(tasks, by)


def clustered(found: Labelled, seed: int) -> tuple[list[str], Any]:
    """The cluster of each labelled pair as a word, and the middles of all clusters."""
    count = min(CLUSTERS, max(1, len(found.rows) // 30))
    clusters = acquiring.Clusters(acquiring.begun(found.middles[: acquiring.SAMPLE], count, seed))
    for _ in range(3):
        clusters.learn(found.middles)
    return [str(n) for n in clusters.nearest(found.middles)[0]], clusters.middles


def titled(found: Labelled, names: Sequence[str], middles: Any) -> dict[str, str]:
    """Of each cluster the first words of the prompt that is nearest to its middle, so that people know what it is."""
    distance = acquiring.apart(found.middles, middles)
    nearest = {name: found.rows[int(distance[:, int(name)].argmin())] for name in set(names)}
    items = Item.objects.in_bulk([row.item for row in nearest.values()])
    return {name: first_words(items[row.item]) for name, row in nearest.items()}


def first_words(item: Item) -> str:
    text = " ".join(str(item.prompt[-1].get("content", "") if item.prompt else "").split())
    return f"like “{text[:FIRST_WORDS]}{'…' if len(text) > FIRST_WORDS else ''}”"


def largest(names: Sequence[str]) -> list[str]:
    return [name for name, _ in Counter(names).most_common(MOST)]


def rows_by(rows: Sequence[Row], names: Sequence[str]) -> dict[str, list[int]]:
    """Places of the rows of each slice."""
    found: dict[str, list[int]] = defaultdict(list)
    for n, name in enumerate(names):
        found[name].append(n)
    return {name: found[name] for name in largest(names)}


class Within:
    """Which open tasks lie in one slice: of the field `by` those whose value is `value`.

    Raises Conflict where clusters are asked for and no learning curve has found any with these vectors.
    """

    def __init__(self, project: Project, model: ModelVersion | None, by: str, value: str) -> None:
        self.by, self.value = by, value
        self.middles: Any = None
        if by == CLUSTER:
            latest = LearningCurve.objects.filter(project=project).order_by("-pk").first()
            told = latest.told if latest else {}
            if not told.get("middles") or told["model"]["id"] != (model.pk if model else None):
                raise Conflict("no learning curve has found clusters with these vectors; make one first")
            if not value.isdigit() or int(value) >= len(told["middles"]):
                raise Invalid(f"must be a cluster from 0 to {len(told['middles']) - 1}", field="params.value")
            self.middles = told["middles"]

    def among(self, some: vectors.Open) -> list[bool]:
        """For each of some tasks whether it lies in the slice; without vectors no task is in a cluster."""
        if self.by != CLUSTER:
            told = slices_of(some.tasks, self.by)
            return [told.get(task, "") == self.value for task in some.tasks]
        import numpy as np

        found = [False] * len(some.tasks)
        if some.known:
            nearest = acquiring.apart((some.first + some.second) / 2, np.asarray(self.middles)).argmin(axis=1)
            for place, cluster in zip(some.known, nearest.tolist(), strict=True):
                found[place] = cluster == int(self.value)
        return found
