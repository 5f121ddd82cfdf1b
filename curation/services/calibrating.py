"""What a model's margin means here: its scores held against what people decided, and a curve fitted to that.

Shards collect the decided pairs (and score what has no score); the close fits. Errors are told by cross-fitting, by
item, so that the figure after the fit is not the fit's own praise. The pure part is `workers/calibration.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from django.db import transaction
from django.db.models import QuerySet
from pydantic import Field

from curation.errors import Conflict, Invalid
from curation.models import (
    Annotation,
    Annotator,
    Calibration,
    Item,
    ModelVersion,
    Pair,
    Project,
    Response,
    Run,
    Score,
    Shard,
    TaskKind,
)
from curation.services import candidates, deciding, opinions, prelabelling, scoring
from curation.services.deciding import Decision, Filters
from curation.services.method import Method, Params, Piece
from curation.services.running import Report
from curation.services.sharding import ShardReport
from workers import calibration
from workers.calibration import Judgement, Reliability

FEWEST = 30
"""With fewer decided pairs nothing is fitted."""
MOST = 20_000
"""So many decided pairs at most, the first ones: more would change no digit that is shown."""
TASKS_PER_SHARD = 256
MOST_SHOWN = 200
KINDS = ("reward", "cost", "implicit", "token", "step")


class CalibrateParams(Params):
    model: int = Field(
        title="Model", description="which model", json_schema_extra={"choose": "model", "kinds": list(KINDS)}
    )
    axis: str = Field(
        default="",
        max_length=40,
        title="Axis",
        description="whose decided preferences count; by default the model's own, or the first",
        json_schema_extra={"choose": "axis"},
    )
    head: str = Field(default="", max_length=40, title="Head", description="of models with several scores")
    method: Literal["temperature", "isotonic"] = Field(
        default="temperature",
        title="Curve",
        description="temperature is one number and needs few pairs; isotonic takes any rising shape and needs hundreds",
    )
    annotators: Literal["people", "signed-in", "imported"] = Field(
        default="people", title="Whose answers", description="decide which response is better"
    )


def filters(axis: str, params: CalibrateParams) -> Filters:
    return Filters(axis=axis, annotators=params.annotators)


def plan(run: Run, params: CalibrateParams, after: dict[str, Any] | None) -> Iterator[Piece]:
    """Tasks with answers, some hundred in a piece, up to the last answer there was when the first piece was cut."""
    assert run.model is not None
    if run.home.kind == TaskKind.RESPONSE:
        raise Invalid("nothing is compared in this project, so there is nothing to calibrate on", field="project")
    prelabelling.axis_of(run.home, run.model, params.axis)
    as_of = after["as_of"] if after else deciding.last_annotation(run.home)
    last, laid = (after["tasks"][-1], after["laid"]) if after else (0, 0)
    while laid < MOST and (tasks := answered_tasks(run.home, last)):
        laid += len(tasks)
        last = tasks[-1]
        yield Piece({"tasks": tasks, "as_of": as_of, "laid": laid}, len(tasks))


def answered_tasks(project: Project, after: int) -> list[int]:
    """The next tasks behind `after` that a person answered; suggestions of models are no answers."""
    people = Annotation.objects.filter(project=project, annotator__kind=Annotator.Kind.PERSON, task__gt=after)
    return list(people.order_by("task_id").values_list("task_id", flat=True).distinct()[:TASKS_PER_SHARD])


@dataclass(frozen=True, slots=True)
class Decided:
    """A pair on which people's answers have a majority: its responses, and whether the second is better."""

    first: int
    second: int
    better_second: bool


def work(run: Run, shard: Shard, params: CalibrateParams, report: ShardReport) -> None:
    """The margins of the decided pairs of some tasks, with what people said; one row of numbers each."""
    assert run.model is not None
    axis = prelabelling.axis_of(run.home, run.model, params.axis)
    found = deciding.decisions(run.home, filters(axis, params), as_of=shard.spec["as_of"], tasks=shard.spec["tasks"])
    pairs = decided(list(found))
    wanted = {response for pair in pairs for response in (pair.first, pair.second)}
    items = Item.objects.filter(pk__in=Response.objects.filter(pk__in=wanted).values("item")).order_by("pk")
    missing = candidates.unscored(run.model).filter(pk__in=wanted)
    scored = scoring.judged(run.model, candidates.given(items, missing, unit=candidates.unit_of(run.home)), report)
    report.progress(max(0, shard.size - report.rows))
    head = prelabelling.head_of(run.model, axis, params.head)
    with report.committing():
        scoring.write(run, scored)
        rows = list(judgements(run.model, head, pairs))
        Shard.objects.filter(pk=shard.pk).update(result={**scoring.told(scored), "pairs": len(rows), "rows": rows})


def decided(found: list[Decision]) -> list[Decided]:
    """The decisions that prefer one response; ties, both bad and no majority say nothing of a margin."""
    clear = [one for one in found if one.outcome in (deciding.FIRST, deciding.SECOND)]
    pairs = {
        pk: (first, second)
        for pk, first, second in Pair.objects.filter(
            pk__in=[one.pair_id for one in clear if one.pair_id], deleted_at=None
        ).values_list("pk", "first_id", "second_id")
    }
    of = [(one, one.responses or pairs.get(one.pair_id or 0)) for one in clear]
    return [Decided(*both, better_second=one.outcome == deciding.SECOND) for one, both in of if both]


def judgements(model: ModelVersion, head: str, pairs: list[Decided]) -> Iterator[list[float]]:
    """[margin, whether the second is better, item, words of the second less the first's] of each pair with scores."""
    wanted = {response for pair in pairs for response in (pair.first, pair.second)}
    scores = Score.objects.filter(model=model, head=head, response__in=wanted)
    values = dict(scores.values_list("response_id", "value"))
    responses = Response.objects.filter(pk__in=wanted).values_list("pk", "item_id", "text")
    texts = {pk: (item, len(text.split())) for pk, item, text in responses}
    for pair in pairs:
        goodness = better(model, values, pair)
        if goodness is not None:
            (item, first), (_, second) = texts[pair.first], texts[pair.second]
            yield [goodness[1] - goodness[0], int(pair.better_second), item, second - first]


def better(model: ModelVersion, values: dict[int, float], pair: Decided) -> list[float] | None:
    return opinions.worth(values, (pair.first, pair.second), cost=model.kind == ModelVersion.Kind.COST)


def collected(run: Run) -> list[Judgement]:
    """Every decided pair that the shards brought, in their order; a kilobyte or so for ten."""
    results = Shard.objects.filter(run=run, state=Shard.State.DONE).order_by("number").values_list("result", flat=True)
    return [
        Judgement(margin, bool(second), int(item), longer)
        for result in results.iterator(chunk_size=50)
        for margin, second, item, longer in result.get("rows", ())
    ]


def close(run: Run, params: CalibrateParams, report: Report) -> dict[str, Any]:
    """Fit, judge the fit, and keep both. Raises Conflict when there is too little to fit."""
    assert run.model is not None
    axis = prelabelling.axis_of(run.home, run.model, params.axis)
    made = Calibration.objects.filter(run=run).first() or keep(run, axis, params)
    shown = ("n", "accuracy", "length_accuracy", "ece_before", "ece_after", "brier_before", "brier_after")
    return {"axis": axis, **{name: rounded(made.report[name]) for name in shown}, **small(made.params)}


def keep(run: Run, axis: str, params: CalibrateParams) -> Calibration:
    """The fit as a row; the pairs it was made from are dropped from the shards."""
    assert run.model is not None
    pairs = collected(run)
    if len(pairs) < FEWEST:
        raise Conflict(
            f"there are {len(pairs)} pairs of {axis!r} that people decided and this model scored (ties left out); "
            f"{FEWEST} are needed"
        )
    curve, report = fitted(params.method, pairs, run.seed)
    with transaction.atomic():
        for shard in Shard.objects.filter(run=run, state=Shard.State.DONE).only("result"):
            kept = {name: value for name, value in shard.result.items() if name != "rows"}
            Shard.objects.filter(pk=shard.pk).update(result=kept)
        return Calibration.objects.create(
            run=run,
            model=run.model,
            project=run.home,
            axis=axis,
            method=params.method,
            params=curve,
            report=report,
        )


def small(params: dict[str, Any]) -> dict[str, Any]:
    return {name: rounded(value) for name, value in params.items() if not isinstance(value, list)}


def rounded(value: float) -> float:
    """As much of a figure as a run's page tells; the calibration keeps all of it."""
    return round(value, 4) if isinstance(value, float) else value


def fitted(method: str, pairs: list[Judgement], seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """(parameters, report): the curve over all pairs, and how good such curves are, each pair told by one that was
    fitted without its item."""
    said = [pair.second for pair in pairs]
    before = calibration.reliability((calibration.sigmoid(pair.margin), pair.second) for pair in pairs)
    after = calibration.reliability(zip(calibration.cross_fitted(method, pairs, seed), said, strict=True))
    report = {
        "n": len(pairs),
        "items": len({pair.group for pair in pairs}),
        "accuracy": before.accuracy,
        "length_accuracy": calibration.longer_is_better(pairs),
        **figures("before", before),
        **figures("after", after),
    }
    return calibration.fit(method, pairs), report


def figures(when: str, found: Reliability) -> dict[str, Any]:
    return {
        f"ece_{when}": found.ece,
        f"brier_{when}": found.brier,
        f"nll_{when}": found.nll,
        f"bins_{when}": [asdict(one) for one in found.bins],
    }


# --- What the model page shows ----------------------------------------------------------------------


def latest(model: ModelVersion, projects: QuerySet[Project]) -> list[Calibration]:
    """The newest calibration of a model in each of these projects and on each axis."""
    rows = Calibration.objects.filter(model=model, project__in=projects).select_related("project", "run")
    newest: dict[tuple[int, str], Calibration] = {}
    for row in rows.order_by("-id")[:MOST_SHOWN]:
        newest.setdefault((row.project_id, row.axis), row)
    return sorted(newest.values(), key=lambda row: (row.project.name, row.axis))


def concerned(model: ModelVersion, projects: QuerySet[Project]) -> list[Project]:
    """Those of the projects in which two responses are compared and this model was put to work, the latest first."""
    at_work = Run.objects.filter(model=model, project__in=projects).order_by("-created_at")
    slugs = dict.fromkeys(at_work.values_list("project_id", flat=True)[:MOST_SHOWN])
    found = projects.exclude(kind=TaskKind.RESPONSE).in_bulk([pk for pk in slugs if pk])
    return [found[pk] for pk in slugs if pk in found]


METHOD = Method(
    name="calibrate",
    title="Calibrate a model",
    about="Holds a model's margins against what people decided here, and fits what they mean as probabilities. "
    f"It takes {FEWEST} decided pairs, better some hundreds.",
    params=CalibrateParams,
    unit="tasks",
    plan=plan,
    work=work,
    close=close,
)
