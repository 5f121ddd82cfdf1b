"""Vectors of responses: those that a run of `embed` left, or hashed words where no embedder is named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from curation.models import Embedding, ModelVersion, Project, Response, Task, TaskKind
from workers.learning import hashed

AT_ONCE = 500


def vectors(model: ModelVersion | None, responses: Sequence[int]) -> dict[int, Any]:
    """A vector of each response that has one; hashed words every response has."""
    import numpy as np

    found: dict[int, Any] = {}
    for start in range(0, len(responses), AT_ONCE):
        some = responses[start : start + AT_ONCE]
        if model is None:
            rows = list(Response.objects.filter(pk__in=some).values_list("pk", "text"))
            found |= zip([pk for pk, _ in rows], hashed.vectors([text for _, text in rows]), strict=True)
        else:
            kept = Embedding.objects.filter(model=model, response__in=some).values_list("response_id", "vector")
            found |= {pk: np.frombuffer(vector, dtype="<f2").astype(np.float32) for pk, vector in kept}
    return found


@dataclass(frozen=True, slots=True)
class Open:
    """Some open tasks by id: which of them have vectors, and of those both vectors, a row each."""

    tasks: list[int]
    known: list[int]
    """Places in `tasks`."""
    first: Any
    second: Any


def open_tasks(project: Project, model: ModelVersion | None) -> Iterator[Open]:
    """The open tasks on pairs, by rising id, some hundred at a time."""
    import numpy as np

    last = 0
    waiting = Task.objects.filter(project=project, kind=TaskKind.PREFERENCE, state=Task.State.OPEN)
    while rows := list(
        waiting.filter(pk__gt=last).order_by("pk").values_list("pk", "pair__first_id", "pair__second_id")[:AT_ONCE]
    ):
        last = rows[-1][0]
        found = vectors(model, [response for row in rows for response in row[1:]])
        known = [n for n, (_, first, second) in enumerate(rows) if first in found and second in found]
        sides = [[found[rows[n][side]] for n in known] for side in (1, 2)]
        yield Open([row[0] for row in rows], known, *(np.array(side, dtype=np.float32) for side in sides))
