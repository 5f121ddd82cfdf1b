"""Decided labels out of the table of decisions: those of one fit, and those that people settled, laid over others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from curation import bulk
from curation.models import Decision, Project, TaskKind
from curation.services.reading import stream

COLUMNS = """
SELECT d.task_id, t.pair_id, d.first_id, d.second_id, d.name, d.outcome, d.value, d.confidence, d.votes, d.annotations,
       d.how, d.id
FROM curation_decision d JOIN curation_task t ON t.id = d.task_id
"""
ORDER = "ORDER BY d.task_id, d.first_id, d.second_id, d.id"
LAST = 2**62


@dataclass(frozen=True, slots=True)
class Row:
    """What the table has of one pair on one axis, or of two responses of a ranking."""

    task_id: int
    pair_id: int | None
    responses: tuple[int, int] | None
    axis: str
    outcome: str
    value: float | None
    confidence: float
    votes: int
    annotations: list[int]
    how: str


def rows_of(condition: str, params: Sequence[Any], ranked: bool) -> Iterator[Row]:
    """The last row of each place that a condition leaves, in the order of tasks and responses."""
    kept: Row | None = None
    for task, pair, first, second, axis, outcome, value, confidence, votes, behind, how, _ in stream(
        f"{COLUMNS} {condition} {ORDER}", params
    ):
        responses = (first, second) if ranked else None
        ids = orjson.loads(behind) if isinstance(behind, str) else behind
        row = Row(task, pair, responses, axis, outcome, value, confidence, votes, ids, how)
        if kept is not None and (kept.task_id, kept.responses) != (row.task_id, row.responses):
            yield kept
        kept = row
    if kept is not None:
        yield kept


def kind_of(project: Project) -> tuple[str, bool]:
    ranked = project.kind == TaskKind.RANKING
    return (Decision.Kind.RANK if ranked else Decision.Kind.AXIS), ranked


def of_fit(project: Project, run: UUID, axis: str, tasks: Sequence[int] | None) -> Iterator[Row]:
    """What a fit decided on an axis."""
    kind, ranked = kind_of(project)
    some, given = among(tasks)
    return rows_of(
        f"WHERE d.run_id = %s AND d.kind = %s AND d.name = %s {some}", [bulk.uuid(run), kind, axis, *given], ranked
    )


def by_hand(project: Project, axis: str, upto: int | None, tasks: Sequence[int] | None) -> Iterator[Row]:
    """What people settled on an axis, up to a decision; of several on one place the last."""
    kind, ranked = kind_of(project)
    some, given = among(tasks)
    condition = f"WHERE d.project_id = %s AND d.run_id IS NULL AND d.kind = %s AND d.name = %s AND d.id <= %s {some}"
    return rows_of(condition, [project.pk, kind, axis, LAST if upto is None else upto, *given], ranked)


def among(tasks: Sequence[int] | None) -> tuple[str, list[int]]:
    return (f"AND d.task_id IN ({', '.join(['%s'] * len(tasks))})", list(tasks)) if tasks else ("", [])
