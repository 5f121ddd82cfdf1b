"""The order of the open tasks by what a model scored, or by what a head on vectors would learn from their answers.

A random share is always mixed in, so that what is answered first can also speak for the whole: some tasks are drawn by
a coin, and stand at places drawn evenly from the whole queue. In any beginning of the queue about that share of
the tasks is then a random sample of all, and `Task.pick` says which task came how.
"""

from __future__ import annotations

import hashlib
import math
from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any, Literal

from django.db import transaction
from pydantic import Field

from curation.errors import Conflict, Invalid
from curation.models import Annotator, ModelVersion, Project, Run, TaskKind
from curation.services import deciding, prelabelling, queueing, scoring
from curation.services.learning import acquiring, slicing
from curation.services.learning.asking import axis_of, embedder
from curation.services.method import Method, Params
from curation.services.reading import stream
from curation.services.running import Report

LEVELS = 2**20
"""Priorities given are from -LEVELS/2 to LEVELS/2, the median 0, where tasks of later imports stand."""
AT_ONCE = 1000
RANDOM = "random"
LACKING = {
    "spread": "no open task has a spread (only ensembles have one) by {}; a run of 'score' gives them",
    "value": "no open task has a score by {}; a run of 'score' gives them",
    "strength": "no open task has a suggestion by {}; a run of 'self-reference', 'guided' or 'prelabel' gives them",
}
UNSCORED = math.inf


class PrioritiseParams(Params):
    model: int | None = Field(
        default=None,
        title="Model",
        description="whose scores, or an embedder with its vectors; tasks without them come last. Without one, change, "
        "disagreement, coverage and mixed read hashed words",
        json_schema_extra={"choose": "model", "kinds": [*scoring.KINDS, "critic", "embedder"], "empty": "Hashed words"},
    )
    by: Literal["margin", "spread", "value", "strength", "change", "disagreement", "coverage", "mixed"] = Field(
        default="margin",
        title="By",
        description="of scores, margin: what the model is least sure of first; spread: where the members of an "
        "ensemble differ most; value: by the score itself; strength: where what it suggested is weakest, as of critics "
        "that vote. Of vectors, change: what would change a small head most; "
        "disagreement: where bootstrapped heads differ; coverage: clusters with fewest labels first; mixed: these "
        "three in turn",
    )
    first: Literal["low", "high"] = Field(
        default="low", title="First", description="by value: whether the lowest or the highest scores come first"
    )
    random: float = Field(
        default=0.2, ge=0.01, le=1, title="Random share", description="of the tasks, at places drawn at random"
    )
    axis: str = Field(
        default="", max_length=40, title="Axis", description="of models with several scores",
        json_schema_extra={"choose": "axis"},
    )  # fmt: skip
    head: str = Field(default="", max_length=40, title="Head", description="of models with several scores")
    slices: str = Field(
        default="", max_length=200, title="A slice first", json_schema_extra={"more": True},
        description="source, metadata.NAME, or cluster (of the newest learning curve): with change and the like, tasks "
        "of this slice come before all others",
    )  # fmt: skip
    value: str = Field(
        default="", max_length=200, title="Value", json_schema_extra={"more": True},
        description="which source, value or cluster",
    )  # fmt: skip


OPEN = " WHERE t.project_id = %s AND t.kind = %s AND t.state = 'open' ORDER BY t.id"
SCORE = "LEFT JOIN curation_score {0} ON {0}.response_id = {1} AND {0}.model_id = %s AND {0}.head = %s"
SCORED = {
    TaskKind.PREFERENCE: "SELECT t.id, f.value, f.spread, s.value, s.spread FROM curation_task t"
    f" JOIN curation_pair p ON p.id = t.pair_id {SCORE.format('f', 'p.first_id')} {SCORE.format('s', 'p.second_id')}",
    TaskKind.RESPONSE: f"SELECT t.id, s.value, s.spread FROM curation_task t {SCORE.format('s', 't.response_id')}",
    TaskKind.RANKING: "SELECT t.id, s.value, s.spread FROM curation_task t"
    f" JOIN curation_response r ON r.item_id = t.item_id AND r.deleted_at IS NULL {SCORE.format('s', 'r.id')}",
}
"""Value and spread of the responses of each open task, in as many columns or rows as there are responses."""
SUGGESTED = """
SELECT t.id, a.id, s.probability FROM curation_task t
LEFT JOIN curation_annotation a ON a.task_id = t.id AND a.event = 'answer' AND a.counted AND a.annotator_id = %s
  AND NOT EXISTS (SELECT 1 FROM curation_annotation later WHERE later.supersedes_id = a.id)
LEFT JOIN curation_preference s ON s.annotation_id = a.id AND s.axis = %s
"""
"""What one model suggested on each open task, where it did, and its probability, where it preferred."""
Numbers = Sequence[tuple[float, float | None]]
"""Value and spread of each response of a task."""


def margin(numbers: Numbers) -> float:
    """How far the best response is from the next: the smaller, the less sure."""
    ordered = sorted((value for value, _ in numbers), reverse=True)
    return ordered[0] - ordered[1] if len(ordered) > 1 else UNSCORED


def spread(numbers: Numbers) -> float:
    """Less the disagreement of the members over the task: they are taken to differ apart on each response."""
    told = [found for _, found in numbers if found is not None]
    return -math.sqrt(sum(found * found for found in told)) if len(told) == len(numbers) else UNSCORED


def keys(by: str, first: str) -> Callable[[Numbers], float]:
    """What tasks are sorted by, the smallest first."""
    if by == "margin":
        return margin
    if by == "spread":
        return spread
    if first == "low":
        return lambda numbers: min(value for value, _ in numbers)
    return lambda numbers: -max(value for value, _ in numbers)


def settle(project: Project | None, params: PrioritiseParams) -> PrioritiseParams:
    """The axis and slice by name. Raises Invalid for a model or slice that the order cannot be made by."""
    assert project is not None
    if params.by not in acquiring.WAYS:
        if params.model is None:
            raise Invalid(f"{params.by} needs a model that scored the responses", field="params.model")
        if params.slices:
            raise Invalid(f"means nothing by {params.by}", field="params.slices")
        return params
    embedder(params.model, "params.model")
    by = slicing.checked(project, params.slices, "params.slices") if params.slices else ""
    return params.model_copy(update={"axis": axis_of(project, params.axis), "slices": by})


def execute(run: Run, report: Report) -> dict[str, Any]:
    """Rank the open tasks, then write places some hundred at a time, by id; after a fall it goes on behind the last."""
    params = PrioritiseParams.model_validate(run.params)
    keyed = by_vectors(run, params, report) if params.by in acquiring.WAYS else by_scores(run, params)
    tasks, found = keyed.tasks, keyed.found
    unscored = sum(key == UNSCORED for key in found)
    chosen = drawn(tasks, run.seed, params.random)
    places = placed(tasks, found, chosen, run.seed)
    last = run.checkpoint.get("last", 0)
    for start in range(0, len(tasks), AT_ONCE):
        some = range(start, min(start + AT_ONCE, len(tasks)))
        if tasks[some[-1]] <= last:
            continue
        rows = [(tasks[n], priority(places[n], len(tasks)), RANDOM if chosen[n] else keyed.ways[n]) for n in some]
        with transaction.atomic():
            queueing.place(project_id=run.home.pk, rows=rows)
            report.checkpoint(done=some[-1] + 1, total=len(tasks), at={**run.checkpoint, "last": tasks[some[-1]]})
    told: dict[str, Any] = {"tasks": len(tasks), "random": sum(chosen), "by": params.by, "without a score": unscored}
    return told | ({"in the slice": sum(keyed.within)} if params.slices else {})


def by_scores(run: Run, params: PrioritiseParams) -> acquiring.Keys:
    """Keys out of a model's scores. Raises Conflict where no open task has one."""
    assert run.model is not None
    if run.home.kind == TaskKind.RESPONSE and params.by == "margin":
        raise Invalid("single responses have no margin; use value or spread", field="params.by")
    if run.home.kind != TaskKind.PREFERENCE and params.by == "strength":
        raise Invalid("only preferences between two have a strength", field="params.by")
    tasks, found = array("q"), array("d")
    wanted = suggested_keys if params.by == "strength" else sort_keys
    for task, key in wanted(run.home, run.model, params):
        tasks.append(task)
        found.append(key)
    if all(key == UNSCORED for key in found):
        raise Conflict(LACKING.get(params.by, LACKING["value"]).format(run.model))
    return acquiring.Keys(tasks, found, [params.by] * len(tasks), bytearray(b"\1") * len(tasks))


def by_vectors(run: Run, params: PrioritiseParams, report: Report) -> acquiring.Keys:
    """Keys out of vectors and the labels that there were when it began; where a slice is asked for, its tasks come
    before all others, both in their order."""
    upto = run.checkpoint.get("upto")
    if upto is None:
        upto = deciding.last_annotation(run.home)
        report.checkpoint(done=0, at={"upto": upto})
    within = slicing.Within(run.home, run.model, params.slices, params.value) if params.slices else None
    keyed = acquiring.keys(run.home, run.model, params.axis, params.by, run.seed, upto, within)
    if within is not None:
        if not any(keyed.within):
            raise Conflict(f"no open task is in {params.slices} {params.value!r}")
        ordered = sorted(range(len(keyed.tasks)), key=keyed.found.__getitem__)
        for rank, n in enumerate(ordered):
            if keyed.found[n] != UNSCORED or keyed.within[n]:
                keyed.found[n] = rank + (0 if keyed.within[n] else len(ordered))
    return keyed


def sort_keys(project: Project, model: ModelVersion, params: PrioritiseParams) -> Iterator[tuple[int, float]]:
    """The key of each open task, by id; infinity where a response has no score."""
    axis = prelabelling.axis_of(project, model, params.axis)
    head = prelabelling.head_of(model, axis, params.head)
    key = keys(params.by, params.first)
    kind = TaskKind(project.kind)
    named = [model.pk, head] * SCORED[kind].count("curation_score")
    rows = stream(SCORED[kind] + OPEN, [*named, project.pk, kind])
    for task, each in groupby(rows, key=lambda row: row[0]):
        numbers = [(row[n], row[n + 1]) for row in each for n in range(1, len(row), 2)]
        yield task, UNSCORED if any(value is None for value, _ in numbers) else key(numbers)


def suggested_keys(project: Project, model: ModelVersion, params: PrioritiseParams) -> Iterator[tuple[int, float]]:
    """How strong the preference is that a model suggested on each open task, by id: its log-odds.

    Where it could not decide it is 0; where it suggested nothing, infinity.
    """
    axis = prelabelling.axis_of(project, model, params.axis)
    critic = Annotator.objects.filter(project=project, kind=Annotator.Kind.MODEL, name=model.name).first()
    rows = stream(SUGGESTED + OPEN, [critic.pk if critic else 0, axis, project.pk, TaskKind(project.kind)])
    for task, suggested, probability in rows:
        yield task, UNSCORED if suggested is None else strength(probability)


def strength(probability: float | None) -> float:
    """|log p / (1 - p)|, which is 0 where no probability was said."""
    if probability is None:
        return 0.0
    p = min(max(probability, 1e-9), 1 - 1e-9)
    return abs(math.log(p / (1 - p)))


def coin(seed: int, task: int, what: str) -> float:
    """A number from 0 to 1 that is the same at every look."""
    digest = hashlib.blake2b(f"{seed}:{task}:{what}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def drawn(tasks: Sequence[int], seed: int, share: float) -> bytearray:
    """Which tasks are of the random share: each by a coin of its own."""
    return bytearray(coin(seed, task, "arm") < share for task in tasks)


def placed(tasks: Sequence[int], found: Sequence[float], chosen: Sequence[int], seed: int) -> array[float]:
    """Where each task stands, from 0 (first) to 1: the sorted ones evenly in their order, the random ones anywhere."""
    places = array("d", bytes(8 * len(tasks)))
    ordered = [n for n in range(len(tasks)) if not chosen[n]]
    ordered.sort(key=lambda n: coin(seed, tasks[n], "tie"))
    ordered.sort(key=found.__getitem__)
    for rank, n in enumerate(ordered):
        places[n] = (rank + 0.5) / len(ordered)
    for n, task in enumerate(tasks):
        if chosen[n]:
            places[n] = coin(seed, task, "place")
    return places


def priority(place: float, count: int) -> int:
    """A place as a whole number, one level for each task as far as there are levels; the first is the highest."""
    levels = min(count, LEVELS)
    return levels // 2 - int(place * levels)


METHOD = Method(
    name="prioritise",
    title="Order the queue",
    about="Puts the open tasks in the order that a model's scores suggest, or what a small head would learn most from, "
    "with a random share mixed in evenly, so that what is answered first can be compared with chance.",
    params=PrioritiseParams,
    unit="tasks",
    execute=execute,
    settle=settle,
)
