"""Scores over places of a response as rows: packed, written in bulk, read back."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from django.db.models import Q, QuerySet

from curation.models import ModelVersion, Run, ScoreMap, Task
from workers.judging import Judged, Mapped

LARGEST = 65504.0
"""What a float16 holds; values beyond it are cut to it."""


def pack(mapped: Mapped) -> tuple[bytes, bytes]:
    """Offsets as little-endian int32 pairs, values as little-endian float16. Raises ValueError if they do not fit."""
    if len(mapped.offsets) != len(mapped.values):
        raise ValueError(f"{len(mapped.offsets)} places but {len(mapped.values)} values")
    flat = [number for pair in mapped.offsets for number in pair]
    values = [max(-LARGEST, min(LARGEST, value)) for value in mapped.values]
    return struct.pack(f"<{len(flat)}i", *flat), struct.pack(f"<{len(values)}e", *values)


def unpack(row: ScoreMap) -> tuple[list[tuple[int, int]], list[float]]:
    """The places and values of a stored map, as `pack` took them, at the precision of float16."""
    offsets, values = bytes(row.offsets), bytes(row.values)
    return list(struct.iter_unpack("<ii", offsets)), [value for (value,) in struct.iter_unpack("<e", values)]


def write(run: Run, judged: Iterable[Judged]) -> None:
    """The maps of what was judged, as rows of the run's model; one that is there already stays."""
    assert run.model is not None
    ScoreMap.objects.bulk_create(
        (row(run, one.key, mapped) for one in judged for mapped in one.maps), ignore_conflicts=True, batch_size=500
    )


def row(run: Run, response: int, mapped: Mapped) -> ScoreMap:
    offsets, values = pack(mapped)
    return ScoreMap(
        model=run.model,
        response_id=response,
        head=mapped.head,
        unit=mapped.unit,
        offsets=offsets,
        values=values,
        run=run,
    )


def shown(project_id: int) -> QuerySet[ScoreMap]:
    """Token rewards that may be shown in a project: of models in use, implicit ones only with a passing probe.

    Good preferences do not make good token rewards: plain DPO puts the blame after the error (docs/token-rewards.md).
    """
    kind = ModelVersion.Kind
    models = ModelVersion.objects.filter(state=ModelVersion.State.READY, retired_at=None)
    models = models.filter(Q(project=None) | Q(project=project_id))
    models = models.filter(Q(kind=kind.TOKEN) | Q(kind=kind.IMPLICIT, probe__passed=True))
    return ScoreMap.objects.filter(unit=ScoreMap.Unit.TOKEN, model__in=models)


def concern(project_id: int, task_id: int) -> bool:
    """Whether there are token rewards to show on a task."""
    task = Task.objects.filter(pk=task_id).values("pair__first", "pair__second", "response", "item").first()
    if task is None:
        return False
    responses = [task["pair__first"], task["pair__second"], task["response"]]
    among = Q(response__item=task["item"]) if task["item"] else Q(response__in=[pk for pk in responses if pk])
    return shown(project_id).filter(among).exists()
