"""Pairs built from the scores of an item's responses, each with an open task and, on wish, the model's suggestion.

A pair that is there already stays as it is, so that the same run again changes nothing. Items are gone through by id,
some at a time; each step writes its pairs, tasks, suggestions and where to go on in one transaction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import Any, Literal

from django.db import transaction
from django.db.models import F
from pydantic import Field

from curation import access
from curation.errors import Conflict, Invalid
from curation.models import ModelVersion, Pair, Project, Response, Run, Score, Task, TaskKind
from curation.services import opinions, prelabelling, queueing, scoring
from curation.services.desk import asked
from curation.services.importing.storing import insert_pairs
from curation.services.method import Method, Params
from curation.services.prelabelling import Opened, PrelabelParams, Speaker
from curation.services.running import Report
from workers.calibration import curve, sigmoid
from workers.pairing import Scored, built

AT_ONCE = 200
MOST_PAIRS = 100


class PairParams(Params):
    model: int = Field(
        title="Model",
        description="whose scores say which response is better; 'score' gives them",
        json_schema_extra={"choose": "model", "kinds": ["reward", "cost", "implicit"]},
    )
    how: Literal["best-worst", "best-random", "models"] = Field(
        default="best-worst",
        title="Which",
        description="best-worst: best of N against worst of N; best-random: the best against another one; models: "
        "responses of different models",
    )
    margin: float = Field(
        default=0.0, ge=0, allow_inf_nan=False, title="Margin", description="the scores differ by so much at least"
    )
    most: int = Field(default=1, ge=1, le=MOST_PAIRS, title="Pairs", description="so many of one prompt at most")
    written_by: list[str] = Field(
        default_factory=list,
        max_length=100,
        title="Written by",
        description="only responses of these models, one a line: on-policy pairs of the policy that is trained",
    )
    suggest: bool = Field(
        default=True, title="Suggest", description="the model's preference goes with each pair, as a suggestion"
    )
    axis: str = Field(
        default="", max_length=40, title="Axis", description="of the suggested preference",
        json_schema_extra={"choose": "axis"},
    )  # fmt: skip
    head: str = Field(default="", max_length=40, title="Head", description="of models with several scores")


def settle(project: Project | None, params: PairParams) -> PairParams:
    """Raises Invalid where no pairs are compared, or the model has no such head or the protocol no such axis."""
    assert project is not None
    if project.kind != TaskKind.PREFERENCE:
        raise Invalid("no pairs are compared in this project", field="method")
    model = ModelVersion.objects.filter(pk=params.model, retired_at=None).first()
    if model is None:
        raise Invalid("no such model", field="params.model")
    axis = prelabelling.axis_of(project, model, params.axis)
    return params.model_copy(update={"axis": axis, "head": prelabelling.head_of(model, axis, params.head)})


def execute(run: Run, report: Report) -> dict[str, Any]:
    """Some items at a time; what was counted goes with where to go on."""
    params = PairParams.model_validate(run.params)
    assert run.model is not None
    voice = speaker(run, params.axis, params.head) if params.suggest else None
    at = {"last": 0, "counts": {}, **run.checkpoint}
    total = run.home.item_count
    items = scoring.items_of(run.home).order_by("pk")
    while some := list(items.filter(pk__gt=at["last"]).values_list("pk", flat=True)[:AT_ONCE]):
        with transaction.atomic():
            counts = Counter(at["counts"]) + build(run, params, some, voice)
            at = {"last": some[-1], "counts": dict(counts)}
            report.checkpoint(done=min(counts["items"], total), total=total, at=at)
    counts = Counter(at["counts"])
    if not counts["scored"]:
        raise Conflict(f"no item has two responses with a score by {run.model}; a run of 'score' gives them")
    if counts["pairs"]:
        queueing.start_over([run.home.pk])
    return {name: counts[name] for name in ("items", "pairs", "there already", "suggested")} | {
        "items without two scores": counts["items"] - counts["scored"],
        "items without a pair": counts["scored"] - counts["paired"],
    }


def build(run: Run, params: PairParams, items: Sequence[int], voice: Speaker | None) -> Counter[str]:
    """The pairs of some items, in the caller's transaction; what was counted."""
    project = Project.objects.select_for_update(no_key=True, of=("self",)).get(pk=run.home.pk)
    counts: Counter[str] = Counter(items=len(items))
    wanted: list[tuple[int, int, int]] = []
    for item, responses in scored(run, params, items):
        if len(responses) < 2:
            continue
        found = built(responses, params.how, margin=params.margin, most=params.most, seed=run.seed)
        counts.update(scored=1, paired=bool(found))
        wanted += [(item, min(a.id, b.id), max(a.id, b.id)) for a, b in found]
    firsts = [first for _, first, _ in wanted]
    there = {
        (first, second): pk
        for pk, first, second in Pair.objects.filter(first__in=firsts).values_list("pk", "first_id", "second_id")
    }
    fresh = [one for one in wanted if one[1:] not in there]
    made = insert_pairs(project, fresh)
    Project.objects.filter(pk=project.pk).update(task_count=F("task_count") + len(made))
    counts.update({"pairs": len(made), "there already": len(wanted) - len(fresh)})
    if voice is not None:
        old = [there[one[1:]] for one in wanted if one[1:] in there]
        counts["suggested"] = suggested(run, voice, [pair for pair, _ in made] + old)
    return counts


def scored(run: Run, params: PairParams, items: Sequence[int]) -> list[tuple[int, list[Scored]]]:
    """By item the responses that have a score, higher being better."""
    assert run.model is not None
    cost = run.model.kind == ModelVersion.Kind.COST
    live = Response.objects.filter(item__in=items, deleted_at=None)
    if params.written_by:
        live = live.filter(model__in=params.written_by)
    rows = list(live.order_by("item_id", "pk").values_list("item_id", "pk", "model", "text_hash"))
    scores = Score.objects.filter(model=run.model, head=params.head, response__in=[pk for _, pk, _, _ in rows])
    values = dict(scores.values_list("response_id", "value"))
    found = []
    for item, each in groupby(rows, key=lambda row: row[0]):
        own = [(pk, model, words) for _, pk, model, words in each if pk in values]
        worth = opinions.worth(values, [pk for pk, _, _ in own], cost=cost) or []
        told = zip(own, worth, strict=True)
        found.append((item, [Scored(pk, value, model, words) for (pk, model, words), value in told]))
    return found


def speaker(run: Run, axis: str, head: str) -> Speaker:
    """The model of a run as it speaks of pairs here, by its latest calibration."""
    project, model = run.home, run.model
    assert model is not None
    if project.protocol is None:
        raise Invalid("this project has no protocol yet", field="project")
    calibrated = prelabelling.latest_calibration(model, project, axis)
    probability = curve(calibrated.method, calibrated.params) if calibrated else sigmoid
    told = PrelabelParams(model=model.pk, axis=axis, head=head)
    return Speaker(model, project.protocol, asked(project.protocol), axis, head, probability, told)


def suggested(run: Run, voice: Speaker, pairs: Sequence[int]) -> int:
    """Say what the model prefers of each pair whose task is open; how many suggestions were new."""
    tasks = Task.objects.filter(pair__in=pairs, state=Task.State.OPEN, pair__deleted_at=None).order_by("pk")
    opened = [
        Opened(pk, (first, second))
        for pk, first, second in tasks.values_list("pk", "pair__first_id", "pair__second_id")
    ]
    landed = prelabelling.speak(run, voice, opened)
    return landed.created + landed.replaced


METHOD = Method(
    name="build-pairs",
    title="Build pairs",
    about="Compares responses by a model's scores: the best of N against the worst, or another one, or those of "
    "different models. Each pair gets an open task; what the model prefers is suggested.",
    params=PairParams,
    unit="items",
    execute=execute,
    settle=settle,
    capability=access.MANAGE,
)
