"""Pre-labels: what a model says of the open tasks, as suggestions that people see as the protocol lets them.

Numbers become a suggestion in `opinions.py`; docs/prelabels.md has the formulas. The same again changes nothing; a
new version of the model or a new calibration takes the place of what the model said before.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson
from django.urls import reverse
from pydantic import Field

from curation.errors import Invalid
from curation.models import (
    Annotator,
    Calibration,
    ModelVersion,
    Pair,
    Project,
    Protocol,
    Response,
    Run,
    Score,
    ScoreMap,
    Shard,
    Task,
    TaskKind,
)
from curation.protocols import Asked
from curation.services import candidates, heating, maps, opinions, scoring, suggestions
from curation.services.answering import Answer, Said
from curation.services.answering import Judged as Verdict
from curation.services.desk import asked
from curation.services.method import Method, Params, Piece
from curation.services.running import Report
from curation.services.sharding import ShardReport
from curation.services.suggestions import Suggestion
from curation.services.taking import ShownResponse
from workers.calibration import Curve, curve, sigmoid
from workers.judging import Mapped

TIE = 0.05
REASONS = 3
"""So many refusals of one shard are told in the log."""


class PrelabelParams(Params):
    model: int = Field(
        title="Model",
        description="which model suggests",
        json_schema_extra={"choose": "model", "kinds": list(scoring.KINDS)},
    )
    axis: str = Field(
        default="",
        max_length=40,
        title="Axis",
        description="of the preference; by default the model's own, or the first",
        json_schema_extra={"choose": "axis"},
    )
    head: str = Field(default="", max_length=40, title="Head", description="of models with several scores")
    tie: float = Field(
        default=TIE, ge=0, le=0.5, title="Tie", description="so near to one half nothing is better, if ties are asked"
    )
    threshold: float | None = Field(
        default=None,
        gt=0,
        title="Threshold",
        description="of marked spans and of yes; by default the model's own, or 0.5",
    )
    type: str = Field(default="", max_length=60, title="Type", description="of marked spans; open by default")
    severity: str = Field(default="", max_length=60, title="Severity", description="of marked spans; open by default")
    question: str = Field(
        default="", max_length=60, title="Question", description="what a judge of steps answers; the first fitting one"
    )
    items_per_shard: int | None = Field(
        default=None, ge=1, le=10_000, title="Items in a shard", description="by default 128, on a GPU 1024"
    )


@dataclass(frozen=True, slots=True)
class Opened:
    """An open task and the ids of its responses in stored order."""

    task: int
    responses: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Speaker:
    """A model as it speaks in one project: on which axis, from which of its heads, and how sure its margins make it."""

    model: ModelVersion
    protocol: Protocol
    asked: Asked
    axis: str
    head: str
    probability: Curve
    params: PrelabelParams


def axis_of(project: Project, model: ModelVersion, wanted: str) -> str:
    """The axis that a model's score speaks of. Raises Invalid for one that the protocol has not."""
    if project.kind != TaskKind.PREFERENCE or project.protocol is None:
        return "overall"
    names = project.protocol.axis_names
    if wanted:
        if wanted not in names:
            raise Invalid(f"must be one of: {', '.join(names)}", field="params.axis")
        return wanted
    own = model.config.get("axis", "")
    return own if own in names else names[0]


def head_of(model: ModelVersion, axis: str, wanted: str) -> str:
    """Which of a model's scores is meant: the one asked for, the one called like the axis, or its first."""
    heads = list(model.config.get("heads") or ())
    if wanted and heads and wanted not in heads:
        raise Invalid(f"must be one of: {', '.join(heads)}", field="params.head")
    return wanted or (axis if axis in heads else heads[0] if len(heads) > 1 else "")


def latest_calibration(model: ModelVersion, project: Project, axis: str) -> Calibration | None:
    return Calibration.objects.filter(model=model, project=project, axis=axis).order_by("-id").first()


def check(project: Project, model: ModelVersion, params: PrelabelParams) -> None:
    """Raises Invalid where such a model has nothing to say on such tasks, or a label is not the protocol's."""
    if project.protocol is None:
        raise Invalid("this project has no protocol yet", field="project")
    axis_of(project, model, params.axis)
    if project.kind != TaskKind.RESPONSE:
        return
    wanted = asked(project.protocol)
    if speaks_of_spans(model):
        if not wanted.critiques.on:
            raise Invalid("the protocol asks for no critiques, which is what this model could suggest", field="model")
        if model.kind == ModelVersion.Kind.IMPLICIT and not model.probe.get("passed"):
            raise Invalid(f"{model} has not passed the probe of its token rewards", field="params.model")
        for name, labels in (("type", wanted.critiques.types), ("severity", wanted.critiques.severities)):
            known = [label.name for label in labels]
            if (given := getattr(params, name)) and given not in known:
                raise Invalid(f"must be one of: {', '.join(known)}", field=f"params.{name}")
    elif model.kind == ModelVersion.Kind.STEP:
        if opinions.question_for(wanted, params.question) is None:
            raise Invalid("the protocol asks no question with yes and no, or numbers, to answer", field="question")
    else:
        words = f"a {model.get_kind_display().lower()} says which response is better, and here each is judged alone"
        raise Invalid(words, field="params.model")


def speaks_of_spans(model: ModelVersion) -> bool:
    return model.kind in (ModelVersion.Kind.TOKEN, ModelVersion.Kind.IMPLICIT)


def plan(run: Run, params: PrelabelParams, after: dict[str, Any] | None) -> Iterator[Piece]:
    """Ranges of items, each with the calibration that holds for the whole run."""
    assert run.model is not None
    check(run.home, run.model, params)
    latest = latest_calibration(run.model, run.home, axis_of(run.home, run.model, params.axis))
    fixed = {"calibration": after["calibration"] if after else latest.pk if latest else None}
    size = scoring.shard_size(run, params.items_per_shard)
    for piece in candidates.pieces(scoring.items_of(run.home), size, after):
        yield Piece({**piece.spec, **fixed}, piece.size)


def work(run: Run, shard: Shard, params: PrelabelParams, report: ShardReport) -> None:
    """Score what the open tasks of a range of items need, then say it."""
    assert run.model is not None
    items = candidates.in_range(scoring.items_of(run.home), shard.spec)
    tasks = open_tasks(run.home, list(items.values_list("pk", flat=True)))
    wanted = {response for task in tasks for response in task.responses}
    missing = candidates.unscored(run.model).filter(pk__in=wanted)
    rows = candidates.given(items, missing, unit=candidates.unit_of(run.home))
    found = scoring.judged(run.model, rows, report) if wanted else []
    report.progress(max(0, shard.size - report.rows))
    result = {**scoring.told(found), "tasks": len(tasks), "created": 0, "replaced": 0, "unchanged": 0, "refused": 0}
    with report.committing(**result):
        scoring.write(run, found)
        landed = speak(run, speaker(run, shard, params), tasks)
        result |= {"created": landed.created, "replaced": landed.replaced, "unchanged": landed.unchanged}
        result["refused"] = len(landed.rejected)
        Shard.objects.filter(pk=shard.pk).update(result=result)
    for refusal in landed.rejected[:REASONS]:
        report.log(f"task {tasks[refusal['index']].task}: {refusal['field']} {refusal['reason']}")


def speaker(run: Run, shard: Shard, params: PrelabelParams) -> Speaker:
    project, model = run.home, run.model
    assert model is not None and project.protocol is not None
    axis = axis_of(project, model, params.axis)
    found = Calibration.objects.filter(pk=shard.spec.get("calibration") or 0).first()
    probability = curve(found.method, found.params) if found else sigmoid
    head = head_of(model, axis, params.head)
    return Speaker(model, project.protocol, asked(project.protocol), axis, head, probability, params)


def open_tasks(project: Project, items: list[int]) -> list[Opened]:
    """The open tasks of items, by id."""
    tasks = Task.objects.filter(state=Task.State.OPEN, kind=project.kind).order_by("pk")
    if project.kind == TaskKind.PREFERENCE:
        pairs = Pair.objects.filter(item__in=items, deleted_at=None).values("pk")
        found = tasks.filter(pair__in=pairs).values_list("pk", "pair__first_id", "pair__second_id")
        return [Opened(pk, (first, second)) for pk, first, second in found]
    if project.kind == TaskKind.RESPONSE:
        one = tasks.filter(response__item__in=items).values_list("pk", "response_id")
        return [Opened(pk, (response,)) for pk, response in one]
    own: dict[int, list[int]] = {}
    live = Response.objects.filter(item__in=items, deleted_at=None).order_by("item_id", "position")
    for item, pk in live.values_list("item_id", "pk"):
        own.setdefault(item, []).append(pk)
    ranked = tasks.filter(item__in=items).values_list("pk", "item_id")
    return [Opened(pk, tuple(own.get(item, ()))) for pk, item in ranked]


# --- Saying it --------------------------------------------------------------------------------------


def speak(run: Run, voice: Speaker, tasks: list[Opened]) -> suggestions.Landed:
    """Write what the model says of each task; the number of a refusal is the place of its task."""
    if run.home.kind == TaskKind.RESPONSE:
        given = list(on_responses(voice, tasks))
    else:
        given = list(on_scores(run.home, voice, tasks))
    return suggestions.suggest(
        project=run.home,
        kind=Annotator.Kind.MODEL,
        name=voice.model.name,
        version=f"v{voice.model.number}",
        given=given,
    )


def on_scores(project: Project, voice: Speaker, tasks: list[Opened]) -> Iterator[tuple[int, Suggestion]]:
    """A preference or an order for each task whose responses all have a score."""
    wanted = {response for task in tasks for response in task.responses}
    scores = Score.objects.filter(model=voice.model, head=voice.head, response__in=wanted)
    values = dict(scores.values_list("response_id", "value"))
    cost = voice.model.kind == ModelVersion.Kind.COST
    for number, task in enumerate(tasks):
        goodness = opinions.worth(values, task.responses, cost=cost)
        if goodness is None or len(goodness) < 2:
            continue
        if project.kind == TaskKind.RANKING:
            sure = opinions.sureness(goodness, voice.probability)
            yield number, Suggestion(task.task, score=sure, answer=Answer(ranks=opinions.ranked(goodness)))
        else:
            p = voice.probability(goodness[1] - goodness[0])
            if said := opinions.leaning(voice.axis, p, voice.protocol, voice.params.tie):
                yield number, Suggestion(task.task, score=max(p, 1 - p), preferences=[said])


def on_responses(voice: Speaker, tasks: list[Opened]) -> Iterator[tuple[int, Suggestion]]:
    """Spans or verdicts for each task on whose response the model has scores by place."""
    rows = ScoreMap.objects.filter(model=voice.model, response__in=[task.responses[0] for task in tasks])
    by_response = {row.response_id: row for row in rows.filter(head=voice.head).order_by("id")}
    responses = Response.objects.in_bulk(list(by_response))
    for number, task in enumerate(tasks):
        if row := by_response.get(task.responses[0]):
            response = responses[row.response_id]
            if speaks_of_spans(voice.model):
                said = list(spans(voice, response, row))
                yield number, Suggestion(task.task, answer=Answer(critiques=said))
            else:
                yield number, Suggestion(task.task, answer=Answer(verdicts=list(verdicts(voice, response, row))))


def spans(voice: Speaker, response: Response, row: ScoreMap) -> Iterator[Said]:
    threshold = voice.params.threshold or voice.model.config.get("threshold") or opinions.SPAN_THRESHOLD
    mapped = [
        (number, Mapped(row.unit, places, values, row.head)) for number, places, values in in_messages(response, row)
    ]
    yield from opinions.critiques(voice.asked, 0, mapped, threshold, voice.params.type, voice.params.severity)


def in_messages(response: Response, row: ScoreMap) -> list[tuple[int, list[tuple[int, int]], list[float]]]:
    """Places and values of a map by message of the response, in whose own text they are counted."""
    offsets, values = maps.unpack(row)
    if not response.messages:
        return [(0, offsets, values)]
    told = heating.by_message(response, offsets, values)
    return [(one["message"], [(start, end) for start, end in one["offsets"]], one["values"]) for one in told]


def verdicts(voice: Speaker, response: Response, row: ScoreMap) -> Iterator[Verdict]:
    question = opinions.question_for(voice.asked, voice.params.question)
    if question is None:
        return
    threshold = voice.params.threshold or voice.model.config.get("threshold") or opinions.GOOD
    offsets, values = maps.unpack(row)
    mapped = Mapped(row.unit, offsets, values, row.head)
    yield from opinions.verdicts(voice.asked, question, 0, as_shown(response), mapped, threshold)


def as_shown(response: Response) -> ShownResponse:

    units = orjson.dumps(response.units).decode() if response.units else None
    messages = orjson.dumps(response.messages).decode() if response.messages else None
    return ShownResponse(response.pk, response.text, messages, response.unit, units)


# --- The end ----------------------------------------------------------------------------------------


def close(run: Run, params: PrelabelParams, report: Report) -> dict[str, Any]:
    """Sums over the shards, what the probabilities rest on, and whether annotators see any of it."""
    assert run.model is not None
    result = scoring.close(run, params, report)
    if run.home.kind != TaskKind.RESPONSE:
        result |= {"axis": axis_of(run.home, run.model, params.axis), "probabilities": rest_on(run)}
    result["seen by annotators"] = visibility(run.home)
    return result


def rest_on(run: Run) -> str:
    spec: dict[str, Any] = Shard.objects.filter(run=run).order_by("number").values_list("spec", flat=True).first() or {}
    found = Calibration.objects.filter(pk=spec.get("calibration") or 0).first()
    if found is None:
        return "not calibrated: the sigmoid of the margin itself; a calibrate run makes them mean something"
    return f"calibrated by {found.method} on {found.report.get('n')} decided pairs"


def visibility(project: Project) -> str:
    """In words whether annotators see suggestions, and where that is set."""
    mode = asked(project.protocol).help.mode if project.protocol else "off"
    address = reverse("protocol", args=[project.slug])
    return {
        "off": f"no: help of models is off in the protocol ({address})",
        "shown": "yes, from the start",
        "reveal": "yes, once they have answered",
    }[mode]


METHOD = Method(
    name="prelabel",
    title="Pre-label open tasks",
    about="A model suggests an answer to every open task: which response it prefers and how sure it is, an order, "
    "marked spans or verdicts. People see suggestions as the protocol says.",
    params=PrelabelParams,
    unit="items",
    plan=plan,
    work=work,
    close=close,
    split=candidates.halves,
)
