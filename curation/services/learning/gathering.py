"""The decided pairs of a project with their vectors, the oldest first: what a head can learn from so far."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from curation.models import Item, ModelVersion, Pair, Project, Response
from curation.services import deciding
from curation.services.deciding import Decision, Filters
from curation.services.learning import vectors

AT_ONCE = 300
"""So many tasks are read at a time."""
MOST = 10_000
"""So many decided pairs at most, the latest: more would change no digit that is shown."""


@dataclass(slots=True)
class Row:
    """One decided pair."""

    task: int
    first: int
    second: int
    better_second: bool
    at: int
    """Its latest answer's id: the order in time."""
    votes: int
    slice: str
    item: int
    prompt: str
    pairs: int
    """Answers of two people to it, and how many of these differ."""
    differing: int


@dataclass(slots=True)
class Gathered:
    """Decided pairs, and by slice how many answers of two people to one pair there are, and how many differ."""

    rows: list[Row] = field(default_factory=list)
    unclear: list[Row] = field(default_factory=list)
    """Pairs that several answered and on which no response won: to be counted among those on which people differ."""
    compared: dict[str, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))

    def trim(self) -> None:
        """Keep the latest, in the order of time."""
        for rows in (self.rows, self.unclear):
            rows.sort(key=lambda row: (row.at, row.task, row.first))
            del rows[:-MOST]


@dataclass(frozen=True)
class Labelled:
    """Rows that have vectors: differences (second less first), both in the mean, and 1 where the second is better."""

    rows: list[Row]
    differences: Any
    middles: Any
    y: Any
    without: int
    """Decided pairs that have no vectors."""
    unclear: list[Row]
    unclear_middles: Any
    """Pairs without a winner that several answered, and their vectors in the mean."""


Slicing = Callable[[list[int]], dict[int, str]]


def gather(project: Project, axis: str, slicing: Slicing, upto: int | None = None) -> Iterator[Gathered]:
    """The same object over and over, after each batch of tasks, until all that is decided is in it."""
    gathered, last = Gathered(), 0
    filters = Filters(axis=axis, annotators="people")
    while tasks := deciding.annotated_tasks(project, after=last, most=AT_ONCE):
        last = tasks[-1]
        found = list(deciding.decisions(project, filters, as_of=upto, tasks=tasks))
        slices = slicing([one.task_id for one in found]) if found else {}
        for one in found:
            counts = gathered.compared[slices.get(one.task_id, "")]
            counts[:] = [there + more for there, more in zip(counts, compared(one), strict=True)]
        gathered.rows += rows_of([one for one in found if preferred(one)], slices)
        gathered.unclear += rows_of([one for one in found if not preferred(one) and compared(one)[0]], slices)
        if max(len(gathered.rows), len(gathered.unclear)) > 2 * MOST:
            gathered.trim()
        yield gathered
    gathered.trim()
    yield gathered


def compared(one: Decision) -> tuple[int, int]:
    """Answers of two people to one task, and those that differ: the losers are taken to say the same."""
    if one.votes < 2 or one.how != "majority":
        return 0, 0
    winners = round(one.confidence * one.votes)
    return one.votes * (one.votes - 1) // 2, winners * (one.votes - winners)


def preferred(one: Decision) -> bool:
    return one.outcome in (deciding.FIRST, deciding.SECOND)


def rows_of(found: list[Decision], slices: dict[int, str]) -> Iterator[Row]:
    """The decisions with prompt and item."""
    ids = [one.pair_id for one in found if one.pair_id]
    live = Pair.objects.filter(pk__in=ids, deleted_at=None, item__deleted_at=None)
    pairs = {pk: both for pk, *both in live.values_list("pk", "first_id", "second_id")}
    of = [(one, one.responses or pairs.get(one.pair_id or 0)) for one in found]
    firsts = [both[0] for _, both in of if both]
    items = dict(Response.objects.filter(pk__in=firsts).values_list("pk", "item_id"))
    prompts = dict(Item.objects.filter(pk__in=set(items.values())).values_list("pk", "prompt_hash"))
    for one, both in of:
        if both:
            yield Row(
                one.task_id, both[0], both[1], one.outcome == deciding.SECOND, max(one.annotations, default=0),
                one.votes, slices.get(one.task_id, ""), items[both[0]], prompts[items[both[0]]], *compared(one),
            )  # fmt: skip


def labelled(gathered: Gathered, model: ModelVersion | None) -> Labelled:
    """The rows with their vectors."""
    import numpy as np

    kept, differences, middles = placed(gathered.rows, model)
    y = np.array([float(row.better_second) for row in kept])
    unclear, _, theirs = placed(gathered.unclear, model)
    return Labelled(kept, differences, middles, y, len(gathered.rows) - len(kept), unclear, theirs)


def placed(rows: list[Row], model: ModelVersion | None) -> tuple[list[Row], Any, Any]:
    """Those with vectors, with differences and middles [rows, d] of these, some hundred read at a time."""
    import numpy as np

    kept: list[Row] = []
    differences, middles = [], []
    for start in range(0, len(rows), AT_ONCE):
        some = rows[start : start + AT_ONCE]
        found = vectors.vectors(model, sorted({response for row in some for response in (row.first, row.second)}))
        for row in some:
            if row.first in found and row.second in found:
                kept.append(row)
                differences.append(found[row.second] - found[row.first])
                middles.append((found[row.second] + found[row.first]) / 2)
    return kept, np.array(differences, dtype=np.float32), np.array(middles, dtype=np.float32)
