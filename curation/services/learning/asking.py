"""The run that makes a learning curve of the labels so far, tells what the next would bring, and advises."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.db import transaction
from pydantic import Field

from curation.errors import Conflict, Invalid
from curation.models import LearningCurve, ModelVersion, Project, Run, TaskKind
from curation.services import deciding
from curation.services.learning import gathering, slicing
from curation.services.method import Method, Params
from curation.services.running import Report
from curation.services.team import effort
from workers.intervals import Estimate, wilson
from workers.learning import advising
from workers.learning.acquiring import apart


class CurveParams(Params):
    model: int | None = Field(
        default=None,
        title="Embedder",
        description="whose vectors a head is trained on, made by a run of embed; without one, hashed words, which know "
        "no meaning",
        json_schema_extra={"choose": "model", "kinds": ["embedder"], "empty": "Hashed words"},
    )
    axis: str = Field(
        default="",
        max_length=40,
        title="Axis",
        description="by default the first",
        json_schema_extra={"choose": "axis"},
    )
    slices: str = Field(
        default="", max_length=200, title="Slices",
        description="source, metadata.NAME or cluster; by default sources where there are several, else clusters",
    )  # fmt: skip
    threshold: float = Field(
        default=advising.THRESHOLD, gt=0, lt=0.5, title="Worth a hundred labels",
        description="a gain of the next hundred that is surely smaller says stop; 0.005 is half a point",
    )  # fmt: skip
    seeds: int = Field(default=8, ge=3, le=50, title="Seeds", description="splits and orders that are tried")


def settle(project: Project | None, params: CurveParams) -> CurveParams:
    """The axis and the slices by name. Raises Invalid for those that are not there."""
    assert project is not None
    if project.kind == TaskKind.RESPONSE:
        raise Invalid("nothing is compared in this project, so there is no curve to draw", field="method")
    axis = axis_of(project, params.axis)
    embedder(params.model, "params.model")
    by = slicing.checked(project, params.slices, "params.slices")
    return params.model_copy(update={"axis": axis, "slices": by})


def axis_of(project: Project, wanted: str) -> str:
    """The axis asked for, or the first. Raises Invalid for one that the protocol has not."""
    if project.kind != TaskKind.PREFERENCE or project.protocol is None:
        return "overall"
    names = project.protocol.axis_names
    if wanted and wanted not in names:
        raise Invalid(f"must be one of: {', '.join(names)}", field="params.axis")
    return wanted or names[0]


def embedder(pk: int | None, field: str) -> None:
    """Raises Invalid for a model that gives no vectors."""
    found = ModelVersion.objects.filter(pk=pk).first() if pk else None
    if found is not None and found.kind != ModelVersion.Kind.EMBEDDER:
        raise Invalid(f"{found} gives no vectors; take an embedder, or none for hashed words", field=field)


def execute(run: Run, report: Report) -> dict[str, Any]:
    """Read the decided pairs, make the curve, and write it in place of one of a try that fell."""
    params = CurveParams.model_validate(run.params)
    upto, found = deciding.last_annotation(run.home), gathering.Gathered()
    for found in gathering.gather(run.home, params.axis, lambda tasks: slicing.by_field(tasks, params.slices), upto):
        report.checkpoint(done=len(found.rows))
    labels = gathering.labelled(found, run.model)
    report.log(f"{len(labels.rows)} decided pairs with vectors; {labels.without} without")
    try:
        told = curve_of(run, params, found, labels)
    except ValueError as error:
        hint = "; a run of 'embed' gives vectors" if labels.without else ""
        raise Conflict(f"{error}{hint}") from None
    told["upto"] = upto
    with transaction.atomic():
        LearningCurve.objects.filter(run=run).delete()
        LearningCurve.objects.create(project=run.home, run=run, told=told)
        report.checkpoint(done=len(found.rows), total=len(found.rows))
    gain = told["gains"][0]
    back = told["back"]
    return {
        "labels": told["labels"],
        "error": round(told["now"]["value"], 4),
        "gain of the next 100": {name: round(gain[name], 4) for name in ("value", "low", "high")},
        "advice": told["advice"],
        "back-test": {
            name: {part: round(back[name][part], 4) for part in ("value", "low", "high")}
            for name in ("predicted", "actual")
        }
        if back
        else "too few labels",
    }


def curve_of(run: Run, params: CurveParams, found: gathering.Gathered, labels: gathering.Labelled) -> dict[str, Any]:
    """Everything that is told. Raises ValueError with too few labels."""
    from workers.learning import curves, heads

    given = curves.Labels(labels.differences, labels.y, heads.grouped([row.prompt for row in labels.rows]))
    curve = curves.curve(given, seed=run.seed, seeds=params.seeds)
    back = curves.back_tested(given, seed=run.seed, seeds=params.seeds)
    count = len(labels.rows)
    gains = [(more, curve.gain(count, count + more)) for more in curves.AHEAD]
    told = {
        "axis": params.axis,
        "model": {"id": run.model.pk if run.model else None, "name": str(run.model) if run.model else "hashed words"},
        "labels": count,
        "without": labels.without,
        "prompts": int(given.groups.max()) + 1,
        "points": [[size, one.value, one.low, one.high] for size, one in curve.points],
        "law": {"a": float(curve.law.a), "b": float(curve.law.b), "c": float(curve.law.c)},
        "now": asdict(curve.at(count)),
        "ahead": [[n, *asdict(curve.at(n)).values()] for n in (count, *(count + more for more in curves.AHEAD))],
        "gains": [{"labels": more, **asdict(gain)} for more, gain in gains],
        "threshold": params.threshold,
        "back": back and {**asdict(back), "within": back.within, "meets": back.meets},
        "by": params.slices,
        **cost_of(run.home, labels, gains[0][1]),
    }
    return told | slices_of(run, params, found, labels, curves.cases(curve, count), gains[0][1])


def cost_of(project: Project, labels: gathering.Labelled, gain: Estimate) -> dict[str, Any]:
    """What a hundred decided pairs take, at the answers that each took so far, and the gain for that."""
    each = effort(project)
    if each is None:
        return {"cost": None}
    votes = sum(row.votes for row in labels.rows) / len(labels.rows)
    hours = 100 * votes * each.hours
    amount = None if each.cost is None else 100 * votes * each.cost
    unit = amount or hours
    return {
        "cost": {
            "votes": votes, "hours": hours, "amount": amount,
            "gain_per_unit": {"value": gain.value / unit, "low": gain.low / unit, "high": gain.high / unit},
        }
    }  # fmt: skip


def slices_of(
    run: Run,
    params: CurveParams,
    found: gathering.Gathered,
    labels: gathering.Labelled,
    misses: Any,
    gain: Estimate,
) -> dict[str, Any]:
    """The slices with their held-out errors and what follows for each; of clusters their middles too."""
    names, titles, told = [row.slice for row in labels.rows], {}, dict[str, Any]()
    if params.slices == slicing.CLUSTER:
        names, middles = slicing.clustered(labels, run.seed)
        titles = slicing.titled(labels, names, middles)
        told["middles"] = [[round(float(one), 5) for one in row] for row in middles]
        compared = by_cluster(labels, names, middles)
    else:
        compared = found.compared
    tried = [one for one in misses.tolist() if one == one]  # those that were held out at all
    overall = sum(tried) / len(tried)
    slices = []
    for name, places in slicing.rows_by(labels.rows, names).items():
        own = [misses[n] for n in places if misses[n] == misses[n]]
        pairs, differ = compared.get(name, (0, 0))
        votes = sum(labels.rows[n].votes for n in places) / len(places)
        slices.append(advising.Slice(name, len(places), advising.shares(own), wilson(differ, pairs), votes))
    advice = [advising.advice_of(one, overall, gain, params.threshold) for one in slices]
    told["slices"] = [
        {**asdict(one), "title": titles.get(one.name, one.name), "floor": one.floor, "advice": said}
        for one, said in zip(slices, advice, strict=True)
    ]
    told["advice"] = advising.overall_advice(slices, advice, gain, params.threshold)
    return told


def by_cluster(labels: gathering.Labelled, names: list[str], middles: Any) -> dict[str, list[int]]:
    """Answers of two people to one pair, by cluster; pairs without a winner belong to the cluster they are nearest to.

    Without these two people would never seem to differ: where they do, nobody wins.
    """
    counts: dict[str, list[int]] = {}
    nearest = apart(labels.unclear_middles, middles).argmin(axis=1) if labels.unclear else []
    for row, name in (*zip(labels.rows, names, strict=True), *zip(labels.unclear, nearest, strict=True)):
        one = counts.setdefault(str(name), [0, 0])
        one[0] += row.pairs
        one[1] += row.differing
    return counts


METHOD = Method(
    name="learning-curve",
    title="What more labels would bring",
    about="Trains a small head on nested subsets of the decided pairs, draws the held-out error over their number, "
    "tells what the next hundred would bring and cost, tests that on the past, and says where to label next.",
    params=CurveParams,
    unit="pairs",
    execute=execute,
    settle=settle,
)
